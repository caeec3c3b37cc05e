import json
import logging
import traceback
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from latentflix.errors import SettingsError, TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.sources import tmdb as tmdb_source
from latentflix.reviews.sources.protocol import Answer, Film, query
from latentflix.reviews.sources.tmdb import TMDB, TmdbConfig, TmdbSource, authenticate, read_keys
from tests.support.fake_web import (
    QUICK,
    TMDB_KEY,
    TMDB_TOKEN,
    Response,
    failure_mode,
    review,
    reviews_of,
    tmdb_keys,
)
from tests.support.hostile_json import Answering, check_answer, nearly

FARGO = Film("Fargo", 1996, "tt0116282")
KEYS = {"version 3": TMDB_KEY, "version 4": TMDB_TOKEN}


@pytest.fixture
def web(web):
    web.add(FARGO.tconst, reviews=[review(number, f"text {number}", day=100 - number) for number in range(45)])
    return web


def tmdb(web, client, key=TMDB_TOKEN, **settings):
    return TmdbSource(TmdbConfig(url=web.url, **settings), client, tmdb_keys(web, key))


@pytest.mark.parametrize("newest_first", [True, False])
def test_all_pages_are_read_and_the_newest_reviews_come_first(web, client, newest_first):
    web.films[FARGO.tconst].reviews.sort(key=lambda review: review["updated_at"], reverse=newest_first)
    answer = tmdb(web, client).fetch(FARGO, "")
    assert answer.outcome == "ok"
    assert [review.text for review in answer.reviews] == [f"text {number}" for number in range(45)]
    assert [request.query.get("page") for request in web.requests] == [None, "1", "2", "3"]
    assert web.requests[0].query == {"external_source": "imdb_id"}


def test_a_review_names_its_origin_and_training_is_allowed_only_with_a_licence(web, client):
    found, *_ = tmdb(web, client).fetch(FARGO, "").reviews
    assert (found.tconst, found.source, found.kind) == ("tt0116282", "tmdb", "review")
    assert (found.author, found.rating) == ("someone", 7.0)
    assert found.written_at == datetime(2024, 4, 10, tzinfo=UTC)
    assert found.url == f"https://www.themoviedb.org/review/{found.source_review_id}"
    assert "not endorsed or certified by TMDB" in found.attribution

    licensed, *_ = tmdb(web, client, training_licence="contract 17").fetch(FARGO, "").reviews
    assert not found.training_allowed
    assert licensed.training_allowed
    assert "contract 17" in licensed.attribution


def test_an_unchanged_film_takes_one_request_and_returns_nothing(web, client):
    source = tmdb(web, client)
    marker = source.fetch(FARGO, "").marker
    web.requests.clear()
    assert source.fetch(FARGO, marker) == Answer("ok", marker=marker)
    assert [request.path for request in web.requests] == ["/3/movie/1/reviews"]


def edit_first(reviews):
    reviews[0] |= {"content": "edited", "updated_at": "2025-01-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    "change",
    [
        lambda reviews: reviews.insert(0, review(99, "the newest", day=200)),
        lambda reviews: reviews.append(review(99, "of an earlier day", day=1)),
        lambda reviews: reviews.pop(),
        edit_first,
    ],
    ids=["a new review", "a new one of an earlier day", "one less", "an edited one"],
)
def test_all_reviews_are_returned_again_when_any_has_changed(web, client, change):
    source = tmdb(web, client)
    marker = source.fetch(FARGO, "").marker
    change(web.films[FARGO.tconst].reviews)
    answer = source.fetch(FARGO, marker)
    assert len(answer.reviews) == len(web.films[FARGO.tconst].reviews)
    assert answer.marker not in ("", marker)


def test_reviews_are_returned_again_with_a_later_licence_and_after_a_marker_of_unknown_form(web, client):
    marker = tmdb(web, client).fetch(FARGO, "").marker
    licensed = tmdb(web, client, training_licence="contract 17").fetch(FARGO, marker).reviews
    assert len(licensed) == 45
    assert licensed[0].training_allowed
    assert len(tmdb(web, client).fetch(FARGO, "../../3/account").reviews) == 45


def test_an_edit_on_a_later_page_is_read_in_the_next_month(web, client, monkeypatch):
    source = tmdb(web, client)
    marker = source.fetch(FARGO, "").marker
    web.films[FARGO.tconst].reviews[40]["content"] = "edited"
    assert source.fetch(FARGO, marker).reviews == ()
    monkeypatch.setattr(tmdb_source, "_this_month", lambda: "2099-01")
    assert "edited" in [review.text for review in source.fetch(FARGO, marker).reviews]


