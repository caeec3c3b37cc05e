import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from pydantic import ValidationError

from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import HttpConfig, PoliteTransport, retry_after
from tests.support.fake_web import Mood, fake_web, mood, retry_date

QUICK = HttpConfig(
    contact="me@example.org",
    pause=0,
    jitter=0,
    connect_timeout=2,
    read_timeout=2,
    total_timeout=2,
    max_body=100_000,
)


@pytest.fixture
def web():
    with fake_web() as web:
        web.tell("/page", Mood(body=b"hello"))
        yield web


@pytest.fixture
def fetcher(web):
    with CachedClient(QUICK) as fetcher:
        yield fetcher


def with_settings(**settings):
    return CachedClient(QUICK.model_copy(update=settings))


FAILING = ["429 seconds", "429 date", "500", "503", "cut short", "silence", "closed"]
REFUSED = {"202 empty": "blocked", "401": "blocked", "403": "blocked", "404": "not_covered", "junk": "error"}


@pytest.mark.parametrize("name", FAILING)
def test_what_may_pass_is_asked_once_and_left_to_whoever_retries(web, fetcher, name):
    web.tell("/x", mood(name))
    with pytest.raises(TransientFetchError):
        fetcher.get(f"{web.url}/x", api=True)
    assert web.count() == 1
    assert fetcher.blocked == {}


@pytest.mark.parametrize("name", REFUSED)
def test_what_will_not_pass_is_asked_once(web, fetcher, name):
    web.tell("/x", mood(name))
    with pytest.raises(PermanentFetchError) as failure:
        fetcher.get(f"{web.url}/x", api=True)
    assert failure.value.outcome == REFUSED[name]
    assert web.count() == 1


@pytest.mark.parametrize("name", [name for name in REFUSED if REFUSED[name] == "blocked"])
def test_a_host_that_refuses_is_left_alone_and_reported(web, fetcher, name):
    web.tell("/x", mood(name))
    for path in ("x", "page", "page"):
        with pytest.raises(PermanentFetchError) as failure:
            fetcher.get(f"{web.url}/{path}", api=True)
        assert failure.value.outcome == "blocked"
    assert web.count() == 1
    assert list(fetcher.blocked) == [web.url.removeprefix("http://")]
    assert name[:3] in fetcher.blocked[web.url.removeprefix("http://")]


def test_messages_do_not_repeat_what_was_asked(web, fetcher):
    web.tell("/x", mood("500"))
    with pytest.raises(TransientFetchError) as failure:
        fetcher.get(f"{web.url}/x", params={"query": "SELECT"}, api=True)
    assert f"where: {web.url}/x; found: 500" in str(failure.value)


def test_a_missing_page_blocks_nothing(web, fetcher):
    with pytest.raises(PermanentFetchError):
        fetcher.get(f"{web.url}/nowhere", api=True)
    assert fetcher.get(f"{web.url}/page", api=True).body == b"hello"


