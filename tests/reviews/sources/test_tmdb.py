import logging
import traceback
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from latentflix.errors import TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.sources.protocol import Film
from latentflix.reviews.sources.tmdb import TmdbAuth, TmdbConfig, TmdbSource
from tests.reviews.http.test_politeness import FAILING, QUICK
from tests.support.fake_web import TMDB_KEY, TMDB_TOKEN, Mood, fake_web, mood, review

FARGO = Film("Fargo", 1996, "tt0116282")
KEYS = {"version 3": TMDB_KEY, "version 4": TMDB_TOKEN}


@pytest.fixture
def web():
    with fake_web() as web:
        web.add(FARGO.tconst, reviews=[review(number, f"text {number}", day=100 - number) for number in range(45)])
        yield web


@pytest.fixture
def fetcher(web):
    with CachedClient(QUICK) as fetcher:
        yield fetcher


def tmdb(web, fetcher, key=TMDB_TOKEN, **settings):
    return TmdbSource(TmdbConfig(url=web.url, **settings), fetcher, SecretStr(key))


def test_all_pages_of_a_films_reviews_are_read(web, fetcher):
    answer = tmdb(web, fetcher).fetch(FARGO, None, 100)
    assert answer.outcome == "ok"
    assert [review.text for review in answer.reviews] == [f"text {number}" for number in range(45)]
    assert [ask.query.get("page") for ask in web.asked] == [None, "1", "2", "3"]
    assert web.asked[0].query == {"external_source": "imdb_id"}


def test_a_review_says_where_it_came_from(web, fetcher):
    (found,) = tmdb(web, fetcher).fetch(FARGO, None, 1).reviews
    assert (found.tconst, found.source, found.kind) == ("tt0116282", "tmdb", "review")
    assert (found.author, found.rating) == ("someone", 7.0)
    assert found.written_at == datetime(2024, 4, 10, tzinfo=UTC)
    assert found.url == f"https://www.themoviedb.org/review/{found.source_review_id}"
    assert "not endorsed or certified by TMDB" in found.attribution


def test_the_newest_come_first_in_whatever_order_they_are_sent(web, fetcher):
    web.films[FARGO.tconst].reviews.reverse()
    reviews = tmdb(web, fetcher).fetch(FARGO, None, 3).reviews
    assert [review.text for review in reviews] == ["text 0", "text 1", "text 2"]


def test_only_what_was_written_or_changed_since_is_given(web, fetcher):
    web.films[FARGO.tconst].reviews[40]["updated_at"] = "2025-01-01T00:00:00.000Z"
    source = tmdb(web, fetcher)
    reviews = source.fetch(FARGO, datetime(2024, 4, 7, tzinfo=UTC), 100).reviews
    assert [review.text for review in reviews] == ["text 40", "text 0", "text 1", "text 2"]
    unchanged = source.fetch(FARGO, datetime(2026, 1, 1, tzinfo=UTC), 100)
    assert (unchanged.outcome, unchanged.reviews) == ("ok", ())


def test_no_more_pages_are_read_than_may_be(web, fetcher):
    assert len(tmdb(web, fetcher, max_pages=2).fetch(FARGO, None, 100).reviews) == 40


def test_a_review_that_moved_to_the_next_page_meanwhile_comes_once(web, fetcher):
    reviews = web.films[FARGO.tconst].reviews
    reviews.insert(20, reviews[19])
    assert len(tmdb(web, fetcher).fetch(FARGO, None, 100).reviews) == 45


def test_reviews_come_as_they_were_written(web, fetcher):
    text = "<script>alert('x')</script>\x00\x07 <b>bold</b> naïve \U0001f600"
    web.films[FARGO.tconst].reviews = [review(1, text), review(2, "  \n")]
    assert [review.text for review in tmdb(web, fetcher).fetch(FARGO, None, 100).reviews] == [text]


@pytest.mark.parametrize("film", [Film("Fargo", 1996, "tt9999999"), Film("Fargo", 1996)])
def test_a_film_that_tmdb_does_not_know_is_not_covered(web, fetcher, film):
    assert tmdb(web, fetcher).fetch(film, None, 10).outcome == "not_covered"


@pytest.mark.parametrize("tconst", ["", "tt1/../../movie/1", "nm0000001", "tt0116282?x"])
def test_what_is_no_imdb_id_is_never_asked_about(web, fetcher, tconst):
    assert tmdb(web, fetcher).fetch(Film("Fargo", 1996, tconst), None, 10).outcome == "not_covered"
    assert web.count() == 0


