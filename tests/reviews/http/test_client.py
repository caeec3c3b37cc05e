from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import BaseModel, SecretStr

from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.client import CachedClient
from tests.support.fake_web import QUICK, Response, failure_mode, fake_web


class Greeting(BaseModel):
    text: str


def hello(*headers):
    return Response(headers=headers, body=b'{"text": "hello"}')


def test_an_answer_is_validated(web, client):
    web.respond("/x", hello(("X-Lag", "3")))
    greeting, headers = client.get_json(Greeting, f"{web.url}/x", params={"q": "a b"})
    assert greeting.text == "hello"
    assert headers["X-Lag"] == "3"
    assert web.requests[0].query == {"q": "a b"}


@pytest.mark.parametrize("body", [b'{"text": [}', b"", b'{"words": "hello"}', b"\xff\xfe", b"<html>"])
def test_an_answer_of_another_shape_is_a_permanent_error(web, client, body):
    web.respond("/x", Response(body=body))
    with pytest.raises(PermanentFetchError, match="not of the documented form") as failure:
        client.get_json(Greeting, f"{web.url}/x")
    assert failure.value.outcome == "error"
    assert web.count() == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirections_on_the_same_host_are_followed(web, client, status):
    web.respond("/old", Response(status, (("Location", "/new"),)))
    web.respond("/new", hello())
    assert client.get(f"{web.url}/old").url == f"{web.url}/new"
    assert (web.count("/old"), web.count("/new")) == (1, 1)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("http://127.0.0.1:9/new", "moved to another host"),
        ("/old", "redirects without end"),
        ("/new", "robots.txt forbids"),
    ],
)
def test_redirections_elsewhere_in_circles_or_to_forbidden_pages_are_refused(web, client, target, message):
    web.robots = "User-agent: *\nDisallow: /new\n"
    web.respond("/old", Response(301, (("Location", target),)))
    with pytest.raises(PermanentFetchError, match=message):
        client.get(f"{web.url}/old")
    assert (web.count("/old"), web.count("/new")) == (6 if target == "/old" else 1, 0)


@pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:port/"])
def test_a_redirection_to_no_address_is_a_failed_request(web, client, location):
    web.respond("/old", Response(301, (("Location", location),)))
    with pytest.raises(TransientFetchError, match="redirects to no address"):
        client.get(f"{web.url}/old")


def test_what_another_host_would_be_asked_is_not_shown(web, client):
    web.respond("/old", Response(301, (("Location", "http://127.0.0.1:9/secret?key=secret"),)))
    with pytest.raises(PermanentFetchError, match="found: http://127.0.0.1:9$"):
        client.get(f"{web.url}/old")


@pytest.mark.parametrize(
    ("headers", "requests"),
    [
        ([("Cache-Control", "max-age=60")], [1, 0]),
        ([("Cache-Control", "max-age=60"), ("Age", "120")], [1, 1]),
        ([("Cache-Control", "no-store")], [1, 1]),
    ],
    ids=["fresh", "stale", "not to be stored"],
)
def test_only_fresh_responses_come_from_the_cache_of_an_earlier_run(web, tmp_path, headers, requests):
    web.respond("/x", hello(*headers))
    for expected in requests:
        with CachedClient(QUICK, tmp_path) as client:
            assert client.get_json(Greeting, f"{web.url}/x")[0].text == "hello"
            assert client.politeness.requests == expected
    assert web.count() == sum(requests)


def test_unchanged_responses_are_revalidated_by_etag(web, tmp_path):
    web.robots = "User-agent: *\nAllow: /\n"
    web.headers["/w/api.php"] = {"Cache-Control": "max-age=0"}
    web.add("tt0116282", extract="text")
    answers = []
    for _ in range(2):
        with CachedClient(QUICK, tmp_path) as client:
            answers.append(client.get(f"{web.url}/w/api.php?titles=Fargo (1996 film)", api=True).content)
    assert answers[0] == answers[1]
    assert b'"extract": "text"' in answers[0]
    assert "if-none-match" not in web.requests[0].headers
    assert "if-none-match" in web.requests[1].headers


