"""Whether probabilities are what they say they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

_BINS = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])


def calibrate(truth: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """One row a bin of probabilities: said (their mean), carried (share that is so), pairs of text and label."""
    pairs = pd.DataFrame({"said": probabilities.ravel(), "carried": truth.ravel()})
    grouped = pairs.groupby(np.digitize(pairs["said"], _BINS[1:-1]))
    return grouped.mean().assign(pairs=grouped.size()).reset_index(drop=True)


def calibration_error(calibration: pd.DataFrame) -> float:
    """How far, on average, the share that is so lies from what was said. Source: Naeini et al. 2015, expected error."""
    off = (calibration["said"] - calibration["carried"]).abs()
    return float((off * calibration["pairs"]).sum() / calibration["pairs"].sum())


# Evenly spaced in log-odds: thresholds of rare labels lie close together near 0.
GRID = expit(np.linspace(-5, 3, 161))


@dataclass(frozen=True)
class Thresholds:
    """shared: float. each: float64 (labels,)."""

    shared: float
    each: np.ndarray


def tune_thresholds(truth: np.ndarray, probabilities: np.ndarray, shrinkage: float) -> Thresholds:
    """The thresholds with the best F1: micro F1 for the shared one, the label's own F1 for each.

    truth: bool (items, labels). probabilities: same shape. The best threshold of a label with few items is mostly
    noise. So in log-odds each is drawn to the one that would be best if the probabilities were true, which needs no
    truth and is far less noisy, as if `shrinkage` items more had been best there. Source: Lipton et al. 2014, optimal
    thresholding of classifiers to maximize F1, for the best threshold given probabilities.
    """
    true_positives, given, positives = _counts(truth, probabilities)
    shared = GRID[np.argmax(_f1(true_positives.sum(1), given.sum(1), positives.sum()))]
    own = GRID[np.argmax(_f1(true_positives, given, positives), axis=0)]
    expected = np.stack([np.where(probabilities >= threshold, probabilities, 0).sum(0) for threshold in GRID])
    as_said = GRID[np.argmax(_f1(expected, given, probabilities.sum(0)), axis=0)]
    trust = positives / (positives + shrinkage) if shrinkage else np.ones(len(positives))
    return Thresholds(float(shared), expit(trust * logit(own) + (1 - trust) * logit(as_said)))


def threshold_curve(truth: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """How good one threshold for all labels is, wherever it lies.

    Arguments as for `tune_thresholds`. Returns one row a threshold: threshold, precision, recall (both over all
    labels together), micro, macro and weighted F1.
    """
    true_positives, given, positives = _counts(truth, probabilities)
    f1 = _f1(true_positives, given, positives)
    return pd.DataFrame(
        {
            "threshold": GRID,
            "precision": true_positives.sum(1) / np.maximum(given.sum(1), 1),
            "recall": true_positives.sum(1) / max(positives.sum(), 1),
            "micro_f1": _f1(true_positives.sum(1), given.sum(1), positives.sum()),
            "macro_f1": f1.mean(axis=1),
            "weighted_f1": f1 @ positives / max(positives.sum(), 1),
        }
    )


def _counts(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At each threshold and for each label: true positives, labels given; and the positives of each label."""
    given = np.stack([(probabilities >= threshold).sum(0) for threshold in GRID])
    hit = np.stack([((probabilities >= threshold) & truth).sum(0) for threshold in GRID])
    return hit.astype(float), given.astype(float), truth.sum(0).astype(float)


def _f1(true_positives: np.ndarray, given: np.ndarray, positives: np.ndarray) -> np.ndarray:
    return np.asarray(2 * true_positives / np.maximum(given + positives, 1e-9))


def fit_stacking(parts: Sequence[np.ndarray], truth: np.ndarray) -> np.ndarray:
    """The mixture of logits under which the truth is most probable: a weight for each part, and what is added.

    parts, truth: (texts, labels) each. Returns float64 (parts + 1,). Sources: Wolpert 1992, stacked generalization;
    Platt 1999, for a single part.
    """
    logits = np.stack([part.ravel() for part in parts], axis=1)
    model = LogisticRegression(C=np.inf).fit(logits, truth.ravel())
    return np.array([*model.coef_[0], model.intercept_[0]])


def apply_stacking(parts: Sequence[np.ndarray], mixture: np.ndarray) -> np.ndarray:
    """The probabilities that follow from logits of all parts: float64 (texts, labels)."""
    return np.asarray(expit(np.tensordot(mixture[:-1], np.stack(parts), axes=1) + mixture[-1]))
