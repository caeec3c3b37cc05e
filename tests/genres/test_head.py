import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from latentflix.errors import TrainingError
from latentflix.genres.head import (
    HeadConfig,
    PlotBatches,
    build_head,
    head_logits,
    make_loss,
    sampling_weights,
    train_head,
)

QUICK = HeadConfig(hidden_size=16, epochs=40, learning_rate=1e-2, dropout=0.1)
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(1500, 8)).astype(np.float32)
HAS_GENRE = FEATURES @ RANDOM.normal(size=(8, 3)).astype(np.float32) > np.array([0, 2, 4])
VALID = np.arange(1500) % 5 == 0
LOSSES = ("plain", "weighted", "focal", "asymmetric")


def train(loss="plain", resample=False, config=QUICK, seed=0):
    return train_head(FEATURES, HAS_GENRE, VALID, loss, config, resample=resample, seed=seed)


@pytest.mark.parametrize(
    ("batch_norm", "layers"),
    [(False, ["Linear", "Dropout", "ReLU", "Linear"]), (True, ["Linear", "Dropout", "ReLU", "BatchNorm1d", "Linear"])],
)
def test_the_network_is_linear_dropout_relu_linear_with_batch_norm_if_asked(batch_norm, layers):
    head = build_head(8, 3, HeadConfig(batch_norm=batch_norm))
    assert [type(layer).__name__ for layer in head] == layers


@pytest.mark.parametrize("resample", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_genres_are_learned_with_every_loss(loss, resample):
    head = train(loss, resample)
    assert head.history["one_minus_map"].min() < 0.1
    logits = head_logits(FEATURES[VALID], head.weights, 3, QUICK)
    for column, has_genre in zip(logits.T, HAS_GENRE[VALID].T, strict=True):
        assert column[has_genre].mean() > column[~has_genre].mean() + 1


def test_the_weights_are_those_of_the_best_epoch():
    head = train(config=QUICK.model_copy(update={"epochs": 60, "patience": 3}))
    best = head.history["one_minus_map"].idxmin()
    assert len(head.history) - 1 - best == 3
    logits = torch.from_numpy(head_logits(FEATURES[VALID], head.weights, 3, QUICK))
    loss = binary_cross_entropy_with_logits(logits, torch.from_numpy(HAS_GENRE[VALID].astype(np.float32)))
    assert float(loss) == pytest.approx(head.history["valid_loss"][best], abs=1e-5)


def test_the_same_seed_gives_the_same_head_and_another_another():
    first, again, other = (train(seed=seed).weights["0.weight"] for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_a_loss_that_is_nan_is_refused():
    with pytest.raises(TrainingError, match="genres, plain loss"):
        train_head(FEATURES * np.nan, HAS_GENRE, VALID, "plain", QUICK, resample=False, seed=0)


def test_losses_of_one_logit_are_what_their_papers_say():
    y_true = np.array([[True], [False], [False], [False], [False]])
    logits, probability = torch.tensor([[0.5]]), 1 / (1 + np.exp(-0.5))
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    expected = {
        "plain": (-np.log(probability), -np.log(1 - probability)),
        "weighted": (-2 * np.log(probability), -np.log(1 - probability)),
        "focal": (-((1 - probability) ** 2) * np.log(probability), -(probability**2) * np.log(1 - probability)),
        "asymmetric": (-np.log(probability), -((probability - 0.05) ** 2) * np.log(1.05 - probability)),
    }
    for name, (of_one, of_zero) in expected.items():
        loss = make_loss(name, y_true)
        assert float(loss(logits, one)) == pytest.approx(of_one, rel=1e-5), name
        assert float(loss(logits, zero)) == pytest.approx(of_zero, rel=1e-5), name


def test_plots_of_rare_genres_are_drawn_more_often_by_the_root_of_their_rarity():
    y_true = np.zeros((100, 2), bool)
    y_true[:64, 0], y_true[:4, 1] = True, True
    weights = sampling_weights(y_true)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] / weights[10] == pytest.approx(np.sqrt(0.64 / 0.04))


def test_an_epoch_has_each_plot_once_and_no_batch_of_one():
    batches = list(PlotBatches(FEATURES[:65], HAS_GENRE[:65], 32, None, 0))
    assert [len(features) for features, _ in batches] == [22, 22, 21]
    seen = torch.cat([features for features, _ in batches]).numpy()
    assert sorted(map(tuple, seen)) == sorted(map(tuple, FEATURES[:65]))