def test_a_film_without_reviews_is_empty(web, fetcher):
    web.films[FARGO.tconst].reviews = []
    assert tmdb(web, fetcher).fetch(FARGO, None, 10).outcome == "empty"


def test_reviews_are_not_trained_on_unless_a_licence_is_named(web, fetcher):
    (closed,) = tmdb(web, fetcher).fetch(FARGO, None, 1).reviews
    (licensed,) = tmdb(web, fetcher, training_licence="contract 17").fetch(FARGO, None, 1).reviews
    assert not closed.training_allowed
    assert licensed.training_allowed
    assert "contract 17" in licensed.attribution


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr("  ")])
def test_without_a_key_it_does_not_work_and_says_how_to_get_one(fetcher, key):
    check = TmdbSource(TmdbConfig(), fetcher, key).check()
    assert not check.works
    assert "themoviedb.org/settings/api" in check.reason


@pytest.mark.parametrize("path", ["/3/find", "/3/movie"])
@pytest.mark.parametrize("name", FAILING)
def test_what_may_pass_is_asked_once_and_left_to_whoever_retries(web, fetcher, path, name):
    web.tell(path, mood(name))
    with pytest.raises(TransientFetchError):
        tmdb(web, fetcher).fetch(FARGO, None, 10)
    assert web.count(path) == 1


@pytest.mark.parametrize(
    "name, outcome",
    [
        ("202 empty", "blocked"),
        ("401", "blocked"),
        ("403", "blocked"),
        ("404", "not_covered"),
        ("invalid JSON", "error"),
        ("junk", "error"),
    ],
)
@pytest.mark.parametrize("path", ["/3/find", "/3/movie"])
def test_what_will_not_pass_is_asked_once_and_said(web, fetcher, path, name, outcome):
    web.tell(path, mood(name))
    answer = tmdb(web, fetcher).fetch(FARGO, None, 10)
    assert answer.outcome == outcome
    assert answer.reason
    assert answer.reviews == ()
    assert web.count(path) == 1


def test_a_wrong_key_blocks_and_is_not_tried_again(web, fetcher):
    source = tmdb(web, fetcher, "f" * 32)
    assert [source.fetch(FARGO, None, 10).outcome for _ in range(3)] == ["blocked"] * 3
    assert web.count() == 1


@pytest.mark.parametrize("body", ['{"results": [{"id": "a"}], "total_pages": 1}', '{"results": [], "total_pages": -1}'])
def test_reviews_of_another_form_are_an_error(web, fetcher, body):
    web.tell("/3/movie", Mood(body=body.encode()))
    assert tmdb(web, fetcher).fetch(FARGO, None, 10).outcome == "error"


@pytest.mark.parametrize("version", KEYS)
@pytest.mark.parametrize("trouble", [None, "500", "403", "invalid JSON", "closed", "moved"])
def test_the_key_is_told_to_tmdb_alone(web, tmp_path, caplog, version, trouble):
    key = KEYS[version]
    # httpcore's log of every header at the level DEBUG repeats where the host itself says the key.
    caplog.set_level(logging.INFO if trouble == "moved" else logging.DEBUG)
    if trouble == "moved":
        target = f"/3/elsewhere?page=1&api_key={TMDB_KEY}"
        web.tell("/3/movie", Mood(301, (("Location", target),)))
    elif trouble:
        web.tell("/3/movie", mood(trouble))
    with CachedClient(QUICK, tmp_path) as fetcher:
        source = tmdb(web, fetcher, key)
        try:
            told = repr(source.fetch(FARGO, None, 10))
        except TransientFetchError as failure:
            told = "".join(traceback.format_exception(failure))
        told += repr((vars(source), source, fetcher.blocked, vars(fetcher)))
    sent = web.asked[-1]
    assert (sent.query.get("api_key") == key) == (version == "version 3")
    assert (sent.headers.get("authorization") == f"Bearer {key}") == (version == "version 4")
    assert "/3/find/tt0116282" in caplog.text
    assert key not in caplog.text
    assert key not in told
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_the_key_shows_in_no_representation():
    signature = TmdbAuth(SecretStr(TMDB_KEY))
    assert TMDB_KEY not in repr(signature) + repr(vars(signature))
    request = httpx.Request("GET", "https://api.themoviedb.org/3/find/tt1", headers={"Accept": "x"})
    assert signature(request).headers["Accept"] == "x"
    assert TMDB_KEY not in str(request.url)


@pytest.mark.parametrize("settings", [{"key": "secret"}, {"max_pages": 0}, {"max_pages": 501}, {"url": "api"}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ValidationError):
        TmdbConfig(**settings)
