import numpy as np
import pandas as pd
import pytest

from latentflix.calibration import calibration_error
from tests.support.factories.sentiment import evaluate, make_predictions

PROBABILITIES, STEPS, REVIEWS = CASE = make_predictions()
EVALUATION = evaluate(CASE)
TEST = REVIEWS["part"] == "test"


def test_accuracy_is_that_of_the_test_reviews_alone():
    scores = EVALUATION.scores.set_index("predictor")
    right = (PROBABILITIES[TEST] > 0.5).eq(REVIEWS.loc[TEST, "positive"], axis=0).mean()
    assert scores["accuracy"].to_dict() == pytest.approx(right.to_dict())
    assert scores.loc["combined", "over_baseline"] == pytest.approx(right["combined"] - right["baseline"])
    assert scores.loc["baseline", ["over_baseline", "over_baseline_low", "over_baseline_high"]].tolist() == [0, 0, 0]
    swapped = REVIEWS.assign(positive=np.where(TEST, REVIEWS["positive"], ~REVIEWS["positive"]))
    pd.testing.assert_frame_equal(evaluate((PROBABILITIES, STEPS, swapped)).scores, EVALUATION.scores)


def test_intervals_contain_the_score_and_are_wider_if_films_are_right_or_wrong_as_a_whole():
    together = PROBABILITIES.assign(combined=np.repeat(PROBABILITIES["combined"].to_numpy()[::5], 5))
    as_a_whole = REVIEWS.assign(positive=np.repeat(REVIEWS["positive"].to_numpy()[::5], 5))
    loose, tight = evaluate((together, STEPS, as_a_whole)).scores.iloc[0], EVALUATION.scores.iloc[0]
    for scores in (loose, tight):
        assert scores["low"] < scores["accuracy"] < scores["high"]
    assert loose["high"] - loose["low"] > 1.5 * (tight["high"] - tight["low"])
    normal = 2 * 1.96 * np.sqrt(tight["accuracy"] * (1 - tight["accuracy"]) / 750)
    assert tight["high"] - tight["low"] == pytest.approx(normal, rel=0.15)


def test_confusion_counts_every_test_review_once():
    counts = EVALUATION.confusion.set_index(["y_true", "y_pred"])["reviews"]
    assert counts.sum() == TEST.sum()
    positive, predicted = REVIEWS.loc[TEST, "positive"], PROBABILITIES.loc[TEST, "combined"] > 0.5
    assert counts["negative", "positive"] == (~positive & predicted).sum()
    assert counts["positive", "negative"] == (positive & ~predicted).sum()


def test_steps_are_scored_on_both_parts():
    table = EVALUATION.steps.set_index("step")
    assert list(table.index) == ["head", "all"]
    for part in ("valid", "test"):
        inside = REVIEWS["part"] == part
        expected = ((PROBABILITIES.loc[inside, "combined"] > 0.5) == REVIEWS.loc[inside, "positive"]).mean()
        assert table.loc["all", part] == pytest.approx(expected)
        assert table.loc["head", part] == pytest.approx(0.5, abs=0.1)


def test_the_most_confident_mistakes_come_first():
    mistakes = EVALUATION.mistakes
    assert len(mistakes) == 5
    assert ((mistakes["probability"] > 0.5) != mistakes["positive"]).all()
    off = (mistakes["probability"] - 0.5).abs()
    assert off.is_monotonic_decreasing
    wrong = TEST & ((PROBABILITIES["combined"] > 0.5) != REVIEWS["positive"])
    assert off.iloc[0] == pytest.approx((PROBABILITIES.loc[wrong, "combined"] - 0.5).abs().max())
    assert (REVIEWS.loc[mistakes["review_id"], "part"] == "test").all()


def test_true_probabilities_are_calibrated():
    case = make_predictions(n_films=4000)
    evaluation = evaluate(case)
    assert calibration_error(evaluation.calibration) < 0.01
    assert evaluation.scores.set_index("predictor").loc["baseline", "calibration_error"] > 0.1
    assert evaluation.calibration["pairs"].sum() == (case[2]["part"] == "test").sum()
