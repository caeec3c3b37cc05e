"""Every mood of the web, from the request through Prefect's retries to what stands in the store."""

import pytest
from prefect import flow
from pydantic import SecretStr

from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.refresh import Batch, RefreshConfig
from latentflix.reviews.sources.protocol import Film
from latentflix.reviews.sources.tmdb import TmdbConfig, TmdbSource
from latentflix.reviews.store import ReviewStore
from tasks.refresh import run_batches
from tests.support.fake_web import QUICK
from tests.support.fake_web import TMDB_KEY, Response, fake_web, failure_mode, review

pytestmark = pytest.mark.usefixtures("prefect")

FILMS = [Film("Heat", 1995, "tt0113277"), Film("Fargo", 1996, "tt0116282")]
RETRIES = 2
CONFIG = RefreshConfig(retries=RETRIES, backoff=0.01, workers=1, longest_rest=1)
# How often the film is asked about, and what is written down of it.
MAY_PASS = dict.fromkeys(["500", "503", "cut short", "silence", "closed"], (1 + RETRIES, "error"))
TOO_LONG_A_REST = dict.fromkeys(["429 seconds", "429 date"], (1, "error"))
FINAL = {
    **dict.fromkeys(["202 empty", "401", "403"], (1, "blocked")),
    **dict.fromkeys(["invalid JSON", "junk", "301"], (1, "error")),
    "404": (1, "not_covered"),
}
EVERY = {**MAY_PASS, **TOO_LONG_A_REST, **FINAL}


@pytest.fixture
def web():
    with fake_web() as web:
        for number, film in enumerate(FILMS):
            web.add(film.tconst, film.title, film.year, reviews=[review(number, f"{film.title} is a fine film.")])
        yield web


@pytest.fixture
def store(tmp_path):
    return ReviewStore(str(tmp_path / "store"))


def refresh(web, store, config=CONFIG):
    with CachedClient(QUICK) as client:
        source = TmdbSource(TmdbConfig(url=web.url), client, SecretStr(TMDB_KEY))
        batch = Batch(FILMS, store, [source], config)
        flow(lambda: run_batches([batch], config), name="moods", persist_result=False)()


def stored(store):
    return sorted(store.read([film.tconst for film in FILMS])["tconst"])


def outcomes(store):
    return store.last_attempts().set_index("tconst")["outcome"].to_dict()


@pytest.mark.parametrize("name", EVERY)
def test_a_film_is_asked_about_as_often_as_it_may_help_and_costs_no_other(web, store, name):
    moved = Response(301, (("Location", "http://127.0.0.1:9/3/movie/2/reviews"),))
    web.respond("/3/movie/2/", moved if name == "301" else failure_mode(name))
    refresh(web, store)
    asked, outcome = EVERY[name]
    assert web.count("/3/movie/2/") == asked
    assert outcomes(store) == {FILMS[0].tconst: "ok", FILMS[1].tconst: outcome}
    assert stored(store) == [FILMS[0].tconst]


@pytest.mark.parametrize("name", [*MAY_PASS, *TOO_LONG_A_REST])
def test_what_passes_is_made_good_within_the_refresh(web, store, name):
    web.respond("/3/movie/2/", failure_mode(name), times=1)
    refresh(web, store, CONFIG.model_copy(update={"longest_rest": 10}))
    assert web.count("/3/movie/2/") == 2
    assert outcomes(store) == {film.tconst: "ok" for film in FILMS}
    assert stored(store) == [film.tconst for film in FILMS]


@pytest.mark.parametrize("name", ["500", "403", "429 seconds"])
def test_the_next_refresh_brings_what_this_one_could_not(web, store, name):
    web.respond("/3/movie/2/", failure_mode(name), times=1 + RETRIES if name == "500" else 1)
    refresh(web, store)
    assert stored(store) == [FILMS[0].tconst]
    refresh(web, store)
    assert stored(store) == [film.tconst for film in FILMS]
    assert outcomes(store) == {film.tconst: "ok" for film in FILMS}
