"""Every failure mode of the web, from the request through Prefect's retries to the contents of the store."""

import pytest
from prefect import flow

from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.refresh import Batch, RefreshConfig
from latentflix.reviews.sources.protocol import Film
from latentflix.reviews.sources.tmdb import TmdbConfig, TmdbSource
from latentflix.reviews.store import ReviewStore
from tasks.reviews import refresh_batches
from tests.support.fake_web import QUICK, Response, failure_mode, fake_web, review, tmdb_keys

pytestmark = pytest.mark.usefixtures("prefect")

FILMS = [Film("Heat", 1995, "tt0113277"), Film("Fargo", 1996, "tt0116282")]
RETRIES = 2
CONFIG = RefreshConfig(retries=RETRIES, backoff=0.01, workers=1, longest_pause=1)
# How often the film is queried, and the outcome that is recorded.
TRANSIENT = dict.fromkeys(["500", "503", "cut short", "silence", "closed"], (1 + RETRIES, "error"))
TOO_LONG_A_PAUSE = dict.fromkeys(["429 seconds", "429 date"], (1, "error"))
PERMANENT = {
    **dict.fromkeys(["202 empty", "401", "403"], (1, "blocked")),
    **dict.fromkeys(["invalid JSON", "junk", "301"], (1, "error")),
    "404": (1, "not_covered"),
}
ALL_MODES = {**TRANSIENT, **TOO_LONG_A_PAUSE, **PERMANENT}


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
        source = TmdbSource(TmdbConfig(url=web.url), client, tmdb_keys(web))
        batch = Batch(FILMS, store, [source], config)
        flow(lambda: refresh_batches([batch], config), name="failures", persist_result=False)()


def stored(store):
    return sorted(store.read([film.tconst for film in FILMS])["tconst"])


def outcomes(store):
    return store.last_attempts().set_index("tconst")["outcome"].to_dict()


@pytest.mark.parametrize("name", ALL_MODES)
def test_a_film_is_queried_as_often_as_it_may_help_and_affects_no_other(web, store, name):
    moved = Response(301, (("Location", "http://127.0.0.1:9/3/movie/2/reviews"),))
    web.respond("/3/movie/2/", moved if name == "301" else failure_mode(name))
    refresh(web, store)
    n_queries, outcome = ALL_MODES[name]
    assert web.count("/3/movie/2/") == n_queries
    assert outcomes(store) == {FILMS[0].tconst: "ok", FILMS[1].tconst: outcome}
    assert stored(store) == [FILMS[0].tconst]


@pytest.mark.parametrize("name", [*TRANSIENT, *TOO_LONG_A_PAUSE])
def test_transient_failures_are_retried_within_the_refresh(web, store, name):
    web.respond("/3/movie/2/", failure_mode(name), times=1)
    refresh(web, store, CONFIG.model_copy(update={"longest_pause": 10}))
    assert web.count("/3/movie/2/") == 2
    assert outcomes(store) == {film.tconst: "ok" for film in FILMS}
    assert stored(store) == [film.tconst for film in FILMS]


@pytest.mark.parametrize("name", ["500", "403", "429 seconds"])
def test_the_next_refresh_queries_the_films_that_failed(web, store, name):
    web.respond("/3/movie/2/", failure_mode(name), times=1 + RETRIES if name == "500" else 1)
    refresh(web, store)
    assert stored(store) == [FILMS[0].tconst]
    refresh(web, store)
    assert stored(store) == [film.tconst for film in FILMS]
    assert outcomes(store) == {film.tconst: "ok" for film in FILMS}
