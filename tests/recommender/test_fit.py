from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from numpy.testing import assert_allclose, assert_array_equal

from latentflix.data.splits import Split, SplitConfig, split_ratings
from latentflix.errors import NotFound, SettingsError, TrainingError
from latentflix.recommender import fit as fit_module
from latentflix.recommender.fit import (
    BestEpochPerSeed,
    RatingBatches,
    SeedErrors,
    fit_and_score,
    fit_recommender,
    score_recommender,
    seed_groups,
)
from latentflix.recommender.model import CollabConfig, predict_ratings, seed_fits
from latentflix.training import LeanLearner

MODELS = ("dot", "dot_range", "bias", "neural")
QUICK = CollabConfig(n_factors=6, epochs=5, batch_size=256, learning_rate=2e-2, weight_decay=0.05, n_seeds=3)
SHORT = QUICK.model_copy(update={"epochs": 2})


def changed(config, **fields):
    return CollabConfig.model_validate(config.model_dump() | fields)


def ids_of(ratings):
    return ratings["user_id"].to_numpy(), ratings["item_id"].to_numpy()


def held_out_of(ratings, config=QUICK):
    return ratings[split_ratings(ratings, config.split).held_out]


def errors_of(recommender, ratings):
    """The errors of the predictions, one row per seed."""
    return predict_ratings(recommender, *ids_of(ratings)) - ratings["rating"].to_numpy()


def assert_same_weights(left, right, seeds=slice(None), **tolerance):
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert_allclose(value[seeds], right[name], err_msg=name, **tolerance)


