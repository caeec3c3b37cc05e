import numpy as np
import pytest

from latentflix.calibration import calibrate, calibration_error


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
