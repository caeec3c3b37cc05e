import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentflix.errors import TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.sources.protocol import Film, query
from latentflix.reviews.sources.wikipedia import WikipediaConfig, WikipediaSource, find_sections
from tests.support.fake_web import QUICK, Response
from tests.support.hostile_json import Answering, check_answer, nearly
from tests.support.scaling import growth

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
ARTICLE_TITLE = "Fargo (1996 film)"
SEVERAL = [{"tconst": {"value": FARGO.tconst}, "title": {"value": title}} for title in ("Fargo", "Fargo (novel)")]
FILMS = [Film(f"Film {number}", 1990, f"tt{number:07d}") for number in range(1, 8)]


@pytest.fixture
def web(web):
    web.add(FARGO.tconst, extract=ARTICLE)
    for film in FILMS[:6]:
        web.add(film.tconst, film.title, film.year, extract=f"== Plot ==\nThe plot of {film.title}.")
    return web


def wikipedia(web, client, films=(), **settings):
    urls = {"wikidata_url": f"{web.url}/sparql", "wikipedia_url": f"{web.url}/w/api.php"}
    return WikipediaSource(WikipediaConfig(**urls, **settings), client, films)


def test_reception_and_plot_are_separate_texts_with_the_attribution_that_their_licence_asks_for(web, client):
    web.films[FARGO.tconst].revision = 1234
    answer = wikipedia(web, client).fetch(FARGO, "")
    reception, plot = answer.reviews
    assert (answer.outcome, reception.kind, plot.kind) == ("ok", "reception", "plot")
    assert reception.text == "Critics praised it.\nThey still do."
    assert plot.text == "A car salesman hires two criminals.\nA police chief investigates."
    address = "https://en.wikipedia.org/wiki/Fargo_(1996_film)"
    assert reception.url == address
    for part in ("“Fargo (1996 film)”", "revision 1234", "CC BY-SA 4.0", address):
        assert part in reception.attribution
    assert reception.training_allowed
    assert reception.written_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert reception.review_id != plot.review_id


def test_an_edited_article_keeps_its_ids(web, client):
    source = wikipedia(web, client)
    before = source.fetch(FARGO, "").reviews
    web.films[FARGO.tconst].extract = ARTICLE.replace("Critics", "All critics")
    after = source.fetch(FARGO, "").reviews
    assert [review.review_id for review in before] == [review.review_id for review in after]
    assert before[0].content_sha256 != after[0].content_sha256


def test_wikidata_is_queried_for_many_films_at_once_and_each_text_belongs_to_the_requested_film(web, client):
    source = wikipedia(web, client, FILMS, batch_size=4)
    answers = [source.fetch(film, "") for film in FILMS]
    assert [answer.outcome for answer in answers] == ["ok"] * 6 + ["not_covered"]
    batches = [re.findall(r"tt\d+", request.query["query"]) for request in web.requests if request.path == "/sparql"]
    assert batches == [[film.tconst for film in FILMS[:4]], [film.tconst for film in FILMS[4:]]]
    for film in reversed(FILMS[:6]):
        (plot,) = source.fetch(film, "").reviews
        assert (plot.tconst, plot.text) == (film.tconst, f"The plot of {film.title}.")


def test_the_etiquette_of_wikipedia_is_followed(web, client):
    wikipedia(web, client).fetch(FARGO, "")
    (sent,) = (request for request in web.requests if request.path == "/w/api.php")
    assert sent.query["maxlag"] == "5"
    assert "gzip" in sent.headers["accept-encoding"]
    assert QUICK.contact in sent.headers["user-agent"]
    assert sent.query["redirects"] == "1"


def test_without_a_contact_the_source_is_unavailable(web):
    with CachedClient(QUICK.model_copy(update={"contact": ""})) as client:
        found = wikipedia(web, client).availability()
    assert not found.available
    assert "contact" in found.reason


def test_a_lagging_wikipedia_is_a_transient_failure(web, client):
    busy = {"error": {"code": "maxlag", "info": "Waiting for a database: 7 seconds lagged.", "lag": 7}}
    web.respond("/w/api.php", Response(headers=(("Retry-After", "5"),), body=json.dumps(busy).encode()), times=1)
    source = wikipedia(web, client)
    with pytest.raises(TransientFetchError, match="7 seconds lagged") as failure:
        source.fetch(FARGO, "")
    assert failure.value.retry_after == 5.0
    assert web.count("/w/api.php") == 1


@pytest.mark.parametrize(
    ("path", "body", "outcome", "reason"),
    [
        ("/w/api.php", {"error": {"code": "badvalue", "info": "no such format"}}, "error", "no such format"),
        ("/w/api.php", {"batchcomplete": True}, "error", "no page"),
        ("/w/api.php", {"query": {"pages": []}}, "error", "no page"),
        ("/w/api.php", {"query": {"pages": [{"ns": 0, "title": ARTICLE_TITLE, "missing": True}]}}, "not_covered", ""),
        ("/sparql", {"results": {"bindings": SEVERAL}}, "not_covered", "Fargo, Fargo (novel)"),
    ],
    ids=["an error", "nothing", "no page", "a missing page", "several articles"],
)
def test_answers_without_an_article_or_with_several_are_understood(web, client, path, body, outcome, reason):
    web.respond(path, Response(body=json.dumps(body).encode()))
    answer = query(wikipedia(web, client), FARGO, "")
    assert answer.outcome == outcome
    assert answer.reason
    assert reason in answer.reason


