import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.errors import DependencyError, TrainingError
from latentflix.factors.stability import match_axes
from latentflix.recommender.als import AlsConfig, fit_als
from latentflix.recommender.fit import fit_and_score, fit_recommender, seed_groups
from latentflix.recommender.halves import HalvesConfig, fit_halves
from latentflix.recommender.model import CollabConfig, predict_ratings, seed_fits
from latentflix.recommender.rotation import fit_axes
from tests.support.synthetic_world import interact, make_world

COLLAB = CollabConfig(model="als", n_factors=8, n_seeds=2)
PAIRS = np.array([(user, item) for user in range(20) for item in range(10) if (user + item) % 2 == 0])


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def read(world):
    return read_ratings(interact(world).assign(count=1, timestamp=0), world.items, RatingsConfig())


@pytest.fixture(scope="module")
def fitted(read):
    return fit_and_score(read.ratings, COLLAB)


def fit_pairs(counts=1.0, seeds=(0, 1), config=None):
    return fit_als(PAIRS, np.full(len(PAIRS), counts), (20, 10), 3, seeds, config or AlsConfig(regularization=0.1))


def test_who_interacts_with_an_item_is_predicted_to_prefer_it():
    weights = fit_pairs()
    assert {name: value.shape for name, value in weights.items()} == {
        "u_weight.weight": (2, 21, 3),
        "i_weight.weight": (2, 11, 3),
    }
    assert not any(value[:, 0].any() for value in weights.values())
    predicted = weights["u_weight.weight"][0, 1:] @ weights["i_weight.weight"][0, 1:].T
    known = np.zeros((20, 10), bool)
    known[tuple(PAIRS.T)] = True
    assert predicted[known].min() > 0.9
    assert np.abs(predicted[~known]).max() < 0.1


def test_a_seed_gives_one_fit_whichever_others_are_fitted_with_it():
    one, other = fit_pairs(seeds=(5, 6)), fit_pairs(seeds=(6,))
    for name, value in one.items():
        assert_array_equal(value[1], other[name][0])
        assert not np.array_equal(value[0], value[1])


def test_larger_counts_weigh_more():
    counts = np.where(PAIRS[:, 0] < 10, 50.0, 1.0)
    weights = fit_als(PAIRS, counts, (20, 10), 1, [0], AlsConfig(regularization=5.0))
    predicted = weights["u_weight.weight"][0, 1:] @ weights["i_weight.weight"][0, 1:].T
    often, seldom = (predicted[tuple(PAIRS[PAIRS[:, 0] // 10 == part].T)].mean() for part in (0, 1))
    assert often > seldom + 0.1


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(DependencyError, match=r"`als` needs the package implicit; .*'latentflix\[implicit\]'"):
        fit_pairs()


def test_a_fit_that_is_nan_is_refused():
    with pytest.raises(TrainingError, match=r"ended in NaN or infinite factors; .*raise --collab.als.regularization"):
        fit_pairs(counts=np.nan)


def test_planted_factors_are_found_in_interactions(world, fitted):
    fits = seed_fits(fitted[0])
    true_factors = world.true_factors.loc[fits[0].item_ids].to_numpy()
    positions, _ = fit_axes(fits, np.ones(len(true_factors)), "pca", 8)
    partner, strength = match_axes(true_factors[:, :2], positions)
    assert len(set(partner)) == 2
    assert strength.min() > 0.85
    assert not any(fit.user_bias.any() or fit.item_bias.any() for fit in fits)


def test_held_out_interactions_are_ranked_far_better_than_by_popularity(fitted):
    recommender, scores = fitted
    assert scores["recall"] > scores["popularity_recall"] + 0.1
    assert scores["ndcg"] > scores["popularity_ndcg"] + 0.1
    assert scores["best_epoch"] == COLLAB.als.iterations
    assert scores["held_out"] == 621
    assert recommender.valid_loss.shape == (0, 2)
    assert (recommender.scale, recommender.y_range) == ((0, 1), (0, 1))


def test_a_prediction_is_a_preference_from_0_to_1(fitted, read):
    recommender = fitted[0]
    users, items = read.ratings["user_id"].head(50).to_numpy(), read.ratings["item_id"].head(50).to_numpy()
    predicted = predict_ratings(recommender, users, items)
    fit = seed_fits(recommender)[1]
    rows = [pd.Index(ids).get_indexer(given) for ids, given in ((fit.user_ids, users), (fit.item_ids, items))]
    products = (fit.user_factors[rows[0]] * fit.item_factors[rows[1]]).sum(1)
    np.testing.assert_allclose(predicted[1], products.clip(0, 1), atol=1e-5)


def test_groups_of_seeds_fit_what_one_group_fits(fitted, read):
    groups = [
        fit_recommender(read.ratings, group) for group in seed_groups(COLLAB.model_copy(update={"seeds_per_task": 1}))
    ]
    for name, value in fitted[0].weights.items():
        assert_array_equal(np.concatenate([group.weights[name] for group in groups]), value)


def test_halves_of_the_users_are_fitted_by_the_same_model(read):
    halves, _ = fit_halves(read.ratings, COLLAB, COLLAB.als.iterations, HalvesConfig(n_pairs=1), [0])
    ((first, second),) = halves.pairs()
    assert [len(first), len(second)] == [2, 2]
    assert first[0].item_factors.shape[1] == 8
    assert not np.array_equal(first[0].item_factors, second[0].item_factors)