def test_without_an_etag_all_reviews_are_returned_each_time(web, client):
    web.respond("/3/movie", Response(body=json.dumps(reviews_of(web.films[FARGO.tconst], 1)).encode()))
    answer = tmdb(web, client, max_pages=1).fetch(FARGO, "")
    assert (len(answer.reviews), answer.marker) == (20, "")


def test_reviews_on_more_pages_than_are_read_are_counted_and_read_when_more_pages_may_be(web, client):
    answer = tmdb(web, client, max_pages=2).fetch(FARGO, "")
    assert (len(answer.reviews), answer.remaining, answer.marker) == (40, 5, "")
    assert "--sources.tmdb.max-pages 2" in answer.reason
    assert len(tmdb(web, client, max_pages=3).fetch(FARGO, answer.marker).reviews) == 45


def test_a_review_that_moved_to_the_next_page_is_returned_once_and_the_answer_not_taken_for_complete(web, client):
    reviews = web.films[FARGO.tconst].reviews
    reviews.insert(20, reviews[19])
    answer = tmdb(web, client).fetch(FARGO, "")
    assert (len(answer.reviews), answer.marker) == (45, "")


def test_a_rating_out_of_bounds_is_dropped(web, client):
    web.films[FARGO.tconst].reviews = [review(1, "too good", rating=1000.0)]
    (found,) = tmdb(web, client).fetch(FARGO, "").reviews
    assert (found.text, found.rating) == ("too good", None)


def test_a_film_without_reviews_is_empty_and_texts_are_not_changed(web, client):
    text = "<script>alert('x')</script>\x00\x07 <b>bold</b> naïve \U0001f600"
    web.films[FARGO.tconst].reviews = [review(1, text), review(2, "  \n")]
    assert [review.text for review in tmdb(web, client).fetch(FARGO, "").reviews] == [text]
    web.films[FARGO.tconst].reviews = []
    nothing = tmdb(web, client).fetch(FARGO, "")
    assert nothing.outcome == "empty"
    assert tmdb(web, client).fetch(FARGO, nothing.marker) == nothing
    assert tmdb(web, client).fetch(Film("Fargo", 1996, "tt9999999"), "").outcome == "not_covered"


@pytest.mark.parametrize("tconst", [None, "nm0000001"])
def test_no_request_is_sent_without_an_imdb_id(web, client, tconst):
    assert query(tmdb(web, client), Film("Fargo", 1996, tconst), "").outcome == "not_covered"
    assert web.count() == 0


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr("  ")])
def test_without_a_key_the_source_is_unavailable_and_says_how_to_get_one(client, key):
    found = TmdbSource(TmdbConfig(), client, read_keys(key, key)).availability()
    assert not found.available
    assert "themoviedb.org/settings/api" in found.reason


@pytest.mark.parametrize(
    "url, has_key",
    [
        ("https://api.themoviedb.org", True),
        ("https://API.themoviedb.org:443/mirror", True),
        *(
            (url, False)
            for url in (
                "http://api.themoviedb.org",
                "https://api.themoviedb.org:8443",
                "https://api.themoviedb.org.example.org",
                "https://api.themoviedb.org@example.org",
                "https://example.org/api.themoviedb.org",
            )
        ),
    ],
)
def test_the_key_is_for_tmdbs_own_address_with_encryption_alone(url, has_key):
    sent = []
    with CachedClient(QUICK) as client:
        client.auth._transport = httpx.MockTransport(lambda request: sent.append(request) or httpx.Response(404))
        source = TmdbSource(TmdbConfig(url=url), client, read_keys(SecretStr(TMDB_TOKEN), None))
        assert query(source, FARGO, "").outcome == "not_covered"
    assert source.availability().available == has_key
    assert has_key or "requires a key of its own" in source.availability().reason
    assert [TMDB_TOKEN in request.headers.get("Authorization", "") for request in sent] == [has_key]


def test_another_address_has_the_key_that_its_secret_names_it_with(web, client):
    keys = read_keys(SecretStr("f" * 32), SecretStr(f"{web.url}/ {TMDB_TOKEN}\n"))
    assert {url: key.get_secret_value() for url, key in keys.items()} == {TMDB: "f" * 32, web.url: TMDB_TOKEN}
    assert query(TmdbSource(TmdbConfig(url=web.url), client, keys), FARGO, "").outcome == "ok"
    (other, _), *_ = read_keys(None, SecretStr(f"https://Tmdb.example.org:443/3 {TMDB_KEY}")).items()
    assert other == "https://tmdb.example.org"


