import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import PoliteTransport, retry_after
from tests.support.fake_web import QUICK, TRANSIENT_FAILURES, Response, failure_mode, fake_web, http_date

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


def test_a_body_that_arrives_too_slowly_is_abandoned():
    drops = (time.sleep(0.05) or b"drop" for _ in range(100))
    drip = httpx.MockTransport(lambda _: httpx.Response(200, content=drops))
    request = httpx.Request("GET", "https://example.org/", extensions={"api": True})
    with pytest.raises(TransientFetchError, match="took too long"):
        PoliteTransport(drip, QUICK).handle_request(request)


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


@pytest.mark.parametrize("name", ["401", "403", "404"])
def test_a_host_without_readable_robots_txt_forbids_nothing(web, client, name):
    web.respond("/robots.txt", failure_mode(name))
    assert client.get(f"{web.url}/page").content == b"hello"


def test_no_page_is_fetched_while_robots_txt_cannot_be_read(web, client):
    web.respond("/robots.txt", failure_mode("503"), times=1)
    with pytest.raises(TransientFetchError):
        client.get(f"{web.url}/page")
    assert web.count("/page") == 0
    assert client.get(f"{web.url}/page").content == b"hello"


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
    [("120", 120), ("0", 0), ("", None), ("soon", None), ("-5", None), ("Fri, 31 Dec 1999 23:59:59 GMT", 0)],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(text, seconds):
    assert retry_after(httpx.Headers({"Retry-After": text})) == seconds
