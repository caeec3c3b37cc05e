"""Runs two releases of cinemagoer in processes of their own: it is never a dependency of the environment."""

import json
import os
import subprocess
import sys
import textwrap
import zipfile
from contextlib import contextmanager
from subprocess import DEVNULL, PIPE

import pytest

from latentflix.reviews.sources.imdbpy import ImdbpyConfig, ImdbpySource
from tests.support.fake_web import TRANSIENT_FAILURES, Response, failure_mode, review

# Reads lines of settings, queries the films of each line as one run, and prints the answers.
PROGRAM = textwrap.dedent("""
    import json, sys
    from latentflix.errors import TransientFetchError
    from latentflix.reviews.http.client import CachedClient
    from latentflix.reviews.http.politeness import HttpConfig
    from latentflix.reviews.sources.protocol import Film, query
    from latentflix.reviews.sources.imdbpy import ImdbpyConfig, ImdbpySource

    for line in sys.stdin:
        url, films, settings = json.loads(line)
        answers = []
        with CachedClient(HttpConfig(contact="me@example.org", pause=0, jitter=0, read_timeout=1)) as client:
            source = ImdbpySource(ImdbpyConfig(url=url, **settings), client)
            found = source.availability()
            for film in films if found.available else []:
                try:
                    answer = query(source, Film(*film), "")
                    answers.append([answer.outcome, answer.reason, [vars(review) for review in answer.reviews]])
                except TransientFetchError as failure:
                    answers.append(["TransientFetchError", str(failure), failure.retry_after])
            blocked = client.politeness.blocked
            print(json.dumps([[found.available, found.reason], answers, blocked], default=str), flush=True)
""")
FARGO = ("Fargo (1996)", 1996, "tt0116282")


@contextmanager
def running(folder, release):
    """The program with a release of cinemagoer, unpacked in a folder."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), release]
    subprocess.run(download, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "no_proxy": "127.0.0.1"}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        yield process
        process.stdin.close()


@pytest.fixture(scope="module")
def of_pages(tmp_path_factory):
    with running(tmp_path_factory.mktemp("cinemagoer"), "cinemagoer==2023.5.1") as process:
        yield process


@pytest.fixture(scope="module")
def of_today(tmp_path_factory):
    with running(tmp_path_factory.mktemp("cinemagoer"), "cinemagoer>=2025") as process:
        yield process


@pytest.fixture
def web(web):
    reviews = [
        review(1, "The first one.", day=1, rating=9, author="ann"),
        review(2, "The <b>second</b> & newer one.", day=40, rating=3, author="bob"),
    ]
    web.add(FARGO[2], reviews=reviews)
    return web


def run(process, web, *films, **settings):
    """Availability and reason, the answer about each film, and the blocked hosts."""
    print(json.dumps([web.url, films, settings]), file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def test_todays_release_is_unavailable_and_says_why(of_today, web):
    (available, reason), answers, _ = run(of_today, web, FARGO)
    assert (available, answers) == (False, [])
    assert "hold no reviews" in reason
    assert "2023.5.1 is the last release" in reason
    assert web.requests == []


def test_without_cinemagoer_the_source_is_unavailable(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "imdb", None)
    found = ImdbpySource(ImdbpyConfig(), client).availability()
    assert not found.available
    assert "not installed" in found.reason


def test_the_last_release_that_reads_pages_returns_reviews(of_pages, web):
    availability, [[outcome, _, reviews]], blocked = run(of_pages, web, FARGO)
    assert availability == [True, ""]
    assert outcome == "ok"
    assert blocked == {}
    assert [(each["text"], each["rating"], each["author"], each["written_at"]) for each in reviews] == [
        ("The <b>second</b> & newer one.", 3, "ur0000002", "2024-02-10 00:00:00+00:00"),
        ("The first one.", 9, "ur0000001", "2024-01-02 00:00:00+00:00"),
    ]
    assert [each["source_review_id"] for each in reviews] == ["tt0116282/ur0000002", "tt0116282/ur0000001"]
    assert not any(each["training_allowed"] for each in reviews)
    assert [request.path for request in web.requests] == ["/robots.txt", "/title/tt0116282/reviews"]
    assert {request.headers["user-agent"].split()[0] for request in web.requests} == {"latentflix"}


def test_a_film_without_an_id_is_not_covered(of_pages, web):
    _, [[outcome, reason, _]], _ = run(of_pages, web, ("Fargo (1996)", 1996, None))
    assert outcome == "not_covered"
    assert "IMDb id is not known" in reason
    assert web.requests == []


def test_training_is_allowed_with_a_licence(of_pages, web):
    _, [[_, _, reviews]], _ = run(of_pages, web, FARGO, training_licence="contract 17")
    assert [each["training_allowed"] for each in reviews] == [True, True]


@pytest.mark.parametrize("name", ["202 empty", "401", "403", "empty", "invalid JSON", "junk"])
def test_a_bot_wall_is_met_once_and_not_mistaken_for_an_empty_page(of_pages, web, name):
    web.respond("/title", Response() if name == "empty" else failure_mode(name))
    _, answers, blocked = run(of_pages, web, FARGO, FARGO)
    assert [outcome for outcome, _, _ in answers] == ["blocked", "blocked"]
    assert list(blocked) == [web.url.removeprefix("http://")]
    assert web.count("/title") == 1


@pytest.mark.parametrize("name", TRANSIENT_FAILURES)
def test_transient_failures_are_raised_after_one_request(of_pages, web, name):
    web.respond("/title", failure_mode(name))
    _, [[outcome, _, retry_after]], blocked = run(of_pages, web, FARGO)
    assert outcome == "TransientFetchError"
    assert (retry_after is not None) == name.startswith("429")
    assert blocked == {}
    assert web.count("/title") == 1


def test_robots_txt_is_obeyed(of_pages, web):
    web.robots = "User-agent: *\nDisallow: /title/\n"
    _, [[outcome, reason, _]], _ = run(of_pages, web, FARGO)
    assert outcome == "blocked"
    assert "robots.txt forbids" in reason
    assert web.count("/title") == 0


def test_a_malformed_imdb_id_is_not_sent_and_a_missing_page_not_covered(of_pages, web):
    _, [[outcome, _, _]], _ = run(of_pages, web, ("Fargo", 1996, "nm0000001"))
    assert (outcome, web.requests) == ("not_covered", [])
    _, [[outcome, _, _], [other, _, _]], _ = run(of_pages, web, ("Heat", 1995, "tt0113277"), FARGO)
    assert (outcome, other) == ("not_covered", "ok")