def test_a_film_without_an_article_or_without_either_section_has_no_reviews(web, client):
    source = wikipedia(web, client)
    assert source.fetch(FILMS[6], "").outcome == "not_covered"
    assert web.count("/w/api.php") == 0
    web.films[FARGO.tconst].extract = "Fargo is a film.\n\n== Cast ==\nMany people"
    assert source.fetch(FARGO, "").outcome == "empty"


@pytest.mark.parametrize("tconst", [None, 'tt1" } DROP'])
def test_no_request_is_sent_without_an_imdb_id(web, client, tconst):
    film = Film("Fargo", 1996, tconst)
    assert query(wikipedia(web, client, [film]), film, "").outcome == "not_covered"
    assert web.count() == 0


def test_unchanged_articles_are_recognised_by_their_revisions_many_in_one_request(web, client):
    many = [Film(f"Film {number}", 1990, f"tt{number:07d}") for number in range(1, 91)]
    for film in many[6:]:
        web.add(film.tconst, film.title, film.year, extract=f"== Plot ==\nThe plot of {film.title}.")
    markers = [wikipedia(web, client, many).fetch(film, "").marker for film in many]
    web.films[many[2].tconst].revision += 1
    web.requests.clear()
    source = wikipedia(web, client, many)
    answers = [source.fetch(film, marker) for film, marker in zip(many, markers, strict=True)]
    assert [len(answer.reviews) for answer in answers] == [number == 2 for number in range(90)]
    assert all(answer.outcome == "ok" for answer in answers)
    # Two requests for the revisions of up to 50 articles, and one for the text of the edited one.
    assert web.count("/w/api.php") == 3


def test_an_article_that_was_linked_meanwhile_or_edited_after_its_text_was_read_is_read_again(web, client):
    marker = wikipedia(web, client, [FARGO]).fetch(FARGO, "").marker
    assert marker == "Fargo (1996 film)@1"
    assert wikipedia(web, client).fetch(FARGO, marker).reviews == ()
    assert len(wikipedia(web, client).fetch(FARGO, "Fargo (novel)@1").reviews) == 2
    web.films[FARGO.tconst].revision = 2
    assert wikipedia(web, client).fetch(FARGO, marker).marker == "Fargo (1996 film)@2"


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


@pytest.mark.parametrize(
    "line, is_heading",
    [
        *(("== Plot ==", True), ("==Plot==", True), ("======  Plot ======", True)),
        *(
            ("= Plot =", False),
            ("== Plot ", False),
            ("== Plot == ", False),
            (" == Plot ==", False),
            ("== Plot ==\r", False),
        ),
    ],
)
def test_a_heading_has_two_signs_or_more_at_both_ends_of_its_line(line, is_heading):
    assert find_sections(f"{line}\nText.") == ({"plot": "Text."} if is_heading else {})


@pytest.mark.parametrize("sign", [" ", "=", "==", "== ", "\n", "\r", "== Plot ==\n", "== x ==\ny\n", "=== a ===\n"])
@pytest.mark.parametrize("end", ["", "x", "=="])
def test_sections_are_found_in_linear_time(sign, end):
    assert growth(lambda n: find_sections("== Plot ==\n== " + sign * n + end), 2000) < 25


SIGNS = ["=", "==", " ", "\n", "\r", "\u2028", "Plot", "Reception", "x", "== Plot ==\n", "=== y ===\n"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(SIGNS) | st.text(max_size=3)).map("".join))
def test_sections_of_any_extract_are_lines_of_it(extract):
    lines = {line.strip() for line in extract.splitlines()}
    for text in find_sections(extract).values():
        assert text
        assert lines.issuperset(text.split("\n"))


ANSWER = {
    "batchcomplete": True,
    "query": {
        "pages": [
            {
                "pageid": 1001,
                "title": ARTICLE_TITLE,
                "missing": False,
                "extract": ARTICLE,
                "revisions": [{"revid": 1, "timestamp": "2024-05-01T10:00:00Z"}],
                "canonicalurl": "https://en.wikipedia.org/wiki/Fargo_(1996_film)",
            }
        ]
    },
    "error": {"code": "maxlag", "info": "7 seconds lagged."},
}
BINDINGS = {"results": {"bindings": SEVERAL}}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(nearly(BINDINGS) | st.just(json.dumps({"results": {"bindings": SEVERAL[:1]}}).encode()), nearly(ANSWER))
def test_any_answer_gives_reviews_that_can_be_stored_or_a_reason(bindings, article):
    client = Answering({"/sparql": bindings, "/w/api.php": article})
    check_answer(WikipediaSource(WikipediaConfig(), client, [FARGO]), FARGO)