# Rounding decides which units of the neural model are silenced, and its effect grows from step to step.
@pytest.mark.parametrize(
    ("changes", "tolerance"),
    [
        *(({"model": name, "seed": 4}, 1e-5) for name in ("dot", "dot_range", "bias")),
        ({"model": "neural", "epochs": 1, "batch_size": 8192}, 1e-3),
    ],
    ids=MODELS,
)
def test_seeds_side_by_side_learn_what_each_learns_alone(ratings, changes, tolerance):
    config = changed(QUICK, **changes)
    together = fit_recommender(ratings, config)
    for place in range(3):
        alone = fit_recommender(ratings, changed(config, seed=config.seed + place, n_seeds=1))
        assert_same_weights(together.weights, alone.weights, [place], atol=tolerance)
        assert_allclose(together.valid_loss[:, [place]], alone.valid_loss, rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_seeds", [1, 2])
def test_the_seed_determines_the_fit(ratings, name, n_seeds):
    config = changed(SHORT, model=name, n_seeds=n_seeds)
    one, again, other = (fit_recommender(ratings, changed(config, seed=seed)) for seed in (1, 1, 7))
    assert_same_weights(one.weights, again.weights, rtol=0)
    assert_array_equal(one.valid_loss, again.valid_loss)
    for weights, others in zip(one.weights.values(), other.weights.values(), strict=True):
        assert weights.dtype.kind != "f" or not weights.size or not np.allclose(weights, others)


@pytest.mark.parametrize(("at_once", "stacked"), [(1, [1, 1, 1]), (2, [2, 1]), (10, [3])])
def test_the_fit_does_not_depend_on_how_many_seeds_fit_into_memory(ratings, monkeypatch, at_once, stacked):
    whole = fit_recommender(ratings, SHORT)
    fit_ensemble = Mock(wraps=fit_module._fit_ensemble)
    monkeypatch.setattr(fit_module, "_fit_ensemble", fit_ensemble)
    n_weights = sum(weight[0].size for weight in whole.weights.values())
    monkeypatch.setattr(fit_module, "_WEIGHTS_AT_ONCE", at_once * n_weights)
    parts = fit_recommender(ratings, SHORT)
    assert [call.args[0].n_seeds for call in fit_ensemble.call_args_list] == stacked
    assert_same_weights(whole.weights, parts.weights, atol=1e-5)
    assert_allclose(whole.valid_loss, parts.valid_loss, rtol=1e-4)


def test_groups_of_seeds_take_the_gpus_in_turn_and_fit_what_one_group_fits(ratings, monkeypatch):
    config, places = changed(SHORT, seed=5, n_seeds=5), []
    whole = fit_recommender(ratings, config)
    monkeypatch.setattr(fit_module, "pick_device", lambda place: places.append(place) or torch.device("cpu"))
    groups = [fit_recommender(ratings, group) for group in seed_groups(changed(config, seeds_per_task=2))]
    parts = {name: np.concatenate([group.weights[name] for group in groups]) for name in whole.weights}
    assert_same_weights(whole.weights, parts, atol=1e-5)
    assert places == [2, 3, 4]


@pytest.mark.parametrize(
    ("seed", "n_seeds", "seeds_per_task", "expected"),
    [(0, 32, 16, [(0, 16), (16, 16)]), (3, 5, 2, [(3, 2), (5, 2), (7, 1)]), (0, 2, 16, [(0, 2)])],
)
def test_every_seed_is_in_one_group(seed, n_seeds, seeds_per_task, expected):
    groups = seed_groups(changed(QUICK, seed=seed, n_seeds=n_seeds, seeds_per_task=seeds_per_task))
    assert [(group.seed, group.n_seeds) for group in groups] == expected
    assert {(group.model, group.epochs, group.seeds_per_task) for group in groups} == {("bias", 5, seeds_per_task)}


@pytest.mark.parametrize("name", ["dot_range", "bias", "neural"])
def test_held_out_ratings_are_predicted_far_better_than_by_their_mean(ratings, name):
    recommender, scores = fit_and_score(ratings, changed(QUICK, model=name, epochs=8))
    held_out = held_out_of(ratings)
    assert scores["rmse"] < 0.5 * held_out["rating"].std()
    assert scores["ensemble_rmse"] < scores["rmse"]
    assert (scores["train"], scores["held_out"], scores["unseen"]) == (len(ratings) - len(held_out), len(held_out), 0)
    assert scores["seconds"] == recommender.seconds > 0


@pytest.mark.parametrize("name", ["dot_range", "bias"])
def test_item_factors_span_the_true_ones(world, name):
    fits = seed_fits(fit_recommender(world.ratings, changed(QUICK, model=name, epochs=8)))
    planted = world.true_factors.loc[fits[0].item_ids].to_numpy()
    for fit in fits:
        columns = np.column_stack([np.ones(len(planted)), fit.item_factors])
        left = planted - columns @ np.linalg.lstsq(columns, planted)[0]
        assert (1 - (left**2).sum(0) / (planted**2).sum(0) > 0.9).all()


def test_scores_are_those_of_the_predictions(ratings):
    recommender = fit_recommender(ratings, SHORT)
    some = ratings.sample(50, random_state=0)
    off = errors_of(recommender, some)
    scores = score_recommender(recommender, some)
    assert scores["rmse"] == pytest.approx(np.mean([np.sqrt(np.mean(seed**2)) for seed in off]))
    assert scores["ensemble_rmse"] == pytest.approx(np.sqrt(np.mean(off.mean(0) ** 2)))
    assert scores["ensemble_mae"] == pytest.approx(np.mean(abs(off.mean(0))))
    with pytest.raises(NotFound):
        score_recommender(recommender, ratings.assign(user_id=10_000))


def test_the_curve_is_the_loss_on_the_held_out_ratings(ratings):
    recommender = fit_recommender(ratings, QUICK)
    assert (recommender.valid_loss.shape, recommender.valid_loss.dtype) == ((5, 3), np.float32)
    # The curve is of predictions that may lie off the scale.
    off = errors_of(replace(recommender, scale=(-np.inf, np.inf)), held_out_of(ratings))
    assert_allclose(recommender.valid_loss[-1], (off**2).mean(1), rtol=1e-5)
    assert (recommender.valid_loss[-1] < 0.5 * recommender.valid_loss[0]).all()


def test_a_fit_that_overfits_stops_and_keeps_its_best_epoch(ratings):
    few = ratings.sample(600, random_state=0)
    config = changed(QUICK, epochs=60, weight_decay=0, batch_size=32, patience=3)
    recommender, scores = fit_and_score(few, config)
    curve = recommender.valid_loss.mean(1)
    assert scores["best_epoch"] == curve.argmin() + 1 < 57
    assert len(curve) == recommender.valid_loss.argmin(0).max() + 1 + 3
    off = errors_of(replace(recommender, scale=(-9, 9)), held_out_of(few, config))
    assert_allclose((off**2).mean(1), recommender.valid_loss.min(0), rtol=1e-4)


def test_groups_in_memory_may_stop_at_different_epochs(ratings, monkeypatch):
    few = ratings.sample(600, random_state=0)
    monkeypatch.setattr(fit_module, "_WEIGHTS_AT_ONCE", 1)
    config = changed(QUICK, epochs=60, weight_decay=0, batch_size=32, patience=1, n_seeds=8)
    recommender, scores = fit_and_score(few, config)
    lengths = (~np.isnan(recommender.valid_loss)).sum(0)
    assert lengths.min() < lengths.max() == len(recommender.valid_loss)
    assert scores["best_epoch"] == np.nanmean(recommender.valid_loss, axis=1).argmin() + 1


def test_ids_without_a_training_rating_have_no_row_and_no_score(ratings):
    item, user = ratings["item_id"].iloc[0], ratings["user_id"].iloc[-1]
    strange = ((ratings["item_id"] == item) | (ratings["user_id"] == user)).to_numpy()
    folds = ratings.assign(official_fold=np.where(strange | (np.arange(len(ratings)) % 10 == 0), 1, 2))
    config = changed(SHORT, split=SplitConfig(kind="official", fold=1))
    recommender, scores = fit_and_score(folds, config)
    assert item not in recommender.item_ids
    assert user not in recommender.user_ids
    assert (len(recommender.user_ids), len(recommender.item_ids)) == (199, 59)
    assert recommender.weights["u_weight.weight"].shape == (3, 200, 6)
    assert scores["unseen"] == strange.sum()
    assert scores["train"] + scores["held_out"] + scores["unseen"] == len(ratings)
    held_out = folds[(folds["official_fold"] == 1) & ~strange]
    assert scores["ensemble_rmse"] == score_recommender(recommender, held_out)["ensemble_rmse"]


@pytest.mark.parametrize("name", MODELS)
def test_predictions_depend_only_on_the_order_of_ids(ratings, name):
    config, split = changed(SHORT, model=name), split_ratings(ratings, SHORT.split)
    other = ratings.assign(user_id=ratings["user_id"] * 7 + 3, item_id=ratings["item_id"] ** 2)
    stars = predict_ratings(fit_recommender(ratings, config, split), *ids_of(ratings))
    assert_array_equal(stars, predict_ratings(fit_recommender(other, config, split), *ids_of(other)))


def test_the_order_of_ratings_hardly_matters(ratings):
    shuffled = ratings.sample(frac=1, random_state=0)
    one, other = (
        predict_ratings(fit_recommender(table, changed(QUICK, epochs=8)), *ids_of(ratings)).mean(0)
        for table in (ratings, shuffled)
    )
    assert np.sqrt(np.mean((one - other) ** 2)) < 0.15 * ratings["rating"].std()


@pytest.mark.parametrize(
    ("lowest", "highest", "y_range"), [(1, 5, (0, 5.5)), (0.5, 5, (-0.625, 5.5625)), (1, 10, (-1.25, 11.125))]
)
def test_predictions_may_reach_beyond_the_scale_of_the_ratings(ratings, lowest, highest, y_range):
    stars = np.round(2 * np.interp(ratings["rating"], (1, 5), (lowest, highest))) / 2
    recommender, scores = fit_and_score(ratings.assign(rating=stars), QUICK)
    assert recommender.scale == (lowest, highest)
    assert recommender.y_range == y_range
    assert scores["rmse"] < 0.5 * stars.std()


@pytest.mark.parametrize(
    ("lowest", "highest", "y_range"),
    [(0.5, None, (0.5, 5.5)), (None, 6, (0, 6)), (0, 5, (0, 5)), (6, None, None), (None, -1, None), (3, 3, None)],
)
def test_ends_of_the_predictions_may_be_set_unless_they_leave_no_range(ratings, lowest, highest, y_range):
    config = changed(SHORT, epochs=1, y_lowest=lowest, y_highest=highest)
    if y_range:
        assert fit_recommender(ratings, config).y_range == y_range
    else:
        with pytest.raises(SettingsError, match="--collab.y-lowest and --collab.y-highest; found: .* and "):
            fit_recommender(ratings, config)


@pytest.mark.parametrize("name", MODELS)
def test_without_held_out_ratings_all_epochs_are_used_and_no_batch_has_a_single_rating(ratings, name):
    some = ratings.iloc[: len(ratings) // QUICK.batch_size * QUICK.batch_size - QUICK.batch_size + 1]
    train = np.ones(len(some), bool)
    config = changed(QUICK, model=name, patience=1, epochs=4)
    recommender = fit_recommender(some, config, Split(train, held_out=~train, unseen=~train))
    assert recommender.valid_loss.shape == (4, 3)
    assert np.isnan(recommender.valid_loss).all()
    assert score_recommender(recommender, some)["rmse"] < some["rating"].std()


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_rating_that_is_nan_stops_the_fit(ratings, n_seeds):
    stars = ratings["rating"].astype(float)
    stars[split_ratings(ratings, SHORT.split).train.argmax()] = np.nan
    expected = rf"collab bias, seeds 4 to {3 + n_seeds} .* step \d+ of 60; found: loss nan, learning rate \d.*lower the"
    with pytest.raises(TrainingError, match=expected):
        fit_recommender(ratings.assign(rating=stars), changed(SHORT, seed=4, n_seeds=n_seeds))


@pytest.mark.parametrize("name", ["dot", "bias", "neural"])
def test_a_fit_that_diverges_says_at_which_step_and_learning_rate(ratings, name):
    config = changed(SHORT, model=name, learning_rate=1, weight_decay=1e4)
    with pytest.raises(TrainingError, match=r"step \d+ of 60; found: loss (nan|inf), learning rate (0\.\d+|1);"):
        fit_recommender(ratings, config)


def test_steps_are_lean_and_as_many_as_the_batches(ratings, monkeypatch):
    learners, make = [], fit_module.make_learner
    monkeypatch.setattr(fit_module, "make_learner", lambda *a, **b: learners.append(make(*a, **b)) or learners[-1])
    fit_recommender(ratings, SHORT)
    (learner,) = learners
    assert type(learner) is LeanLearner
    assert learner.train_iter == 2 * len(learner.dls.train) == 60


def test_movielens_is_predicted_as_well_as_published(movielens):
    recommender, scores = fit_and_score(movielens.ratings, CollabConfig(n_seeds=2))
    assert recommender.y_range == (0, 5.5)
    assert scores["rmse"] < 0.92
    assert scores["ensemble_rmse"] < 0.915
    assert scores["unseen"] > 0
    assert scores["train"] + scores["held_out"] + scores["unseen"] == len(movielens.ratings)


def numbered(n_ratings, batch_size, seeds=(0, 1), shuffle=True):
    """Rating n is by user n, of item -n."""
    numbers = torch.arange(n_ratings, dtype=torch.int32)
    return RatingBatches(torch.stack([numbers, -numbers], dim=1), numbers.float(), batch_size, seeds, shuffle=shuffle)


def read_epoch(batches):
    """The ratings of an epoch in order, one row per seed."""
    return torch.cat([ratings for _, ratings in batches], dim=1)


@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "in order"])
@pytest.mark.parametrize(("n_ratings", "n_batches"), [(1, 1), (10, 1), (11, 2), (35, 4)])
def test_every_seed_sees_every_rating_with_its_user_and_item_once_per_epoch(n_ratings, n_batches, shuffle):
    batches = numbered(n_ratings, 10, seeds=(3, 1, 2), shuffle=shuffle)
    for _ in range(2):
        sizes = [tuple(ratings.shape) for _, ratings in batches]
        assert len(sizes) == len(batches) == n_batches
        assert sizes[:-1] == [(3, 10)] * (n_batches - 1)
        for seed in read_epoch(batches):
            assert sorted(seed.tolist()) == list(range(n_ratings))
    for pairs, ratings in batches:
        assert torch.equal(pairs, torch.stack([ratings, -ratings], dim=2).int())
        assert (pairs.dtype, ratings.dtype) == (torch.int32, torch.float32)


