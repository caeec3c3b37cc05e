import numpy as np
import pytest

from latentflix.calibration import (
    GRID,
    apply_stacking,
    calibrate,
    calibration_error,
    fit_stacking,
    threshold_curve,
    tune_thresholds,
)


def test_true_probabilities_are_calibrated_and_bold_ones_are_not():
    random = np.random.default_rng(1)
    true = random.beta(0.4, 2, (20_000, 2))
    truth = random.random(true.shape) < true
    assert calibration_error(calibrate(truth, true)) < 0.01
    assert calibration_error(calibrate(truth, true**0.5)) == pytest.approx((true**0.5 - true).mean(), abs=0.01)
    assert calibrate(truth, true)["pairs"].sum() == 40_000


def test_certainty_that_is_right_has_no_error_and_certainty_that_is_wrong_the_whole():
    truth = np.array([True, False, True, False])
    assert calibration_error(calibrate(truth, truth.astype(float))) == 0
    assert calibration_error(calibrate(truth, 1.0 - truth)) == 1


def test_a_mixture_recovers_the_weights_that_made_the_truth():
    random = np.random.default_rng(0)
    parts = list(random.normal(size=(2, 40_000, 2)))
    truth = random.random((40_000, 2)) < apply_stacking(parts, np.array([1.5, 0.5, -1.0]))
    assert fit_stacking(parts, truth) == pytest.approx([1.5, 0.5, -1.0], abs=0.05)


def planted(n_items=4000, seed=0):
    """Probabilities that are true, of a frequent and a rare label."""
    random = np.random.default_rng(seed)
    probabilities = random.beta([2, 0.3], [3, 6], size=(n_items, 2))
    return random.random(probabilities.shape) < probabilities, probabilities


def f1(truth, given):
    return 2 * (truth & given).sum(0) / (truth.sum(0) + given.sum(0))


def test_the_shared_threshold_has_the_best_micro_f1_there_is():
    truth, probabilities = planted()
    shared = tune_thresholds(truth, probabilities, 0).shared
    scores = [f1(truth.ravel(), (probabilities >= threshold).ravel()) for threshold in GRID]
    assert f1(truth.ravel(), (probabilities >= shared).ravel()) == max(scores)


def test_without_shrinkage_each_label_has_its_own_best_threshold():
    truth, probabilities = planted()
    each = tune_thresholds(truth, probabilities, 0).each
    best = np.max([f1(truth, probabilities >= threshold) for threshold in GRID], axis=0)
    assert f1(truth, probabilities >= each) == pytest.approx(best)


def test_of_true_probabilities_the_likely_threshold_is_half_of_its_f1():
    truth, probabilities = planted(100_000)
    likely = tune_thresholds(truth, probabilities, 1e12).each
    assert likely == pytest.approx(f1(truth, probabilities >= likely) / 2, abs=0.02)


def test_the_rarer_a_label_the_more_it_is_drawn():
    truth, probabilities = planted(200)
    probabilities **= 0.5
    truth[:, 1] = False
    truth[np.argmax(probabilities[:, 1]), 1] = True
    own, drawn, likely = (tune_thresholds(truth, probabilities, shrinkage).each for shrinkage in (0, 20, 1e12))
    moved = (np.log(drawn / (1 - drawn)) - np.log(own / (1 - own))) / (
        np.log(likely / (1 - likely)) - np.log(own / (1 - own))
    )
    positives = truth.sum(0)
    assert moved == pytest.approx(20 / (positives + 20))
    assert moved[1] > 0.9 > moved[0]


def test_the_curve_says_what_a_threshold_gives():
    truth = np.array([[True, False], [True, True], [False, False]])
    probabilities = np.array([[0.9, 0.1], [0.3, 0.6], [0.6, 0.1]])
    curve = threshold_curve(truth, probabilities)
    row = curve.iloc[(curve["threshold"] - 0.5).abs().idxmin()]
    expected = {"precision": 2 / 3, "recall": 2 / 3, "micro_f1": 2 / 3, "macro_f1": 0.75, "weighted_f1": 2 / 3}
    assert row.drop("threshold").to_dict() == pytest.approx(expected)
    assert curve["recall"].is_monotonic_decreasing
