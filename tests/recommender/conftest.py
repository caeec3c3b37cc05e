import pytest

from tests.support.synthetic_world import make_world


@pytest.fixture(scope="package")
def world():
    return make_world(n_users=200, n_items=60)


@pytest.fixture(scope="package")
def ratings(world):
    return world.ratings
