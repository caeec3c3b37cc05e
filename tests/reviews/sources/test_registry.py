from contextlib import contextmanager

import pytest
from pydantic import ValidationError

from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.sources.protocol import Film
from latentflix.reviews.sources.registry import SourcesConfig, build_sources, rejected_rows
from tests.support.fake_web import QUICK, review, tmdb_keys
from tests.support.files import large_movie_files, write_folder

FARGO = Film("Fargo", 1996, "tt0116282")


@pytest.fixture
def web(web):
    web.add(FARGO.tconst, reviews=[review(1, "text")], extract="== Plot ==\nA plot.")
    return web


@contextmanager
def sources_of(web, names, films=(), keys=None, **settings):
    """The sources of these names, and the client that they share."""
    urls = {"wikidata_url": f"{web.url}/sparql", "wikipedia_url": f"{web.url}/w/api.php"}
    config = SourcesConfig(names=names, fetching=QUICK, tmdb={"url": web.url}, wikipedia=urls, **settings)
    with CachedClient(config.fetching) as client:
        yield build_sources(config, client, films, tmdb_keys=keys)


def test_the_default_is_the_corpus_without_any_request():
    config = SourcesConfig()
    with CachedClient(config.fetching) as client:
        (source,) = build_sources(config, client)
        assert (source.name, source.availability().available) == ("corpus", True)
        source.fetch(FARGO, "")
        assert client.politeness.requests == 0


def test_sources_are_built_once_in_the_order_of_the_settings(web):
    names = ("wikipedia", "tmdb", "corpus", "file", "large_movie", "imdbpy")
    with sources_of(web, (*names, "tmdb")) as sources:
        assert tuple(source.name for source in sources) == names


def test_sources_without_what_they_need_are_unavailable(web):
    with sources_of(web, ("tmdb", "file", "large_movie")) as sources:
        checks = [source.availability() for source in sources]
    assert [found.available for found in checks] == [False] * 3
    assert all(found.reason for found in checks)


def test_the_users_files_are_read(web, tmp_path):
    (tmp_path / "reviews.csv").write_text("imdb_id,text\ntt0116282,Good.\n")
    folder = write_folder(tmp_path / "aclImdb", large_movie_files({("train", "pos"): [("Fine.", FARGO.tconst, 9)]}))
    paths = {"file": {"path": tmp_path / "reviews.csv"}, "large_movie": {"path": folder}}
    with sources_of(web, tuple(paths), [FARGO], **paths) as sources:
        answers = [source.fetch(FARGO, "") for source in sources]
    assert [[review.text for review in answer.reviews] for answer in answers] == [["Good."], ["Fine."]]


def test_unusable_rows_of_the_users_file_are_listed_with_their_lines(web, tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("imdb_id,text\ntt0116282,Good.\n116282,No id.\ntt0116282,\n", encoding="utf-8")
    with sources_of(web, ("file", "tmdb"), file={"path": path}) as sources:
        assert [row["line"] for row in rejected_rows(sources)] == [3, 4]
        assert rejected_rows(sources[1:]) == []


def test_sources_on_the_web_are_queried_at_the_addresses_of_the_settings_and_not_before_the_first_fetch(web):
    with sources_of(web, ("tmdb", "wikipedia"), [FARGO], tmdb_keys(web)) as sources:
        assert [source.availability().available for source in sources] == [True, True]
        assert web.count() == 0
        assert [source.fetch(FARGO, "").outcome for source in sources] == ["ok", "ok"]
    paths = {"/3/find/tt0116282", "/3/movie/1/reviews", "/sparql", "/w/api.php"}
    assert {request.path for request in web.requests} == paths


@pytest.mark.parametrize(
    "settings",
    [
        {"names": ("rotten",)},
        *({"fetching": each} for each in ({"pause": -1}, {"max_requests": 0}, {"read_timeout": 0}, {"retries": 3})),
        *({"tmdb": each} for each in ({"key": "secret"}, {"max_pages": 0}, {"max_pages": 501}, {"url": "api"})),
        *({"wikipedia": each} for each in ({"batch_size": 0}, {"wikipedia_url": "en.org"}, {"wikidata_url": ""})),
    ],
)
def test_unknown_and_impossible_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        SourcesConfig(**settings)