def test_orders_differ_between_seeds_and_epochs_and_depend_on_their_own_seed_alone():
    together, alone = numbered(50, 10, seeds=(4, 7, 9)), numbered(50, 10, seeds=(7,))
    torch.manual_seed(1)
    epochs = [(read_epoch(together), read_epoch(alone)[0]) for _ in range(3)]
    for seeds, one in epochs:
        assert torch.equal(seeds[1], one)
        for other in (seeds[0], torch.arange(50.0)):
            assert not torch.equal(one, other)
    assert not torch.equal(epochs[0][1], epochs[1][1])


@pytest.mark.parametrize("at_once", [1, 10, 25, 40, 1000])
def test_the_order_does_not_depend_on_how_much_is_gathered_at_once(at_once, monkeypatch):
    expected = read_epoch(numbered(95, 10))
    monkeypatch.setattr(fit_module, "_RATINGS_AT_ONCE", at_once)
    assert [ratings.shape[1] for _, ratings in numbered(95, 10)] == [10] * 9 + [5]
    assert torch.equal(read_epoch(numbered(95, 10)), expected)


def test_unshuffled_batches_are_views_of_the_ratings():
    batches = numbered(35, 10, seeds=range(100), shuffle=False)
    for pairs, ratings in batches:
        assert pairs.untyped_storage().data_ptr() == batches.pairs.untyped_storage().data_ptr()
        assert ratings.untyped_storage().data_ptr() == batches.ratings.untyped_storage().data_ptr()
    assert torch.equal(read_epoch(batches), torch.arange(35.0).expand(100, -1))


