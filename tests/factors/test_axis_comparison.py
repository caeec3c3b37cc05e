import numpy as np
import pandas as pd
import pytest
from scipy.stats import ortho_group

from latentflix.factors.axis_comparison import ANY_DIRECTIONS, ANY_ITEMS, ComparedAxesConfig, compare_axes
from latentflix.factors.crossfit import cross_fit
from latentflix.factors.documents import DocumentConfig, gather_documents
from latentflix.factors.extraction import FactorConfig, extract_factors
from latentflix.factors.inference import EvaluationConfig, score_positions
from latentflix.factors.naming import NameConfig
from latentflix.factors.readers.registry import ReadersConfig, build_readers
from latentflix.recommender.latent_factors import LatentFactors
from tests.support.synthetic_world import join_world, make_world, read_items

READERS = ReadersConfig(n_folds=3)
CONFIG = ComparedAxesConfig(
    kinds=("pca", "none"),
    n_repeats=1,
    permutations=39,
    factors=FactorConfig(n_axes=3, min_ratings=1, n_rotations=50),
    readers=READERS,
    evaluation=EvaluationConfig(bootstraps=20),
    names=NameConfig(permutations=39, min_ratings=1, min_items=3),
)


def make_fit(seed, world):
    """A fit that has found the world's factors, with noise and in a rotation of its own."""
    random, rotation = np.random.default_rng(seed), ortho_group.rvs(3, random_state=seed)
    items = world.true_factors.to_numpy() * [2, 1.4, 0.9] + random.normal(0, 0.05, (len(world.true_factors), 3))
    users = random.normal(size=(300, 3))
    biases = np.zeros(len(users), np.float32), np.zeros(len(items), np.float32)
    factors = np.float32(users @ rotation), np.float32(items @ rotation)
    return LatentFactors(np.arange(len(users)), world.true_factors.index.to_numpy(), *factors, *biases)


@pytest.fixture(scope="module")
def given():
    world = make_world(words_per_pole=6, word_share=0.2)
    items = read_items(world)
    documents = gather_documents(join_world(world), items, DocumentConfig(min_ratings=1))
    readers = build_readers(
        documents, items, pd.Series(3.0, items.index), np.zeros((len(documents.items), 0)), [], READERS
    )
    return [make_fit(seed, world) for seed in range(4)], documents, items, readers


@pytest.fixture(scope="module")
def compared(given):
    fits, documents, items, readers = given
    return compare_axes(fits, [], documents, items, readers, CONFIG)


def test_axes_that_the_fits_share_are_stable_predicted_and_named(compared):
    row = compared.kinds.loc["pca"]
    counts = ["axes", "stable", "hold", "stable_and_hold", "named", "names_hold", "shared"]
    assert row[counts].tolist() == [3, 3, 3, 3, 6, 6, 0]
    assert row["stability"] > 0.95
    assert row["mean_rho"] == pytest.approx(row["mean_rho_all"])
    assert np.isnan(row["people_full"])


def test_raw_axes_of_which_none_is_stable_have_no_names_and_no_mean_over_the_stable(compared):
    row = compared.kinds.loc["none"]
    assert row[["axes", "stable", "stable_and_hold", "named", "names_hold"]].tolist() == [3, 0, 0, 0, 0]
    assert np.isnan(row["mean_rho"])
    assert row["mean_rho_all"] > 0.3


def test_a_kind_scores_what_it_does_alone(given, compared):
    fits, documents, items, readers = given
    alone = extract_factors(fits, items["ratings"], CONFIG.factors.model_copy(update={"rotation": "pca"}))
    fit = cross_fit(documents, alone.scores, readers, READERS.model_copy(update={"n_repeats": 1, "permutations": 39}))
    scored = score_positions(fit, documents, alone.scores, alone.axes["stable"], None, CONFIG.evaluation)
    assert compared.kinds.loc["pca", "mean_rho"] == pytest.approx(scored.readers.loc["stacked", "mean_rho"], abs=1e-6)


def test_the_strongest_items_are_more_alike_than_any_two_and_by_genres_more_than_those_of_directions_at_random(
    compared,
):
    chance, alike = compared.chance, compared.kinds.loc["pca"]
    assert chance.index.tolist() == [ANY_ITEMS, ANY_DIRECTIONS]
    # Each pole of a factor has a genre of its own.
    assert alike["genres"] > chance.loc[ANY_DIRECTIONS, "genres"] > chance.loc[ANY_ITEMS, "genres"]
    assert alike["vectors"] > chance.loc[ANY_ITEMS, "vectors"] + 0.3