def test_other_hosts_are_asked_though_one_blocks(web, fetcher):
    web.tell("/x", mood("403"))
    with fake_web() as other, pytest.raises(PermanentFetchError):
        other.tell("/page", Mood(body=b"other"))
        assert fetcher.get(f"{other.url}/page").body == b"other"
        fetcher.get(f"{web.url}/x", api=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_a_host_that_names_a_time_is_not_asked_before(web, fetcher, status, as_date):
    web.tell("/x", Mood(status, (("Retry-After", retry_date(60) if as_date else "60"),)))
    with pytest.raises(TransientFetchError) as first:
        fetcher.get(f"{web.url}/x", api=True)
    assert first.value.retry_after == pytest.approx(60, abs=10)
    with pytest.raises(TransientFetchError) as second:
        fetcher.get(f"{web.url}/page", api=True)
    assert second.value.retry_after <= first.value.retry_after
    assert web.count() == 1


def test_a_host_is_asked_again_when_its_time_is_over(web, fetcher):
    web.tell("/x", Mood(503, (("Retry-After", "1"),)), times=1)
    web.tell("/x", Mood(body=b"back"))
    with pytest.raises(TransientFetchError):
        fetcher.get(f"{web.url}/x", api=True)
    time.sleep(1.05)
    assert fetcher.get(f"{web.url}/x", api=True).body == b"back"


def drops():
    for _ in range(100):
        time.sleep(0.05)
        yield b"drop"


def test_a_body_that_only_drips_is_given_up():
    drip = httpx.MockTransport(lambda _: httpx.Response(200, content=drops()))
    request = httpx.Request("GET", "https://example.org/", extensions={"api": True})
    with pytest.raises(TransientFetchError, match="took too long"):
        PoliteTransport(drip, QUICK).handle_request(request)


def test_no_more_than_the_bound_of_a_body_is_read(web, fetcher):
    web.tell("/x", mood("junk"))
    with pytest.raises(PermanentFetchError, match=r"too long.*at most 100,000"):
        fetcher.get(f"{web.url}/x", api=True)


def test_a_host_is_asked_one_request_at_a_time(web):
    web.tell("/slow", Mood(silence=0.05, body=b"x"))
    with with_settings() as fetcher:
        threads = [threading.Thread(target=fetcher.get, args=(f"{web.url}/slow",)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert web.count("/slow") == 6
    assert web.most_at_once == 1


def test_requests_are_a_pause_apart(web):
    with with_settings(pause=0.1, jitter=0.05) as fetcher:
        started = time.monotonic()
        for _ in range(4):
            fetcher.get(f"{web.url}/page", api=True)
    assert time.monotonic() - started >= 0.3


def test_a_run_sends_no_more_requests_than_it_may(web):
    with with_settings(max_requests=2) as fetcher:
        for _ in range(2):
            fetcher.get(f"{web.url}/page", api=True)
        with pytest.raises(PermanentFetchError, match="as many requests as it may; found: 2"):
            fetcher.get(f"{web.url}/page", api=True)
        assert fetcher.requests == 2
    assert web.count() == 2


def test_robots_txt_is_read_once_and_honoured(web, fetcher):
    web.robots = "User-agent: *\nDisallow: /private\n"
    for _ in range(2):
        assert fetcher.get(f"{web.url}/page").body == b"hello"
        with pytest.raises(PermanentFetchError, match="robots.txt forbids") as failure:
            fetcher.get(f"{web.url}/private/page")
        assert failure.value.outcome == "blocked"
    assert web.count("/robots.txt") == 1
    assert web.count("/private") == 0


def test_robots_txt_that_names_us_is_honoured(web, fetcher):
    web.robots = "User-agent: latentflix\nDisallow: /\n\nUser-agent: *\nAllow: /\n"
    with pytest.raises(PermanentFetchError, match="robots.txt forbids"):
        fetcher.get(f"{web.url}/page")


def test_the_pause_that_robots_txt_asks_for_is_kept(web, fetcher):
    web.robots = "User-agent: *\nCrawl-delay: 0.3\n"
    fetcher.get(f"{web.url}/page")
    started = time.monotonic()
    fetcher.get(f"{web.url}/page")
    assert time.monotonic() - started >= 0.25


@pytest.mark.parametrize("name", ["401", "403", "404"])
def test_a_host_without_readable_robots_txt_forbids_nothing(web, fetcher, name):
    web.tell("/robots.txt", mood(name))
    assert fetcher.get(f"{web.url}/page").body == b"hello"


def test_nothing_is_fetched_while_robots_txt_cannot_be_read(web, fetcher):
    web.tell("/robots.txt", mood("503"), times=1)
    with pytest.raises(TransientFetchError):
        fetcher.get(f"{web.url}/page")
    assert web.count("/page") == 0
    assert fetcher.get(f"{web.url}/page").body == b"hello"


def test_an_interface_for_programs_is_not_held_to_robots_txt(web, fetcher):
    web.robots = "User-agent: *\nDisallow: /\n"
    assert fetcher.get(f"{web.url}/page", api=True).body == b"hello"
    assert web.count("/robots.txt") == 0


def test_requests_say_who_sends_them(web, fetcher):
    fetcher.get(f"{web.url}/page")
    assert {ask.headers["user-agent"] for ask in web.asked} == {QUICK.user_agent}
    assert QUICK.user_agent.startswith("latentflix (me@example.org)")
    assert "gzip" in web.asked[-1].headers["accept-encoding"]


@pytest.mark.parametrize(
    "text, seconds",
    [("120", 120.0), ("0", 0.0), ("", None), ("soon", None), ("-5", None), ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0)],
)
def test_how_long_to_wait_is_read_from_the_header(text, seconds):
    assert retry_after(httpx.Headers({"Retry-After": text})) == seconds


def test_how_long_to_wait_is_read_from_a_date():
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    assert retry_after(httpx.Headers({"Retry-After": date})) == pytest.approx(120, abs=10)


@pytest.mark.parametrize("settings", [{"pause": -1}, {"max_requests": 0}, {"read_timeout": 0}, {"retries": 3}])
def test_settings_out_of_bounds_are_refused(settings):
    with pytest.raises(ValidationError):
        HttpConfig(**settings)
