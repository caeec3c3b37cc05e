"""Where the key of TMDB goes in a whole refresh: to the address that it is for, and nowhere else."""

import logging

import pooch
import pytest

from flows.refresh_reviews import refresh_reviews
from latentflix.errors import SettingsError
from latentflix.reviews.store import ReviewStore
from latentflix.settings import RefreshSettings
from tests.support.fake_web import TMDB_KEY, Response, fake_web, review

pytestmark = pytest.mark.usefixtures("prefect")

FARGO = "tt0116282"
OTHER_KEY = "f" * 32


@pytest.fixture
def settings(web, tmp_path):
    web.add(FARGO, reviews=[review(1, "A fine film.")])
    return RefreshSettings(
        artifacts_dir=tmp_path / "artifacts",
        cache_dir=tmp_path / "cache",
        data_dir=pooch.os_cache("latentflix"),
        tconsts=(FARGO,),
        store={"uri": str(tmp_path / "store")},
        sources={"names": ["tmdb"], "fetching": {"pause": 0, "jitter": 0}, "tmdb": {"url": web.url}},
    )


def test_a_run_cannot_have_the_key_sent_to_an_address_of_its_own(web, settings, monkeypatch):
    monkeypatch.setenv("TMDB_API_KEY", TMDB_KEY)
    with fake_web() as other:
        monkeypatch.setenv("TMDB_API_KEY_ELSEWHERE", f"{other.url} {OTHER_KEY}")
        with pytest.raises(SettingsError, match=f"{web.url} requires a key of its own") as failure:
            refresh_reviews(settings)
        assert (web.count(), other.count()) == (0, 0)
    assert TMDB_KEY not in str(failure.value)


@pytest.mark.parametrize("trouble", [None, "moved"])
def test_the_key_of_another_address_is_sent_there_and_written_nowhere(
    web, settings, tmp_path, monkeypatch, caplog, capfd, trouble
):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("TMDB_API_KEY", OTHER_KEY)
    monkeypatch.setenv("TMDB_API_KEY_ELSEWHERE", f"{web.url} {TMDB_KEY}")
    with fake_web() as other:
        if trouble:
            target = f"{other.url}/3/movie?api_key={TMDB_KEY}&other={TMDB_KEY}"
            web.respond("/3/movie", Response(301, (("Location", target),)))
        result = refresh_reviews(settings)
        assert other.count() == 0
    assert len(ReviewStore(settings.store.uri).read([FARGO])) == (0 if trouble else 1)
    assert {request.query["api_key"] for request in web.requests} == {TMDB_KEY}
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"api.themoviedb.org" in content or b"/3/find" in content for content in written)
    for text in (repr(result), caplog.text, *capfd.readouterr(), *(content.decode("latin-1") for content in written)):
        assert TMDB_KEY not in text
        assert OTHER_KEY not in text