@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "in order"])
def test_without_ratings_there_is_no_batch(shuffle):
    batches = numbered(0, 10, shuffle=shuffle)
    assert len(batches) == len(list(batches)) == 0


class Counting(torch.nn.Module):
    """An ensemble in which the only weight of each seed is the number of the current epoch."""

    def __init__(self, n_seeds):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(n_seeds))

    def forward(self, inputs):
        with torch.no_grad():
            self.weight += self.training
        return inputs + 0 * self.weight[:, None]

    def state(self):
        return {"weight": self.weight.detach()}

    def load_state(self, state):
        self.weight.data.copy_(state["weight"])


class Scripted(SeedErrors):
    """Errors set by the test: one row per epoch, one column per seed."""

    def __init__(self, errors):
        super().__init__(len(errors[0]))
        self.errors = np.array(errors)

    def by_seed(self):
        return self.errors[len(self.sums) - 1]


def train(errors, patience, n_seeds, epochs=6):
    batch = torch.zeros(n_seeds, 4), torch.zeros(n_seeds, 4)
    model = Counting(n_seeds)
    learner = Learner(
        DataLoaders([batch], [batch]),
        model,
        loss_func=lambda found, expected: (found - expected).square().sum(),
        metrics=[errors],
        cbs=[BestEpochPerSeed(errors, patience)],
    )
    with learner.no_bar(), learner.no_logging():
        learner.fit(epochs, lr=0.0)
    return len(learner.recorder.values), model.weight.tolist()


