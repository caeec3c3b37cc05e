"""How well sentiment is predicted for reviews that nothing was trained or chosen on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score

from latentflix.calibration import calibration_curve, calibration_error
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, VALID
from latentflix.metrics import bootstrap_counts, bootstrap_interval
from latentflix.sentiment.model import LABELS
from latentflix.sentiment.tfidf import BASELINE


class SentimentEvaluationConfig(StageConfig):
    """The intervals of the scores, and what is shown."""

    bootstraps: int = setting(2000, "resamples of the test films, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    mistakes: int = setting(20, "most confident mistakes that are shown", ge=0)
    seed: int = setting(0, "seed of the resamples", ge=0)


@dataclass(frozen=True)
class SentimentEvaluation:
    """Scores of the test reviews; the last three tables are of the predictor that was chosen.

    Attributes:
        scores: one row per predictor: predictor, accuracy, low, high, over_baseline (how much more accurate it is than
            the baseline), over_baseline_low, over_baseline_high, auc, log_loss, calibration_error.
        steps: step, valid and test (the accuracies after it).
        confusion: y_true, y_pred, reviews.
        calibration: as `calibration_curve` returns it.
        mistakes: review_id, positive, probability, the most confident first.
    """

    scores: pd.DataFrame
    steps: pd.DataFrame
    confusion: pd.DataFrame
    calibration: pd.DataFrame
    mistakes: pd.DataFrame


def evaluate_sentiment(
    probabilities: pd.DataFrame,
    predictor: str,
    step_logits: pd.DataFrame,
    reviews: pd.DataFrame,
    config: SentimentEvaluationConfig,
) -> SentimentEvaluation:
    """Score every predictor on the test reviews.

    Intervals come from resamples of films, because reviews of one film tend to be right or wrong together.

    Args:
        probabilities: index review_id, one column per predictor, BASELINE among them.
        predictor: the one that was chosen on validation.
        step_logits: same index, one column per step of unfreezing.
        reviews: index review_id; positive, film, part.
    """
    known = reviews.loc[probabilities.index]
    test = (known["part"] == TEST).to_numpy()
    y_true = known.loc[test, "positive"].to_numpy()
    films, titles = pd.factorize(known.loc[test, "film"])
    counts = bootstrap_counts(np.random.default_rng(config.seed), len(titles), config.bootstraps)[:, films]
    correct = {name: (column[test].to_numpy() > 0.5) == y_true for name, column in probabilities.items()}
    resampled = {name: counts @ right / counts.sum(1) for name, right in correct.items()}
    rows = []
    for name, right in correct.items():
        column = probabilities.loc[test, name].to_numpy(np.float64)
        over, resampled_over = right.mean() - correct[BASELINE].mean(), resampled[name] - resampled[BASELINE]
        accuracy = (right.mean(), *bootstrap_interval(resampled[name], config.confidence))
        over_baseline = (over, *bootstrap_interval(resampled_over, config.confidence))
        error = calibration_error(calibration_curve(y_true, column))
        rows.append((name, *accuracy, *over_baseline, roc_auc_score(y_true, column), log_loss(y_true, column), error))
    columns = ["predictor", "accuracy", "low", "high", "over_baseline", "over_baseline_low", "over_baseline_high"]
    after_step = (step_logits > 0).eq(known["positive"].to_numpy(), axis=0)
    steps = pd.DataFrame({part: after_step[(known["part"] == part).to_numpy()].mean() for part in (VALID, TEST)})
    chosen = probabilities.loc[test, predictor]
    shown = pd.DataFrame({"positive": y_true, "probability": chosen.to_numpy()}, chosen.index).reset_index()
    wrong = shown[(shown["probability"] > 0.5) != shown["positive"]]
    confidence = (wrong["probability"] - 0.5).abs()
    most_confident = confidence.sort_values(ascending=False, kind="stable").index[: config.mistakes]
    confusion = confusion_matrix(y_true, chosen.to_numpy() > 0.5, labels=[False, True])
    pairs = pd.MultiIndex.from_product([LABELS, LABELS], names=["y_true", "y_pred"])
    return SentimentEvaluation(
        scores=pd.DataFrame(rows, columns=[*columns, "auc", "log_loss", "calibration_error"]),
        steps=steps.rename_axis("step").reset_index(),
        confusion=pd.Series(confusion.ravel(), pairs, name="reviews").reset_index(),
        calibration=calibration_curve(y_true, chosen.to_numpy(np.float64)),
        mistakes=wrong.loc[most_confident].reset_index(drop=True),
    )
