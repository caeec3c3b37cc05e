import json
import re
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from latentflix.errors import TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.sources.protocol import Film
from latentflix.reviews.sources.wikipedia import WikipediaConfig, WikipediaSource, find_sections
from tests.reviews.http.test_politeness import FAILING, QUICK
from tests.support.fake_web import Mood, fake_web, mood

ARTICLE = """Fargo is a 1996 black comedy crime film.


== Plot ==
A car salesman hires two criminals.

A police chief investigates.


== Release ==


=== Box office ===
It grossed $60 million.


== Reception ==


=== Critical response ===
Critics praised it.


==== Retrospect ====
They still do.


=== Accolades ===
It won prizes.


== See also ==
Other films
"""
FARGO = Film("Fargo", 1996, "tt0116282")
FILMS = [Film(f"Film {number}", 1990, f"tt{number:07d}") for number in range(1, 8)]


@pytest.fixture
def web():
    with fake_web() as web:
        web.add(FARGO.tconst, extract=ARTICLE)
        for film in FILMS[:6]:
            web.add(film.tconst, film.title, film.year, extract=f"== Plot ==\nThe plot of {film.title}.")
        yield web


@pytest.fixture
def fetcher(web):
    with CachedClient(QUICK) as fetcher:
        yield fetcher


def wikipedia(web, fetcher, films=(), **settings):
    urls = {"wikidata_url": f"{web.url}/sparql", "wikipedia_url": f"{web.url}/w/api.php"}
    return WikipediaSource(WikipediaConfig(**urls, **settings), fetcher, films)


def test_reception_and_plot_are_texts_of_their_own_kind(web, fetcher):
    answer = wikipedia(web, fetcher).fetch(FARGO, None, 10)
    assert answer.outcome == "ok"
    assert {review.kind: review.text for review in answer.reviews} == {
        "reception": "Critics praised it.\nThey still do.",
        "plot": "A car salesman hires two criminals.\nA police chief investigates.",
    }


def test_a_text_carries_what_its_licence_asks_for(web, fetcher):
    web.films[FARGO.tconst].revision = 1234
    reception, plot = wikipedia(web, fetcher).fetch(FARGO, None, 10).reviews
    address = "https://en.wikipedia.org/wiki/Fargo_(1996_film)"
    assert reception.url == address
    for part in ("“Fargo (1996 film)”", "revision 1234", "CC BY-SA 4.0", address):
        assert part in reception.attribution
    assert reception.training_allowed
    assert reception.written_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert reception.review_id != plot.review_id


def test_an_edited_article_keeps_its_ids(web, fetcher):
    source = wikipedia(web, fetcher)
    before = source.fetch(FARGO, None, 10).reviews
    web.films[FARGO.tconst].extract = ARTICLE.replace("Critics", "All critics")
    after = source.fetch(FARGO, None, 10).reviews
    assert [review.review_id for review in before] == [review.review_id for review in after]
    assert before[0].content_sha256 != after[0].content_sha256


def test_wikidata_is_asked_about_many_films_at_once(web, fetcher):
    source = wikipedia(web, fetcher, FILMS, batch_size=4)
    outcomes = [source.fetch(film, None, 10).outcome for film in FILMS]
    assert outcomes == ["ok"] * 6 + ["not_covered"]
    asked = [re.findall(r"tt\d+", ask.query["query"]) for ask in web.asked if ask.path == "/sparql"]
    assert asked == [[film.tconst for film in FILMS[:4]], [film.tconst for film in FILMS[4:]]]


def test_each_text_belongs_to_the_film_that_was_asked_about(web, fetcher):
    source = wikipedia(web, fetcher, FILMS)
    for film in reversed(FILMS[:6]):
        (plot,) = source.fetch(film, None, 10).reviews
        assert (plot.tconst, plot.text) == (film.tconst, f"The plot of {film.title}.")


def test_the_etiquette_of_wikipedia_is_followed(web, fetcher):
    wikipedia(web, fetcher).fetch(FARGO, None, 10)
    (asked,) = (ask for ask in web.asked if ask.path == "/w/api.php")
    assert asked.query["maxlag"] == "5"
    assert "gzip" in asked.headers["accept-encoding"]
    assert QUICK.contact in asked.headers["user-agent"]
    assert asked.query["redirects"] == "1"


def test_nobody_is_asked_without_a_contact(web):
    with CachedClient(QUICK.model_copy(update={"contact": ""})) as fetcher:
        check = wikipedia(web, fetcher).check()
    assert not check.works
    assert "contact" in check.reason


def test_a_lagging_wikipedia_is_left_alone_as_long_as_it_says(web, fetcher):
    busy = {"error": {"code": "maxlag", "info": "Waiting for a database: 7 seconds lagged.", "lag": 7}}
    web.tell("/w/api.php", Mood(headers=(("Retry-After", "5"),), body=json.dumps(busy).encode()), times=1)
    source = wikipedia(web, fetcher)
    with pytest.raises(TransientFetchError, match="7 seconds lagged") as failure:
        source.fetch(FARGO, None, 10)
    assert failure.value.retry_after == 5.0
    assert web.count("/w/api.php") == 1


