"""The client's own code, of two releases, unpacked beside the environment of the tests: it is never a dependency."""

import json
import os
import subprocess
import sys
import textwrap
import zipfile
from contextlib import contextmanager
from subprocess import DEVNULL, PIPE

import pytest

from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.sources.imdbpy import ImdbpyConfig, ImdbpySource
from tests.reviews.http.test_politeness import QUICK
from tests.support.fake_web import Mood, fake_web, mood, review

# Reads one line of settings after the other, asks about the films in it as one run, and prints what came of it.
PROGRAM = textwrap.dedent("""
    import json, sys
    from datetime import datetime
    from latentflix.errors import TransientFetchError
    from latentflix.reviews.http.client import CachedClient
    from latentflix.reviews.http.politeness import HttpConfig
    from latentflix.reviews.sources.protocol import Film
    from latentflix.reviews.sources.imdbpy import ImdbpyConfig, ImdbpySource

    for line in sys.stdin:
        url, films, since, limit, settings = json.loads(line)
        since = since and datetime.fromisoformat(since)
        told = []
        with CachedClient(HttpConfig(contact="me@example.org", pause=0, jitter=0, read_timeout=1)) as fetcher:
            source = ImdbpySource(ImdbpyConfig(url=url, **settings), fetcher)
            check = source.check()
            for film in films if check.works else []:
                try:
                    answer = source.fetch(Film(*film), since, limit)
                    told.append([answer.outcome, answer.reason, [vars(review) for review in answer.reviews]])
                except TransientFetchError as failure:
                    told.append(["TransientFetchError", str(failure), failure.retry_after])
            print(json.dumps([[check.works, check.reason], told, fetcher.blocked], default=str), flush=True)
""")
FARGO = ("Fargo (1996)", 1996, "tt0116282")


def unpacked(folder, release):
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), release]
    subprocess.run(download, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


@contextmanager
def running(folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "no_proxy": "127.0.0.1"}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        yield process
        process.stdin.close()


@pytest.fixture(scope="module")
def of_pages(tmp_path_factory):
    with running(unpacked(tmp_path_factory.mktemp("cinemagoer"), "cinemagoer==2023.5.1")) as process:
        yield process


@pytest.fixture(scope="module")
def of_today(tmp_path_factory):
    with running(unpacked(tmp_path_factory.mktemp("cinemagoer"), "cinemagoer>=2025")) as process:
        yield process


@pytest.fixture
def web():
    with fake_web() as web:
        reviews = [
            review(1, "The first one.", day=1, rating=9, author="ann"),
            review(2, "The <b>second</b> & newer one.", day=40, rating=3, author="bob"),
        ]
        web.add(FARGO[2], reviews=reviews)
        yield web


def run(client, web, *films, since=None, limit=100, **settings):
    """Whether the source works, what came of each film, and who blocks."""
    print(json.dumps([web.url, films, since, limit, settings]), file=client.stdin, flush=True)
    return json.loads(client.stdout.readline())


def test_todays_release_is_unsupported_and_says_why(of_today, web):
    (works, reason), told, _ = run(of_today, web, FARGO)
    assert (works, told) == (False, [])
    assert "hold no reviews" in reason
    assert "2023.5.1 is the last release" in reason
    assert web.asked == []


def test_where_it_is_not_installed_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "imdb", None)
    with CachedClient(QUICK) as fetcher:
        check = ImdbpySource(ImdbpyConfig(), fetcher).check()
    assert not check.works
    assert "not installed" in check.reason


