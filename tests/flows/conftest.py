import pytest

from tests.support.synthetic_run import Run, run_planted
from tests.support.synthetic_world import World, make_world


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(n_films=90, reviews_per_film=8, word_share=0.2, corpus_reviews=400)


@pytest.fixture(scope="session")
def planted(world: World, prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_planted(world, tmp_path_factory.mktemp("planted"))
