"""Failures of the web, as sources report them."""

import pytest

from latentflix.errors import TransientFetchError
from latentflix.reviews.sources.protocol import Film, query
from latentflix.reviews.sources.tmdb import TmdbConfig, TmdbSource
from latentflix.reviews.sources.wikipedia import WikipediaConfig, WikipediaSource
from tests.support.fake_web import TRANSIENT_FAILURES, failure_mode, review, tmdb_keys

FARGO = Film("Fargo", 1996, "tt0116282")
PATHS = ["/3/find", "/3/movie", "/sparql", "/w/api.php"]


@pytest.fixture
def source(web, client, path):
    """The source that queries a path."""
    web.add(FARGO.tconst, reviews=[review(1, "text")], extract="== Plot ==\nA plot.")
    if path.startswith("/3/"):
        return TmdbSource(TmdbConfig(url=web.url), client, tmdb_keys(web))
    urls = {"wikidata_url": f"{web.url}/sparql", "wikipedia_url": f"{web.url}/w/api.php"}
    return WikipediaSource(WikipediaConfig(**urls), client, [FARGO])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", TRANSIENT_FAILURES)
def test_transient_failures_are_raised_after_one_request(web, source, path, name):
    web.respond(path, failure_mode(name), times=1)
    with pytest.raises(TransientFetchError):
        source.fetch(FARGO, "")
    assert web.count(path) == 1
    if not name.startswith("429"):
        assert source.fetch(FARGO, "").outcome == "ok"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "name, outcome",
    [
        *[(name, "blocked") for name in ("202 empty", "401", "403")],
        *[(name, "error") for name in ("invalid JSON", "junk")],
        ("404", "not_covered"),
    ],
)
def test_permanent_failures_are_answers_after_one_request(web, source, path, name, outcome):
    web.respond(path, failure_mode(name))
    answer = query(source, FARGO, "")
    assert (answer.outcome, answer.reviews) == (outcome, ())
    assert answer.reason
    assert web.count(path) == 1
