"""How well sentiment is told of reviews that nothing was learned from or chosen on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from latentflix.calibration import calibrate, calibration_error
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, VALID
from latentflix.sentiment.model import LABELS
from latentflix.sentiment.tfidf import BASELINE


class SentimentEvaluationConfig(StageConfig):
    """How sure the scores are to be, and what is shown."""

    bootstraps: int = setting(2000, "resamples of the test films, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    mistakes: int = setting(20, "most confident mistakes that are kept", ge=0)
    seed: int = setting(0, "seed of the resamples", ge=0)


@dataclass(frozen=True)
class SentimentEvaluation:
    """Scores of test reviews.

    scores: one row a predictor: predictor, accuracy, low, high, over_baseline (how much more accurate than the
    baseline) with its low and high, auc, log_loss, calibration_error. steps: step, valid and test accuracy after it.
    confusion: truth, said, reviews. calibration: as `calibrate` gives it. mistakes: review_id, positive, probability,
    the most confident first. The last three are of the predictor that was chosen.
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

    probabilities: index review_id, a column for each predictor, BASELINE among them. predictor: the one that was chosen
    on validation. step_logits: same index, a column for each step of unfreezing. reviews: index review_id; positive,
    film, part. Intervals come from resamples of films, for reviews of one film are right or wrong together.
    """
    known = reviews.loc[probabilities.index]
    test = (known["part"] == TEST).to_numpy()
    truth = known.loc[test, "positive"].to_numpy()
    counts = _film_counts(known.loc[test, "film"], config)
    right = {name: (said[test].to_numpy() > 0.5) == truth for name, said in probabilities.items()}
    resampled = {name: counts @ hit / counts.sum(1) for name, hit in right.items()}
    rows = []
    for name, hit in right.items():
        said = probabilities.loc[test, name].to_numpy(np.float64)
        over = hit.mean() - right[BASELINE].mean()
        rows.append(
            {
                "predictor": name,
                "accuracy": hit.mean(),
                **_interval("", resampled[name], config),
                "over_baseline": over,
                **_interval("over_baseline_", resampled[name] - resampled[BASELINE], config),
                "auc": roc_auc_score(truth, said),
                "log_loss": log_loss(truth, said),
                "calibration_error": calibration_error(calibrate(truth, said)),
            }
        )
    chosen = probabilities.loc[test, predictor]
    return SentimentEvaluation(
        scores=pd.DataFrame(rows),
        steps=_by_step(step_logits, known),
        confusion=_confusion(truth, chosen.to_numpy() > 0.5),
        calibration=calibrate(truth, chosen.to_numpy(np.float64)),
        mistakes=_mistakes(chosen, truth, config.mistakes),
    )


def _film_counts(films: pd.Series, config: SentimentEvaluationConfig) -> np.ndarray:
    """How often each review is in each resample: float64 (resamples, reviews)."""
    codes, titles = pd.factorize(films)
    n_items = len(titles)
    drawn = np.random.default_rng(config.seed).multinomial(n_items, np.full(n_items, 1 / n_items), config.bootstraps)
    return drawn[:, codes].astype(float)


def _interval(prefix: str, resampled: np.ndarray, config: SentimentEvaluationConfig) -> dict[str, float]:
    tail = (1 - config.confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return {f"{prefix}low": float(low), f"{prefix}high": float(high)}


def _by_step(step_logits: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    right = (step_logits > 0).eq(known["positive"].to_numpy(), axis=0)
    parts = {part: right[(known["part"] == part).to_numpy()].mean() for part in (VALID, TEST)}
    return pd.DataFrame(parts).rename_axis("step").reset_index()


def _confusion(truth: np.ndarray, said: np.ndarray) -> pd.DataFrame:
    pairs = [(actual, given) for actual in (False, True) for given in (False, True)]
    rows = [
        (LABELS[actual], LABELS[given], int(((truth == actual) & (said == given)).sum())) for actual, given in pairs
    ]
    return pd.DataFrame(rows, columns=["truth", "said", "reviews"])


def _mistakes(chosen: pd.Series, truth: np.ndarray, count: int) -> pd.DataFrame:
    table = pd.DataFrame({"positive": truth, "probability": chosen.to_numpy()}, chosen.index).reset_index()
    wrong = table[(table["probability"] > 0.5) != table["positive"]]
    confident = (wrong["probability"] - 0.5).abs().sort_values(ascending=False, kind="stable").index[:count]
    return wrong.loc[confident].reset_index(drop=True)
