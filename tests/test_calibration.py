import numpy as np
import pytest
from scipy.special import logit

from latentflix.calibration import (
    GRID,
    apply_stacking,
    calibration_curve,
    calibration_error,
    fit_stacking,
    threshold_curve,
    tune_thresholds,
)


def test_true_probabilities_are_calibrated_and_overconfident_ones_are_not():
    random = np.random.default_rng(1)
    true = random.beta(0.4, 2, (20_000, 2))
    y_true = random.random(true.shape) < true
    assert calibration_error(calibration_curve(y_true, true)) < 0.01
    assert calibration_error(calibration_curve(y_true, true**0.5)) == pytest.approx((true**0.5 - true).mean(), abs=0.01)
    assert calibration_curve(y_true, true)["pairs"].sum() == 40_000


def test_certainty_has_no_error_if_it_is_right_and_error_1_if_it_is_wrong():
    y_true = np.array([True, False, True, False])
    assert calibration_error(calibration_curve(y_true, y_true.astype(float))) == 0
    assert calibration_error(calibration_curve(y_true, 1.0 - y_true)) == 1


def test_stacking_recovers_the_weights_that_made_the_truth():
    random = np.random.default_rng(0)
    parts = list(random.normal(size=(2, 40_000, 2)))
    y_true = random.random((40_000, 2)) < apply_stacking(parts, np.array([1.5, 0.5, -1.0]))
    assert fit_stacking(parts, y_true) == pytest.approx([1.5, 0.5, -1.0], abs=0.05)


def draw_probabilities(n_items=4000, seed=0):
    """Probabilities that are true, of a frequent and a rare label."""
    random = np.random.default_rng(seed)
    probabilities = random.beta([2, 0.3], [3, 6], size=(n_items, 2))
    return random.random(probabilities.shape) < probabilities, probabilities


def f1(y_true, y_pred):
    return 2 * (y_true & y_pred).sum(0) / (y_true.sum(0) + y_pred.sum(0))


def test_without_shrinkage_the_shared_threshold_and_that_of_each_label_have_the_best_f1_there_is():
    y_true, probabilities = draw_probabilities()
    tuned = tune_thresholds(y_true, probabilities, 0)
    scores = [f1(y_true.ravel(), (probabilities >= threshold).ravel()) for threshold in GRID]
    assert f1(y_true.ravel(), (probabilities >= tuned.shared).ravel()) == max(scores)
    best = np.max([f1(y_true, probabilities >= threshold) for threshold in GRID], axis=0)
    assert f1(y_true, probabilities >= tuned.each) == pytest.approx(best)


def test_the_suggested_threshold_of_true_probabilities_is_half_of_its_f1():
    y_true, probabilities = draw_probabilities(100_000)
    suggested = tune_thresholds(y_true, probabilities, 1e12).each
    assert suggested == pytest.approx(f1(y_true, probabilities >= suggested) / 2, abs=0.02)


def test_the_threshold_of_a_rare_label_is_drawn_more():
    y_true, probabilities = draw_probabilities(200)
    probabilities **= 0.5
    y_true[:, 1] = False
    y_true[np.argmax(probabilities[:, 1]), 1] = True
    own, drawn, suggested = (logit(tune_thresholds(y_true, probabilities, each).each) for each in (0, 20, 1e12))
    shift = (drawn - own) / (suggested - own)
    positives = y_true.sum(0)
    assert shift == pytest.approx(20 / (positives + 20))
    assert shift[1] > 0.9 > shift[0]


def test_an_item_of_weight_two_counts_as_two_items():
    random = np.random.default_rng(5)
    probabilities = random.random((60, 3))
    y_true = random.random((60, 3)) < probabilities
    weights = random.integers(1, 4, 60)
    repeated = tune_thresholds(np.repeat(y_true, weights, 0), np.repeat(probabilities, weights, 0), 5)
    weighted = tune_thresholds(y_true, probabilities, 5, weights.astype(float))
    assert weighted.shared == repeated.shared
    np.testing.assert_allclose(weighted.each, repeated.each)


def test_the_threshold_curve_by_hand():
    y_true = np.array([[True, False], [True, True], [False, False]])
    probabilities = np.array([[0.9, 0.1], [0.3, 0.6], [0.6, 0.1]])
    curve = threshold_curve(y_true, probabilities)
    row = curve.iloc[(curve["threshold"] - 0.5).abs().idxmin()]
    expected = {"precision": 2 / 3, "recall": 2 / 3, "micro_f1": 2 / 3, "macro_f1": 0.75, "weighted_f1": 2 / 3}
    assert row.drop("threshold").to_dict() == pytest.approx(expected)
    assert curve["recall"].is_monotonic_decreasing