@pytest.mark.parametrize("name", ["cut short", "junk", "500", "404", "202 empty"])
def test_broken_responses_are_not_cached(web, tmp_path, name):
    web.respond("/x", Response(**{**vars(failure_mode(name)), "headers": (("Cache-Control", "max-age=60"),)}), times=1)
    web.respond("/x", hello())
    for _ in range(2):
        with CachedClient(QUICK, tmp_path) as client:
            try:
                answer = client.get(f"{web.url}/x").content
            except Exception:  # noqa: BLE001, S112 - each mode fails in its own way
                continue
    assert answer == b'{"text": "hello"}'


def test_a_damaged_cache_is_ignored(web, tmp_path):
    web.respond("/x", hello())
    (tmp_path / "pages.db").write_bytes(b"no database" * 1000)
    with CachedClient(QUICK, tmp_path) as client:
        assert client.get(f"{web.url}/x").content == b'{"text": "hello"}'


@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_without_a_folder_that_can_be_written_nothing_is_cached_and_one_warning_says_so(web, tmp_path, caplog, kind):
    web.respond("/x", hello(("Cache-Control", "max-age=60")))
    (tmp_path / "pages").write_text("")
    folder = tmp_path / "pages" / ("" if kind == "a file" else "below")
    with CachedClient(QUICK, folder) as client:
        for _ in range(2):
            assert client.get(f"{web.url}/x").content == b'{"text": "hello"}'
    assert web.count("/x") == 2
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith(f"pages are not cached: {folder} cannot be written: ")


def test_two_runs_may_share_a_cache(web, tmp_path):
    web.robots = ""
    for number in range(40):
        web.respond(f"/{number:02d}", Response(headers=(("Cache-Control", "max-age=60"),), body=b"%d" % number))

    def fetch_all(order):
        with CachedClient(QUICK, tmp_path) as client:
            return [int(client.get(f"{web.url}/{number:02d}").content) for number in order]

    with ThreadPoolExecutor(2) as pool:
        up, down = pool.map(fetch_all, [range(40), range(39, -1, -1)])
    assert up == down[::-1] == list(range(40))


def test_keys_are_sent_to_their_host_only(web, tmp_path):
    def sign(key, request):
        return httpx.Request("GET", request.url.copy_set_param("api_key", key.get_secret_value()))

    with CachedClient(QUICK, tmp_path) as client, fake_web() as other:
        web.respond("/x", hello(("Cache-Control", "max-age=60")))
        other.respond("/x", hello())
        client.auth.register(web.url, SecretStr("secret"), sign)
        client.get(f"{web.url}/x")
        client.get(f"{other.url}/x")
        assert web.requests[-1].query == {"api_key": "secret"}
        assert other.requests[-1].query == {}
    assert all(b"secret" not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_host_is_asked_for_the_etag_of_a_page_that_the_cache_has(web, tmp_path):
    with CachedClient(QUICK, tmp_path) as client:
        web.add("tt0116282", extract="A film.")
        url, params = f"{web.url}/w/api.php", {"titles": "Fargo (1996 film)", "prop": "extracts"}
        web.headers["/w/api.php"] = {"Cache-Control": "max-age=60"}
        etag = client.get(url, params=params, api=True).headers["ETag"]
        assert client.has_etag(url, etag, params=params)
        web.films["tt0116282"].extract = "Another text."
        assert not client.has_etag(url, etag, params=params)
        assert web.count("/w/api.php") == 3


def test_the_etags_of_a_host_that_ignores_the_condition_are_compared(web, client):
    web.respond("/x", hello(("ETag", '"a"')))
    assert client.has_etag(f"{web.url}/x", '"a"')
    assert not client.has_etag(f"{web.url}/x", '"b"')