def test_the_last_release_that_asks_pages_reads_reviews(of_pages, web):
    check, [[outcome, _, reviews]], blocked = run(of_pages, web, FARGO)
    assert check == [True, ""]
    assert outcome == "ok"
    assert blocked == {}
    assert [(each["text"], each["rating"], each["author"], each["written_at"]) for each in reviews] == [
        ("The <b>second</b> & newer one.", 3, "ur0000002", "2024-02-10 00:00:00+00:00"),
        ("The first one.", 9, "ur0000001", "2024-01-02 00:00:00+00:00"),
    ]
    assert [each["source_review_id"] for each in reviews] == ["tt0116282/ur0000002", "tt0116282/ur0000001"]
    assert not any(each["training_allowed"] for each in reviews)
    assert [ask.path for ask in web.asked] == ["/robots.txt", "/title/tt0116282/reviews"]
    assert {ask.headers["user-agent"].split()[0] for ask in web.asked} == {"latentflix"}


def test_a_film_without_an_id_is_searched_for_by_title_and_year(of_pages, web):
    web.add("tt2802850", "Fargo", 2014)
    _, [[outcome, _, reviews], [unknown, reason, _]], _ = run(
        of_pages, web, ("Fargo (1996)", None, None), ("Fargo (1960)", None, None)
    )
    assert (outcome, {each["tconst"] for each in reviews}) == ("ok", {"tt0116282"})
    assert unknown == "not_covered"
    assert "found: none" in reason
    assert [ask.query["q"] for ask in web.asked if ask.path == "/find/"] == ["Fargo", "Fargo"]


def test_only_newer_reviews_and_so_many_are_given(of_pages, web):
    _, [[_, _, newer]], _ = run(of_pages, web, FARGO, since="2024-01-15T00:00:00+00:00")
    assert len(newer) == 1
    _, [[_, _, newest]], _ = run(of_pages, web, FARGO, limit=1, training_licence="contract 17")
    assert [(each["text"][:14], each["training_allowed"]) for each in newest] == [("The <b>second<", True)]


@pytest.mark.parametrize("name", ["202 empty", "401", "403", "empty", "invalid JSON", "junk"])
def test_a_wall_is_met_once_and_not_taken_for_no_reviews(of_pages, web, name):
    web.tell("/title", Mood() if name == "empty" else mood(name))
    _, told, blocked = run(of_pages, web, FARGO, FARGO)
    assert [outcome for outcome, _, _ in told] == ["blocked", "blocked"]
    assert list(blocked) == [web.url.removeprefix("http://")]
    assert web.count("/title") == 1


@pytest.mark.parametrize("name", ["429 seconds", "429 date", "500", "503", "cut short", "silence", "closed"])
def test_what_may_pass_is_asked_once_and_left_to_whoever_retries(of_pages, web, name):
    web.tell("/title", mood(name))
    _, [[outcome, _, retry_after]], blocked = run(of_pages, web, FARGO)
    assert outcome == "TransientFetchError"
    assert (retry_after is not None) == name.startswith("429")
    assert blocked == {}
    assert web.count("/title") == 1


def test_a_wall_before_the_search_blocks_too(of_pages, web):
    web.tell("/find", mood("202 empty"))
    _, told, _ = run(of_pages, web, ("Fargo", 1996, None), FARGO)
    assert [outcome for outcome, _, _ in told] == ["blocked", "blocked"]
    assert web.count() == 1


def test_robots_txt_is_honoured(of_pages, web):
    web.robots = "User-agent: *\nDisallow: /title/\n"
    _, [[outcome, reason, _]], _ = run(of_pages, web, FARGO)
    assert outcome == "blocked"
    assert "robots.txt forbids" in reason
    assert web.count("/title") == 0


def test_what_is_no_imdb_id_is_never_asked_about(of_pages, web):
    _, [[outcome, _, _]], _ = run(of_pages, web, ("Fargo", 1996, "nm0000001"))
    assert outcome == "not_covered"
    assert web.asked == []


def test_a_page_that_is_not_there_covers_no_film(of_pages, web):
    _, [[outcome, _, _], [other, _, _]], _ = run(of_pages, web, ("Heat", 1995, "tt0113277"), FARGO)
    assert (outcome, other) == ("not_covered", "ok")