@pytest.mark.parametrize(
    ("values", "patience", "epochs", "best"),
    [
        ([5, 4, 3, 2, 1, 0], 1, 6, 6),
        ([5, 3, 4, 4, 4, 4], 3, 5, 2),
        ([5, 3, 4, 2, 4, 4], 2, 6, 4),
        ([5, 5, 5, 5, 5, 5], 1, 2, 1),
        ([5, 6, 4, 6, 4, 1], 2, 5, 3),
    ],
)
def test_the_best_epoch_is_restored_when_patience_ends(values, patience, epochs, best):
    assert train(Scripted([[value] for value in values]), patience, 1) == (epochs, [best])


def test_each_seed_keeps_its_own_best_epoch_as_if_alone():
    columns = [[5, 3, 4, 4, 1, 0], [5, 4, 3, 2, 1, 0], [1, 2, 2, 2, 2, 0]]
    epochs, weights = train(Scripted(np.transpose(columns)), 2, 3)
    alone = [train(Scripted([[value] for value in column]), 2, 1)[1][0] for column in columns]
    assert epochs == 6
    assert weights == alone == [2, 6, 1]


def test_without_held_out_ratings_the_last_epoch_is_kept():
    errors = SeedErrors(2)
    errors.accumulate = lambda _: None
    assert train(errors, 1, 2) == (6, [6, 6])


def test_errors_are_means_over_ratings_for_each_seed_and_epoch():
    errors = SeedErrors(2)
    for factor in (1, 2):
        errors.reset()
        for ratings in (3, 1):
            stars = torch.tensor([[1.0], [3.0]]).expand(2, ratings) * factor
            errors.accumulate(SimpleNamespace(pred=stars, y=torch.zeros(2, ratings)))
    assert_allclose(errors.by_seed(), [4, 36])
    assert_allclose(errors.curves(), [[1, 9], [4, 36]])
    assert errors.value == pytest.approx(20)
