import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latentflix.artifacts import Handle, Store
from latentflix.data.splits import Split
from latentflix.errors import ModelError, NotEnoughData
from latentflix.recommender.fit import fit_recommender
from latentflix.recommender.halves import HalfFits, HalvesConfig, fit_halves, halve_users, pair_groups
from latentflix.recommender.model import CollabConfig, seed_fits
from tests.support.synthetic_world import make_world

QUICK = CollabConfig(n_factors=6, epochs=5, batch_size=256, learning_rate=2e-2, weight_decay=0.05)
CONFIG = HalvesConfig(n_pairs=2)


@pytest.fixture(scope="module")
def ratings():
    return make_world(n_users=101, n_items=40).ratings


@pytest.fixture(scope="module")
def halves(ratings):
    return fit_halves(ratings, QUICK, 2, CONFIG, [0, 1])[0]


def test_halves_of_a_pair_are_complementary_and_each_pair_is_another_one_drawn_from_the_seed(ratings):
    users = ratings["user_id"].to_numpy()
    drawn = list(halve_users(users, HalvesConfig(n_pairs=3)))
    assert [len(half) for half in drawn] == [50, 51] * 3
    for first, second in zip(drawn[::2], drawn[1::2], strict=True):
        assert_array_equal(np.sort(np.concatenate([first, second])), np.unique(users))
    assert len({tuple(half) for half in drawn}) == 6
    for half, again in zip(drawn, halve_users(users[::-1], HalvesConfig(n_pairs=3)), strict=True):
        assert_array_equal(half, again)
    assert not np.array_equal(drawn[0], next(halve_users(users, HalvesConfig(seed=1))))


def test_one_user_cannot_be_halved():
    with pytest.raises(NotEnoughData, match="found: 1 user; expected: at least 2"):
        list(halve_users(np.array([4, 4]), CONFIG))


def test_a_half_is_fitted_to_all_ratings_of_its_users_for_the_given_epochs_each_time_from_other_seeds(ratings, halves):
    for number, users in enumerate(halve_users(ratings["user_id"].to_numpy(), CONFIG)):
        own = ratings[ratings["user_id"].isin(users)]
        everything = np.ones(len(own), bool)
        config = QUICK.model_copy(update={"epochs": 2, "n_seeds": 2, "seed": 1000 + 2 * number})
        expected = seed_fits(fit_recommender(own, config, Split(everything, ~everything, ~everything)))
        for fit, alone in zip(halves.pairs()[number // 2][number % 2], expected, strict=True):
            assert_array_equal(fit.item_ids, np.unique(own["item_id"]))
            assert_array_equal(fit.item_factors, alone.item_factors)
            assert_allclose(fit.user_covariance, np.cov(alone.user_factors, rowvar=False), rtol=1e-4, atol=1e-7)


def test_patience_and_the_split_do_not_matter_because_nothing_is_held_out(ratings, halves):
    config = QUICK.model_copy(update={"patience": 1, "split": QUICK.split.model_copy(update={"share": 0.9})})
    again, seconds = fit_halves(ratings, config, 2, CONFIG, [0, 1])
    assert seconds > 0
    for half, factors in halves.item_factors.items():
        assert_array_equal(again.item_factors[half], factors)


def test_the_pairs_of_several_tasks_are_those_of_one(ratings, halves):
    groups = pair_groups(HalvesConfig(n_pairs=3))
    assert [group.pairs for group in groups] == [(0, 1), (2,)]
    second, _ = fit_halves(ratings, QUICK, 2, CONFIG, [1])
    for half, whole in (("0", "2"), ("1", "3")):
        assert_array_equal(second.item_factors[half], halves.item_factors[whole])


def test_an_item_that_no_user_of_a_half_rated_is_not_among_its_items(ratings):
    user, item = ratings["user_id"].iloc[0], ratings["item_id"].iloc[0]
    rare = ratings[(ratings["item_id"] != item) | (ratings["user_id"] == user)]
    fits, _ = fit_halves(rare, QUICK, 1, HalvesConfig(n_pairs=1, n_seeds=1), [0])
    holders = [item in ids for ids in fits.item_ids.values()]
    assert sorted(holders) == [False, True]
    assert [len(factors[0]) for factors in fits.item_factors.values()] == [39 + held for held in holders]


def test_fits_are_read_as_they_were_written(halves, tmp_path):
    store, handle = Store(tmp_path), Handle(stage="halves", key="0" * 20)
    with store.new(handle, {}, CONFIG) as artifact:
        artifact.write(halves)
    read = store.read(handle, HalfFits)
    for name in ("item_ids", "item_factors", "user_covariances"):
        assert list(getattr(read, name)) == list(getattr(halves, name)) == ["0", "1", "2", "3"]
        for half, array in getattr(halves, name).items():
            assert_array_equal(getattr(read, name)[half], array)


def test_a_model_without_factors_in_common_is_refused(ratings):
    with pytest.raises(ModelError, match="found: neural"):
        fit_halves(ratings, QUICK.model_copy(update={"model": "neural"}), 1, CONFIG, [0])
