"""From scores to decisions: stacked probabilities, thresholds, and how far the probabilities hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

_BINS = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
# Evenly spaced in log-odds: thresholds of rare labels lie close together near 0.
GRID = expit(np.linspace(-5, 3, 161))


def calibration_curve(y_true: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Compare probabilities with frequencies by bin: mean_predicted, fraction_positive, pairs (of text and label)."""
    pairs = pd.DataFrame({"mean_predicted": probabilities.ravel(), "fraction_positive": y_true.ravel()})
    grouped = pairs.groupby(np.digitize(pairs["mean_predicted"], _BINS[1:-1]))
    return grouped.mean().assign(pairs=grouped.size()).reset_index(drop=True)


def calibration_error(curve: pd.DataFrame) -> float:
    """Compute the expected calibration error of a `calibration_curve`. Source: Naeini et al. 2015."""
    gap = (curve["mean_predicted"] - curve["fraction_positive"]).abs()
    return float((gap * curve["pairs"]).sum() / curve["pairs"].sum())


@dataclass(frozen=True)
class Thresholds:
    """The probabilities from which on labels are predicted. shared: one for all labels. each: float64 (labels,)."""

    shared: float
    each: np.ndarray


def tune_thresholds(
    y_true: np.ndarray, probabilities: np.ndarray, shrinkage: float, weights: np.ndarray | None = None
) -> Thresholds:
    """Find the thresholds with the best F1: micro F1 for the shared one, the label's own F1 for each.

    The best threshold of a label with few positives is mostly noise. So in log-odds each is drawn towards the one that
    would be best if the probabilities were true, which needs no truth and is far less noisy. Source: Lipton et al.
    2014, optimal thresholding of classifiers to maximize F1, for the best threshold given probabilities.

    Args:
        y_true: bool (items, labels), as probabilities.
        shrinkage: how many positives the threshold that the probabilities suggest is worth.
        weights: (items,), as how many each counts; by default one.
    """
    weights = np.ones(len(y_true)) if weights is None else weights
    true_positives, predicted, positives = _counts(y_true, probabilities, weights)
    shared = GRID[np.argmax(_f1(true_positives.sum(1), predicted.sum(1), positives.sum()))]
    own = GRID[np.argmax(_f1(true_positives, predicted, positives), axis=0)]
    expected = np.stack([weights @ np.where(probabilities >= threshold, probabilities, 0) for threshold in GRID])
    suggested = GRID[np.argmax(_f1(expected, predicted, weights @ probabilities), axis=0)]
    trust = positives / (positives + shrinkage) if shrinkage else np.ones(len(positives))
    return Thresholds(float(shared), expit(trust * logit(own) + (1 - trust) * logit(suggested)))


def threshold_curve(y_true: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Score every threshold that all labels may share. Arguments as for `tune_thresholds`.

    Returns one row per threshold: threshold, precision and recall over all labels together, micro_f1, macro_f1,
    weighted_f1.
    """
    true_positives, predicted, positives = _counts(y_true, probabilities, np.ones(len(y_true)))
    f1 = _f1(true_positives, predicted, positives)
    return pd.DataFrame(
        {
            "threshold": GRID,
            "precision": true_positives.sum(1) / np.maximum(predicted.sum(1), 1),
            "recall": true_positives.sum(1) / max(positives.sum(), 1),
            "micro_f1": _f1(true_positives.sum(1), predicted.sum(1), positives.sum()),
            "macro_f1": f1.mean(axis=1),
            "weighted_f1": f1 @ positives / max(positives.sum(), 1),
        }
    )


def _counts(
    y_true: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positives and predictions (thresholds, labels), and positives (labels,)."""
    predicted = np.stack([weights @ (probabilities >= threshold) for threshold in GRID])
    true_positives = np.stack([weights @ ((probabilities >= threshold) & y_true) for threshold in GRID])
    return true_positives, predicted, weights @ y_true


def _f1(true_positives: np.ndarray, predicted: np.ndarray, positives: np.ndarray) -> np.ndarray:
    return np.asarray(2 * true_positives / np.maximum(predicted + positives, 1e-9))


def fit_stacking(parts: Sequence[np.ndarray], y_true: np.ndarray) -> np.ndarray:
    """Fit the weighted sum of logits under which the truth is most probable.

    Sources: Wolpert 1992, stacked generalization; Platt 1999, for a single part.

    parts: logits (texts, labels) of each part. y_true: (texts, labels). Returns float64 (parts + 1,): the weight of
    each part, and the intercept.
    """
    logits = np.stack([part.ravel() for part in parts], axis=1)
    model = LogisticRegression(C=np.inf).fit(logits, y_true.ravel())
    return np.array([*model.coef_[0], model.intercept_[0]])


def apply_stacking(parts: Sequence[np.ndarray], mixture: np.ndarray) -> np.ndarray:
    """Compute the probabilities that `fit_stacking`'s mixture makes of logits: float64 (texts, labels)."""
    return np.asarray(expit(np.tensordot(mixture[:-1], np.stack(parts), axes=1) + mixture[-1]))
