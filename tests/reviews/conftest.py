import pytest

from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.store import ReviewStore
from tests.support.fake_web import QUICK


@pytest.fixture
def client():
    with CachedClient(QUICK) as client:
        yield client


@pytest.fixture
def store(tmp_path):
    return ReviewStore(str(tmp_path / "store"))
