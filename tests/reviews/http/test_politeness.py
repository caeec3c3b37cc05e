import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import HttpConfig, retry_after
from tests.support.fake_web import QUICK, TRANSIENT_FAILURES, Response, failure_mode, fake_web, http_date
from tests.support.headers import HEADER_DATES

DAY = 86_400.0
REFUSED = [
    *((name, "blocked", name[:3]) for name in ("202 empty", "401", "403")),
    *(("404", "not_covered", "404"), ("junk", "error", "too long.*at most 100,000")),
]


@pytest.fixture
def web(web):
    web.respond("/page", Response(body=b"hello"))
    return web


def with_settings(**settings):
    return CachedClient(QUICK.model_copy(update=settings))


@pytest.mark.parametrize("name", TRANSIENT_FAILURES)
def test_transient_failures_are_raised_after_one_request(web, client, name):
    web.respond("/x", failure_mode(name))
    with pytest.raises(TransientFetchError):
        client.get(f"{web.url}/x", api=True)
    assert web.count() == 1
    assert client.politeness.blocked == {}


@pytest.mark.parametrize(("name", "outcome", "message"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_permanent_failures_are_raised_after_one_request_and_only_a_host_that_refuses_is_blocked(
    web, client, name, outcome, message
):
    web.respond("/x", failure_mode(name))
    with pytest.raises(PermanentFetchError, match=message) as failure:
        client.get(f"{web.url}/x", api=True)
    assert failure.value.outcome == outcome
    host = web.url.removeprefix("http://")
    assert list(client.politeness.blocked) == [host] * (outcome == "blocked")
    assert web.count() == 1
    if outcome != "blocked":
        assert client.get(f"{web.url}/page", api=True).content == b"hello"
        return
    assert name[:3] in client.politeness.blocked[host]
    for _ in range(2):
        with pytest.raises(PermanentFetchError) as failure:
            client.get(f"{web.url}/page", api=True)
        assert failure.value.outcome == "blocked"
    assert web.count() == 1


def test_messages_leave_out_the_query(web, client):
    web.respond("/x", failure_mode("500"))
    with pytest.raises(TransientFetchError) as failure:
        client.get(f"{web.url}/x", params={"query": "SELECT"}, api=True)
    assert f"where: {web.url}/x; found: 500" in str(failure.value)


def test_other_hosts_can_be_queried_while_one_is_blocked(web, client):
    web.respond("/x", failure_mode("403"))
    with fake_web() as other, pytest.raises(PermanentFetchError):
        other.respond("/page", Response(body=b"other"))
        assert client.get(f"{other.url}/page").content == b"other"
        client.get(f"{web.url}/x", api=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_respected(web, client, status, as_date):
    web.respond("/x", Response(status, (("Retry-After", http_date(60) if as_date else "60"),)))
    with pytest.raises(TransientFetchError) as first:
        client.get(f"{web.url}/x", api=True)
    assert first.value.retry_after == pytest.approx(60, abs=10)
    with pytest.raises(TransientFetchError) as second:
        client.get(f"{web.url}/page", api=True)
    assert second.value.retry_after <= first.value.retry_after
    assert web.count() == 1


def test_a_host_is_queried_again_after_retry_after(web, client):
    web.respond("/x", Response(503, (("Retry-After", "1"),)), times=1)
    web.respond("/x", Response(body=b"back"))
    with pytest.raises(TransientFetchError):
        client.get(f"{web.url}/x", api=True)
    time.sleep(1.05)
    assert client.get(f"{web.url}/x", api=True).content == b"back"


def test_a_response_that_arrives_too_slowly_is_abandoned(web):
    web.respond("/x", Response(body=b"hello", drip=0.05))
    began = time.monotonic()
    with with_settings(total_timeout=0.5) as client, pytest.raises(TransientFetchError, match="took too long"):
        client.get(f"{web.url}/x", api=True)
    assert time.monotonic() - began < 2


def test_a_host_gets_one_request_at_a_time(web, client):
    web.respond("/slow", Response(silence=0.05, body=b"x"))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(client.get, [f"{web.url}/slow"] * 6))
    assert web.count("/slow") == 6
    assert web.most_at_once == 1


def test_requests_are_a_pause_apart(web):
    with with_settings(pause=0.1, jitter=0.05) as client:
        started = time.monotonic()
        for _ in range(4):
            client.get(f"{web.url}/page", api=True)
    assert time.monotonic() - started >= 0.3


def test_the_number_of_requests_is_limited(web):
    with with_settings(max_requests=2) as client:
        for _ in range(2):
            client.get(f"{web.url}/page", api=True)
        with pytest.raises(PermanentFetchError, match="its limit of requests; found: 2"):
            client.get(f"{web.url}/page", api=True)
        assert client.politeness.requests == 2
    assert web.count() == 2


@pytest.mark.parametrize("name", ["*", "latentflix"])
def test_robots_txt_is_read_once_and_obeyed(web, client, name):
    web.robots = f"User-agent: {name}\nDisallow: /private\n\nUser-agent: other\nDisallow: /\n"
    for _ in range(2):
        assert client.get(f"{web.url}/page").content == b"hello"
        with pytest.raises(PermanentFetchError, match="robots.txt forbids") as failure:
            client.get(f"{web.url}/private/page")
        assert failure.value.outcome == "blocked"
    assert web.count("/robots.txt") == 1
    assert web.count("/private") == 0


def test_the_crawl_delay_of_robots_txt_is_kept(web, client):
    web.robots = "User-agent: *\nCrawl-delay: 0.3\n"
    client.get(f"{web.url}/page")
    started = time.monotonic()
    client.get(f"{web.url}/page")
    assert time.monotonic() - started >= 0.25


@pytest.mark.parametrize("asked", [1.5, 1e9])
def test_no_page_is_read_of_a_host_that_asks_for_too_long_a_crawl_delay(web, asked):
    web.robots = f"User-agent: *\nCrawl-delay: {asked}\n"
    with with_settings(longest_delay=1) as client:
        for _ in range(2):
            with pytest.raises(PermanentFetchError, match="too long a pause.*at most 1; .*longest-delay") as failure:
                client.get(f"{web.url}/page")
            assert failure.value.outcome == "blocked"
        assert (web.count("/page"), web.count("/robots.txt")) == (0, 1)
        assert client.get(f"{web.url}/page", api=True).content == b"hello"


@pytest.mark.parametrize("name", ["401", "403", "404"])
def test_a_host_without_readable_robots_txt_forbids_nothing(web, client, name):
    web.respond("/robots.txt", failure_mode(name))
    assert client.get(f"{web.url}/page").content == b"hello"


@pytest.mark.parametrize("name", ["503", "429 date", "silence", "cut short"])
def test_no_page_is_fetched_while_robots_txt_cannot_be_read(web, client, name):
    web.respond("/robots.txt", failure_mode(name), times=1)
    with pytest.raises(TransientFetchError):
        client.get(f"{web.url}/page")
    assert web.count("/page") == 0
    if not name.startswith("429"):
        assert client.get(f"{web.url}/page").content == b"hello"


@pytest.mark.parametrize(
    "answer",
    [
        *(Response(status) for status in (202, 204, 206, 300, 304)),
        *(Response(301, (("Location", target),)) for target in ("ftp://x.org/robots.txt", "data:,x", "/robots.txt")),
        Response(headers=(("Content-Encoding", "gzip"),), body=b"User-agent: *"),
    ],
    ids=lambda answer: f"{answer.status} {answer.headers}",
)
def test_no_page_is_fetched_of_a_host_whose_robots_txt_is_no_file(web, client, answer):
    web.respond("/robots.txt", answer)
    with pytest.raises(PermanentFetchError, match="robots.txt"):
        client.get(f"{web.url}/page")
    assert web.count("/page") == 0


@pytest.mark.parametrize("redirections", [1, 5, 6])
def test_redirections_of_robots_txt_are_followed_five_times_and_its_rules_are_those_of_the_first_host(
    web, client, redirections
):
    with fake_web() as other:
        web.respond("/robots.txt", Response(302, (("Location", f"{other.url}/1"),)))
        for number in range(1, redirections):
            other.respond(f"/{number}", Response(307, (("Location", f"/{number + 1}"),)))
        other.respond(f"/{redirections}", Response(body=b"User-agent: latentflix\nDisallow: /private\n"))
        other.respond("/private", Response(body=b"other"))
        if redirections > 5:
            with pytest.raises(PermanentFetchError, match="redirects more than 5 times"):
                client.get(f"{web.url}/page")
            return
        assert client.get(f"{web.url}/page").content == b"hello"
        with pytest.raises(PermanentFetchError, match="robots.txt forbids"):
            client.get(f"{web.url}/private")
        assert client.get(f"{other.url}/private").content == b"other"


def test_hosts_whose_robots_txt_redirect_to_one_another_can_be_asked_at_once(web, client):
    with fake_web() as other:
        for host, target in ((web, other), (other, web)):
            host.respond("/robots.txt", Response(302, (("Location", f"{target.url}/rules"),), silence=0.05))
            host.respond("/rules", Response(body=b"User-agent: *\nAllow: /\n"))
            host.respond("/page", Response(body=b"hello"))
        with ThreadPoolExecutor(2) as pool:
            pages = list(pool.map(client.get, [f"{host.url}/page" for host in (web, other)]))
    assert [page.content for page in pages] == [b"hello"] * 2


def test_a_long_robots_txt_is_obeyed(web, client):
    web.robots = "User-agent: *\nDisallow: /\n" + "# a comment\n" * 500_000
    with pytest.raises(PermanentFetchError, match="robots.txt forbids"):
        client.get(f"{web.url}/page")
    assert web.count("/page") == 0


def test_robots_txt_is_read_again_after_a_day(web, client, monkeypatch):
    for allowed, age in ((True, 0), (True, 86_300), (False, 86_500)):
        web.robots = "User-agent: *\n" + ("Allow: /\n" if age == 0 else "Disallow: /\n")
        now = time.monotonic() + age
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        if allowed:
            assert client.get(f"{web.url}/page").content == b"hello"
            continue
        with pytest.raises(PermanentFetchError, match="robots.txt forbids"):
            client.get(f"{web.url}/page")


def test_programming_interfaces_are_exempt_from_robots_txt(web, client):
    web.robots = "User-agent: *\nDisallow: /\n"
    assert client.get(f"{web.url}/page", api=True).content == b"hello"
    assert web.count("/robots.txt") == 0


def test_requests_name_their_sender(web, client):
    client.get(f"{web.url}/page")
    assert {request.headers["user-agent"] for request in web.requests} == {QUICK.user_agent}
    assert QUICK.user_agent.startswith("latentflix (me@example.org)")
    assert "gzip" in web.requests[-1].headers["accept-encoding"]


@pytest.mark.parametrize(
    "text, seconds",
    [
        *(("120", 120), ("0", 0), ("", None), ("soon", None), ("-5", None), ("1e9", None), ("\u0663", None)),
        *(("31536000", DAY), ("9" * 5000, DAY), ("Fri, 31 Dec 9999 23:59:59 GMT", DAY)),
        *(("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("Fri, 31 Feb 1999 23:59:59 GMT", None)),
        *(("Fri, 31 Dec 9999 23:59:59 -2359", None), ("Fri, 31 Dec 1999 23:59:59 -99999999", None)),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(text, seconds):
    assert retry_after(httpx.Headers({"Retry-After": text.encode()})) == seconds


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters(max_codepoint=255)) | HEADER_DATES)
def test_any_retry_after_is_a_pause_of_at_most_a_day_or_none(text):
    seconds = retry_after(httpx.Headers({"Retry-After": text.encode("latin-1")}))
    assert seconds is None or 0 <= seconds <= DAY


@pytest.mark.parametrize(
    "settings",
    [
        *({"contact": contact} for contact in ("jörg@example.org", "me@example.org\r\nX: y", "me\x7f")),
        *({"proxy": proxy} for proxy in ("localhost", "socks5://127.0.0.1:9", "http://127.0.0.1:port", "http://[::1")),
    ],
)
def test_settings_that_no_request_could_be_sent_with_are_refused(settings):
    with pytest.raises(ValidationError):
        HttpConfig(**settings)