@pytest.mark.parametrize(
    "key, elsewhere",
    [
        *(
            (None, f"{address} {TMDB_KEY}")
            for address in ("http://example.org", "example.org", "ftp://x", "https://[::1")
        ),
        (None, TMDB_KEY),
        *((f"{TMDB_KEY}{sign}{TMDB_KEY}", None) for sign in ("\n", " ", "\x00", "é", "/")),
        (TMDB_KEY[:15], None),
        (None, f"https://example.org {TMDB_KEY}\n{TMDB_KEY}"),
    ],
)
def test_malformed_keys_are_refused_unseen(key, elsewhere):
    with pytest.raises(SettingsError) as failure:
        read_keys(key and SecretStr(key), elsewhere and SecretStr(elsewhere))
    assert TMDB_KEY[:15] not in "".join(traceback.format_exception(failure.value))


def test_a_wrong_key_blocks_and_is_not_tried_again(web, client):
    source = tmdb(web, client, "f" * 32)
    assert [query(source, FARGO, "").outcome for _ in range(3)] == ["blocked"] * 3
    assert web.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        '{"results": [{"id": "a"}], "total_pages": 1, "total_results": 1}',
        '{"results": [], "total_pages": -1, "total_results": 0}',
    ],
)
def test_malformed_reviews_are_an_error(web, client, body):
    web.respond("/3/movie", Response(body=body.encode()))
    assert query(tmdb(web, client), FARGO, "").outcome == "error"


@pytest.mark.parametrize("version", KEYS)
@pytest.mark.parametrize("trouble", [None, "500", "403", "invalid JSON", "closed", "moved"])
def test_only_tmdb_sees_the_key(web, tmp_path, caplog, version, trouble):
    key = KEYS[version]
    # At DEBUG, httpcore logs the headers of responses, one of which holds the key here.
    caplog.set_level(logging.INFO if trouble == "moved" else logging.DEBUG)
    if trouble == "moved":
        target = f"/3/elsewhere?page=1&api_key={TMDB_KEY}"
        web.respond("/3/movie", Response(301, (("Location", target),)))
    elif trouble:
        web.respond("/3/movie", failure_mode(trouble))
    with CachedClient(QUICK, tmp_path) as client:
        source = tmdb(web, client, key)
        try:
            shown = repr(query(source, FARGO, ""))
        except TransientFetchError as failure:
            shown = "".join(traceback.format_exception(failure))
        shown += repr((vars(source), source, client.politeness.blocked, vars(client)))
    sent = web.requests[-1]
    assert (sent.query.get("api_key") == key) == (version == "version 3")
    assert (sent.headers.get("authorization") == f"Bearer {key}") == (version == "version 4")
    assert "/3/find/tt0116282" in caplog.text
    assert key not in caplog.text
    assert key not in shown
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_the_key_is_added_to_a_copy_of_the_request():
    request = httpx.Request("GET", "https://api.themoviedb.org/3/find/tt1", headers={"Accept": "x"})
    sent = authenticate(SecretStr(TMDB_KEY), request)
    assert sent.headers["Accept"] == "x"
    assert TMDB_KEY in str(sent.url)
    assert TMDB_KEY not in str(request.url)


FOUND = {"movie_results": [{"id": 1, "title": "Fargo"}], "tv_results": []}
REVIEWS = {"id": 1, "page": 1, "results": [review(1, "text"), review(2, "more")], "total_pages": 1, "total_results": 2}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(nearly(FOUND) | st.just(json.dumps(FOUND).encode()), nearly(REVIEWS))
def test_any_answer_gives_reviews_that_can_be_stored_or_a_reason(found, reviews):
    client = Answering({"/3/find": found, "/3/movie": reviews})
    check_answer(TmdbSource(TmdbConfig(), client, {}), FARGO)


@pytest.mark.parametrize("time", [2004, 20040503, "2004", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_none_makes_a_malformed_review(time):
    reviews = REVIEWS | {"results": [review(1, "text") | {"updated_at": time}]}
    client = Answering({"/3/find": json.dumps(FOUND).encode(), "/3/movie": json.dumps(reviews).encode()})
    answer = query(TmdbSource(TmdbConfig(), client, {}), FARGO, "")
    assert (answer.outcome, answer.reviews) == ("error", ())
