import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latentflix.data.splits import Split, split_ratings
from latentflix.recommender.fit import fit_and_score, fit_recommender, seed_groups
from latentflix.recommender.model import CollabConfig, seed_fits
from latentflix.recommender.posterior import PosteriorConfig, draw_fits, find_habits, make_blocks
from latentflix.training import observe_epochs

POSTERIOR = PosteriorConfig(warm_up=20, between=2)
CONFIG = CollabConfig(model="bayes", n_factors=4, n_seeds=8, posterior=POSTERIOR)


def changed(**fields):
    return CollabConfig.model_validate(CONFIG.model_dump() | fields)


@pytest.fixture(scope="module")
def fitted(ratings):
    return fit_and_score(ratings, CONFIG)


def test_blocks_hold_each_rating_once_beside_little_else():
    random = np.random.default_rng(0)
    rows, others = np.nonzero(random.random((40, 30)) < random.random((40, 1)) ** 2)
    ratings = random.normal(size=len(rows)).astype(np.float32)
    blocks = make_blocks(rows, others, ratings, 41, 30)
    found = np.full((41, 31), np.nan, np.float32)
    for block in blocks:
        found[block.rows[:, None], block.others] = block.ratings
        assert ((block.others == 30) <= (block.ratings == 0)).all()
        n_own = (block.others < 30).sum(1)
        assert (block.others.shape[1] <= np.maximum(1.2 * n_own, n_own + 1)).all()
    expected = np.full((41, 30), np.nan, np.float32)
    expected[rows, others] = ratings
    assert_array_equal(found[:, :30], expected)
    assert_array_equal(np.sort(np.concatenate([block.rows for block in blocks])), np.arange(41))


def test_habits_are_the_principal_axes_of_who_rated_what():
    rated = np.random.default_rng(0).random((12, 9)) < 0.6
    pairs = np.argwhere(rated)
    users, items = find_habits(pairs, rated.shape, 8)
    table = rated / np.sqrt(rated.sum(1, keepdims=True) * rated.sum(0))
    strength = np.linalg.svd(table, compute_uv=False)
    assert_allclose(np.sort((users**2).mean(0))[::-1], strength[:8] ** 2, rtol=1e-5)
    assert_allclose(np.sort((items**2).mean(0))[::-1], strength[:8] ** 2, rtol=1e-5)
    assert find_habits(pairs, rated.shape, 3)[1].shape == (9, 3)


def test_users_and_items_are_predicted_as_they_were_planted():
    random = np.random.default_rng(1)
    users, items = random.normal(size=(60, 2)), random.normal(size=(30, 2))
    truth = 3 + users @ items.T + random.normal(size=(60, 1)) * 0.5
    pairs = np.argwhere(random.random(truth.shape) < 0.7)
    noisy = (truth[tuple(pairs.T)] + random.normal(0, 0.1, len(pairs))).astype(np.float32)
    weights = draw_fits(pairs, noisy, truth.shape, 3, range(8), POSTERIOR)
    u, i, u_bias, i_bias = (value[:, 1:] for value in weights.values())
    predicted = (u @ i.transpose(0, 2, 1) + u_bias + i_bias.transpose(0, 2, 1)).mean(0)
    assert np.sqrt(((predicted - truth) ** 2).mean()) < 0.1


def test_the_mean_of_several_fits_predicts_better_than_one(ratings, fitted):
    recommender, scores = fitted
    held_out = ratings[split_ratings(ratings, CONFIG.split).held_out]
    assert scores["ensemble_rmse"] < scores["rmse"] < 0.5 * held_out["rating"].std()
    assert scores["best_epoch"] == 1
    assert_allclose(np.sqrt(recommender.valid_loss[0]).mean(), scores["rmse"], rtol=0.05)


def test_the_seed_determines_the_fits(ratings, fitted):
    again, other = (fit_recommender(ratings, changed(seed=seed)).weights for seed in (0, 1))
    for name, value in fitted[0].weights.items():
        assert_array_equal(value, again[name])
        assert not np.allclose(value[:, 1:], other[name][:, 1:])


@pytest.mark.parametrize(("n_seeds", "expected"), [(32, [16, 16]), (40, [16, 16, 8]), (8, [4, 4]), (1, [1])])
def test_there_are_two_chains_at_least(n_seeds, expected):
    assert [group.n_seeds for group in seed_groups(changed(n_seeds=n_seeds))] == expected


def test_item_factors_span_the_true_ones(world, fitted):
    fits = seed_fits(fitted[0])
    planted = world.true_factors.loc[fits[0].item_ids].to_numpy()
    for fit in fits:
        columns = np.column_stack([np.ones(len(planted)), fit.item_factors])
        left = planted - columns @ np.linalg.lstsq(columns, planted)[0]
        assert (1 - (left**2).sum(0) / (planted**2).sum(0) > 0.9).all()


def test_all_ratings_can_be_learned_from_and_each_pass_is_reported(ratings):
    everything, epochs = np.ones(len(ratings), bool), []
    with observe_epochs(epochs.append):
        recommender = fit_recommender(ratings, changed(n_seeds=5), Split(everything, ~everything, ~everything))
    assert np.isnan(recommender.valid_loss).all()
    assert [(epoch.done, epoch.planned) for epoch in epochs] == [(done, 29) for done in range(1, 30)]
    assert {epoch.training for epoch in epochs} == {"collab bayes, seeds 0 to 4"}
