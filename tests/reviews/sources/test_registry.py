import pytest
from pydantic import SecretStr, ValidationError

from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.sources.protocol import Film
from latentflix.reviews.sources.registry import SourcesConfig, build_sources, rejected_rows
from tests.reviews.http.test_politeness import QUICK
from tests.support.fake_web import TMDB_KEY, fake_web, review

FARGO = Film("Fargo", 1996, "tt0116282")


@pytest.fixture
def web():
    with fake_web() as web:
        web.add(FARGO.tconst, reviews=[review(1, "text")], extract="== Plot ==\nA plot.")
        yield web


def sources_of(web, names, **settings):
    return SourcesConfig(
        names=names,
        fetching=QUICK,
        tmdb={"url": web.url},
        wikipedia={"wikidata_url": f"{web.url}/sparql", "wikipedia_url": f"{web.url}/w/api.php"},
        **settings,
    )


def test_the_default_is_the_corpus_alone_and_asks_nobody():
    config = SourcesConfig()
    with CachedClient(config.fetching) as fetcher:
        (source,) = build_sources(config, fetcher)
        assert (source.name, source.check().works) == ("corpus", True)
        source.fetch(FARGO, None, 10)
        assert fetcher.requests == 0


def test_sources_come_in_the_order_of_the_settings_and_once(web):
    names = ("wikipedia", "tmdb", "corpus", "file", "large_movie", "imdbpy")
    config = sources_of(web, (*names, "tmdb"))
    with CachedClient(config.fetching) as fetcher:
        assert tuple(source.name for source in build_sources(config, fetcher)) == names


def test_sources_that_lack_what_they_need_say_so(web):
    config = sources_of(web, ("tmdb", "file", "large_movie"))
    with CachedClient(config.fetching) as fetcher:
        checks = [source.check() for source in build_sources(config, fetcher)]
    assert [check.works for check in checks] == [False] * 3
    assert all(check.reason for check in checks)


def test_files_of_the_users_own_are_read_where_the_settings_say(web, tmp_path):
    (tmp_path / "reviews.csv").write_text("imdb_id,text\ntt0116282,Good.\n")
    (tmp_path / "aclImdb" / "train" / "pos").mkdir(parents=True)
    (tmp_path / "aclImdb" / "train" / "urls_pos.txt").write_text("http://www.imdb.com/title/tt0116282/usercomments\n")
    (tmp_path / "aclImdb" / "train" / "pos" / "0_9.txt").write_text("Fine.")
    config = sources_of(
        web,
        ("file", "large_movie"),
        file={"path": tmp_path / "reviews.csv"},
        large_movie={"path": tmp_path / "aclImdb"},
    )
    with CachedClient(config.fetching) as fetcher:
        answers = [source.fetch(FARGO, None, 10) for source in build_sources(config, fetcher, [FARGO])]
    assert [[review.text for review in answer.reviews] for answer in answers] == [["Good."], ["Fine."]]


def test_rows_of_the_users_file_that_cannot_be_used_are_told_with_their_lines(web, tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("imdb_id,text\ntt0116282,Good.\n116282,No id.\ntt0116282,\n", encoding="utf-8")
    with CachedClient(QUICK) as fetcher:
        sources = build_sources(sources_of(web, ("file", "tmdb"), file={"path": path}), fetcher)
        assert [row["line"] for row in rejected_rows(sources)] == [3, 4]
        assert rejected_rows(sources[1:]) == []


def test_every_source_of_the_web_is_asked_where_the_settings_say(web):
    config = sources_of(web, ("tmdb", "wikipedia"))
    with CachedClient(config.fetching) as fetcher:
        sources = build_sources(config, fetcher, [FARGO], tmdb_key=SecretStr(TMDB_KEY))
        assert [source.check().works for source in sources] == [True, True]
        assert [source.fetch(FARGO, None, 10).outcome for source in sources] == ["ok", "ok"]
    assert {ask.path for ask in web.asked} == {"/3/find/tt0116282", "/3/movie/1/reviews", "/sparql", "/w/api.php"}


def test_no_request_is_sent_before_a_film_is_asked_about(web):
    config = sources_of(web, ("tmdb", "wikipedia"))
    with CachedClient(config.fetching) as fetcher:
        for source in build_sources(config, fetcher, [FARGO], tmdb_key=None):
            source.check()
    assert web.count() == 0


def test_an_unknown_source_is_refused():
    with pytest.raises(ValidationError):
        SourcesConfig(names=("rotten",))