@pytest.mark.parametrize(
    "body, outcome",
    [
        ({"error": {"code": "badvalue", "info": "no such format"}}, "error"),
        ({"batchcomplete": True}, "error"),
        ({"query": {"pages": []}}, "error"),
        ({"query": {"pages": [{"ns": 0, "title": "Fargo (1996 film)", "missing": True}]}}, "not_covered"),
    ],
)
def test_what_wikipedia_says_instead_of_an_article_is_understood(web, fetcher, body, outcome):
    web.tell("/w/api.php", Mood(body=json.dumps(body).encode()))
    answer = wikipedia(web, fetcher).fetch(FARGO, None, 10)
    assert answer.outcome == outcome
    assert answer.reason


def test_a_film_without_an_article_is_not_covered(web, fetcher):
    assert wikipedia(web, fetcher).fetch(FILMS[6], None, 10).outcome == "not_covered"
    assert web.count("/w/api.php") == 0


@pytest.mark.parametrize("tconst", [None, "", 'tt1" } DROP', "nm0000001", "tt12"])
def test_what_is_no_imdb_id_is_never_asked_about(web, fetcher, tconst):
    films = [Film("Fargo", 1996, tconst)]
    assert wikipedia(web, fetcher, films).fetch(films[0], None, 10).outcome == "not_covered"
    assert web.count() == 0


def test_a_film_with_several_articles_is_not_guessed_at(web, fetcher):
    bindings = [{"tconst": {"value": FARGO.tconst}, "title": {"value": title}} for title in ("Fargo", "Fargo (novel)")]
    web.tell("/sparql", Mood(body=json.dumps({"results": {"bindings": bindings}}).encode()))
    answer = wikipedia(web, fetcher).fetch(FARGO, None, 10)
    assert answer.outcome == "not_covered"
    assert "Fargo, Fargo (novel)" in answer.reason


def test_an_article_that_tells_nothing_is_empty(web, fetcher):
    web.films[FARGO.tconst].extract = "Fargo is a film.\n\n== Cast ==\nMany people"
    assert wikipedia(web, fetcher).fetch(FARGO, None, 10).outcome == "empty"


def test_only_an_article_that_was_edited_since_is_given(web, fetcher):
    source = wikipedia(web, fetcher)
    same = source.fetch(FARGO, datetime(2024, 5, 1, 10, tzinfo=UTC), 10)
    assert (same.outcome, same.reviews) == ("ok", ())
    assert len(source.fetch(FARGO, datetime(2024, 5, 1, 9, tzinfo=UTC), 10).reviews) == 2
    assert len(source.fetch(FARGO, None, 1).reviews) == 1


@pytest.mark.parametrize("path", ["/sparql", "/w/api.php"])
@pytest.mark.parametrize("name", FAILING)
def test_what_may_pass_is_asked_once_and_left_to_whoever_retries(web, fetcher, path, name):
    web.tell(path, mood(name))
    with pytest.raises(TransientFetchError):
        wikipedia(web, fetcher, FILMS).fetch(FILMS[0], None, 10)
    assert web.count(path) == 1


def test_a_batch_that_failed_is_asked_for_again(web, fetcher):
    web.tell("/sparql", mood("500"), times=1)
    source = wikipedia(web, fetcher, FILMS)
    with pytest.raises(TransientFetchError):
        source.fetch(FILMS[0], None, 10)
    assert source.fetch(FILMS[0], None, 10).outcome == "ok"


@pytest.mark.parametrize("path", ["/sparql", "/w/api.php"])
@pytest.mark.parametrize(
    "name, outcome",
    [
        ("202 empty", "blocked"),
        ("403", "blocked"),
        ("404", "not_covered"),
        ("invalid JSON", "error"),
        ("junk", "error"),
    ],
)
def test_what_will_not_pass_is_asked_once_and_said(web, fetcher, path, name, outcome):
    web.tell(path, mood(name))
    answer = wikipedia(web, fetcher).fetch(FARGO, None, 10)
    assert answer.outcome == outcome
    assert web.count(path) == 1


@pytest.mark.parametrize(
    "extract, sections",
    [
        ("", {}),
        ("No headings at all.", {}),
        ("== Plot ==\n\n\n== Cast ==\nPeople", {}),
        ("== PLOT SUMMARY ==\nOne.", {"plot": "One."}),
        ("== Reception ==\nLiked.\n=== Box office ===\nMuch.", {"reception": "Liked.\nMuch."}),
        ("== Release ==\n=== Critical reception ===\nLiked.\n== Legacy ==\nLong.", {"reception": "Liked."}),
        ("== Plot ==\nFirst.\n== Plot ==\nSecond.", {"plot": "First."}),
        (
            "== Plot ==\n1 + 1 == 2, he says.\n== not closed\nStill.",
            {"plot": "1 + 1 == 2, he says.\n== not closed\nStill."},
        ),
    ],
)
def test_sections_are_found_by_their_headings(extract, sections):
    assert find_sections(extract) == sections


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"wikipedia_url": "en.wikipedia.org"}, {"wikidata_url": ""}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ValidationError):
        WikipediaConfig(**settings)
