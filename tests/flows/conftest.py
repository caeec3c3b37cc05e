import pytest

from tests.support.synthetic_run import Run, run_synthetic
from tests.support.synthetic_world import World, make_world


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(n_items=90, reviews_per_item=8, word_share=0.2, corpus_reviews=400)


@pytest.fixture(scope="session")
def synthetic_run(world: World, prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_synthetic(world, tmp_path_factory.mktemp("synthetic"))
