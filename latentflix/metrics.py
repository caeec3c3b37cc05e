"""Scores of predictions, taken within groups and for many trials at once, and bootstrap intervals.

A trial is a permutation of the truth, a row of `y_true`, or a resample of the items, a row of `weights`.
"""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From scores and groups (items,), y_true and weights (trials or 1, items) to float64 (trials,)."""


def grouped_auc(scores: np.ndarray, groups: np.ndarray, y_true: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the share of pairs of a positive and a negative of one group that the scores put in the right order.

    scores and groups: (items,). y_true, ones and zeros, and weights: (trials or 1, items). Returns float64 (trials,);
    NaN if there is no such pair.
    """
    same = groups[:, None] == groups[None, :]
    wins = ((scores[:, None] > scores[None, :]) + 0.5 * (scores[:, None] == scores[None, :])) * same
    positive, negative = weights * y_true, weights * (1 - y_true)
    with np.errstate(invalid="ignore"):
        won = ((positive @ wins) * negative).sum(1)
        return np.asarray(won / ((positive @ same) * negative).sum(1))


def grouped_average_precision(
    scores: np.ndarray, groups: np.ndarray, y_true: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Compute the mean of the groups' average precisions, weighted by their positives; NaN without positives.

    Arguments as for `grouped_auc`. Source: the step-wise sum of scikit-learn's `average_precision_score`.
    """
    total = np.zeros(np.broadcast_shapes(y_true.shape, weights.shape)[0])
    positives = np.zeros_like(total)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        # Items of one score share a threshold, however they are ordered.
        _, threshold = np.unique(-scores[members], return_inverse=True)
        at_threshold = (threshold[:, None] == np.arange(threshold.max() + 1)).astype(float)
        weight = weights[:, members] @ at_threshold
        true_positives = (weights[:, members] * y_true[:, members]) @ at_threshold
        precision = np.cumsum(true_positives, 1) / np.maximum(np.cumsum(weight, 1), 1e-12)
        total = total + (precision * true_positives).sum(1)
        positives = positives + true_positives.sum(1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / positives)


RANKING_METRICS: dict[str, Metric] = {"auc": grouped_auc, "average_precision": grouped_average_precision}


def f1_scores(y_true: np.ndarray, y_pred: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Compute `micro_f1`, `macro_f1` and `weighted_f1` of bool (items, labels), float64 (trials,) each.

    A label without positives and predictions counts as 0. weights: (trials, items).
    """
    true_positives, positives, predicted = (weights @ each for each in (y_true & y_pred, y_true, y_pred))
    f1 = 2 * true_positives / np.maximum(positives + predicted, 1)
    return {
        "micro_f1": 2 * true_positives.sum(1) / np.maximum(positives.sum(1) + predicted.sum(1), 1),
        "macro_f1": f1.mean(1),
        "weighted_f1": (f1 * positives).sum(1) / np.maximum(positives.sum(1), 1),
    }


def score_labels(y_true: np.ndarray, y_pred: np.ndarray) -> dict[str, np.ndarray]:
    """Count `predicted`, and compute `precision`, `recall` and `f1`, of each label of bool (items, labels)."""
    precision, recall, f1, _ = precision_recall_fscore_support(y_true, y_pred, average=None, zero_division=0)
    return {"predicted": y_pred.sum(0), "precision": precision, "recall": recall, "f1": f1}


def bootstrap_counts(random: np.random.Generator, n_items: int, n_resamples: int) -> np.ndarray:
    """Draw how often each item is in each resample with replacement: float64 (resamples, items)."""
    return random.multinomial(n_items, np.full(n_items, 1 / n_items), n_resamples).astype(float)


def bootstrap_groups(random: np.random.Generator, groups: np.ndarray, n_resamples: int) -> np.ndarray:
    """Draw whole groups of items: how often each item is in each resample, float64 (resamples, items)."""
    names, rows = np.unique(groups, return_inverse=True)
    return bootstrap_counts(random, len(names), n_resamples)[:, rows]


def bootstrap_interval(resampled: np.ndarray, confidence: float, centre: float | None = None) -> tuple[float, float]:
    """Compute the percentile interval of a score from its values in the resamples.

    centre: the score, about which the resamples are centred. An item that is drawn twice stands next to itself in rank,
    which lifts the average precision of every resample; so the resamples give the interval's width and the score its
    place.
    """
    if centre is not None:
        resampled = centre + resampled - np.nanmean(resampled)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def rank_correlations(predicted: np.ndarray, truth: np.ndarray, groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute Spearman's correlation of each column, ranked and centred within each group.

    Only items of one group are compared with each other. Values are taken to have no ties.

    predicted, truth: (items, …), of shapes that broadcast. groups, weights: (items,). Returns
    (…); NaN where a value is.
    """
    total = [np.zeros(1)] * 3
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        weight = (weights[members] / weights[members].sum()).astype(np.float32)
        left, right = (_centred_ranks(values[members], weight) for values in (predicted, truth))
        products = (left * right).T @ weight, (left**2).T @ weight, (right**2).T @ weight
        total = [sum_ + part * weights[members].sum() for sum_, part in zip(total, products, strict=True)]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (total[0] / np.sqrt(total[1] * total[2])).T
    return np.where(np.isnan(predicted).any(0) | np.isnan(truth).any(0), np.nan, found)


def _centred_ranks(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    # Sorting is several times faster along the memory.
    turned = np.ascontiguousarray(np.moveaxis(values, 0, -1))
    ranks = np.empty(turned.shape, np.float32)
    places = np.arange(len(values), dtype=np.float32) / len(values)
    np.put_along_axis(ranks, turned.argsort(-1, kind="stable"), np.broadcast_to(places, turned.shape), -1)
    return np.moveaxis(ranks - (ranks @ weight)[..., None], -1, 0)


def resampled_rank_correlations(
    predicted: np.ndarray, truth: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Compute Spearman's correlations as `rank_correlations`, for many weights, which count in the ranks too.

    Args:
        predicted: (items, columns).
        truth: as `predicted`.
        groups: (items,).
        weights: (resamples, items), for instance how often each item was drawn.

    Returns:
        float64 (resamples, columns); NaN for a column with NaN.
    """
    result = np.full((len(weights), predicted.shape[1]), np.nan)
    for column in range(predicted.shape[1]):
        pair = predicted[:, column], truth[:, column]
        if not all(np.isfinite(values).all() for values in pair):
            continue
        total = np.zeros((3, len(weights)))
        for group in np.unique(groups):
            members = np.flatnonzero(groups == group)
            weight = weights[:, members]
            left, right = (weighted_ranks(values[members], weight) for values in pair)
            total += np.stack([(weight * product).sum(1) for product in (left * right, left**2, right**2)])
        with np.errstate(invalid="ignore", divide="ignore"):
            result[:, column] = total[0] / np.sqrt(total[1] * total[2])
    return result


def weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the share of the weight below each value, less one half: float64 (trials, items).

    Of the weight of equal values, its own included, half is below a value.

    values: (items,). weights: (trials, items).
    """
    order = np.argsort(values, kind="stable")
    in_order = values[order]
    starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])
    sizes = np.diff(np.r_[starts, len(values)])
    of_value = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.empty(weights.shape)
    ranks[:, order] = np.repeat(of_value.cumsum(1) - of_value / 2, sizes, axis=1)
    total = np.maximum(weights.sum(1, keepdims=True), 1e-12)
    ranks /= total
    return np.asarray(ranks - (weights * ranks).sum(1, keepdims=True) / total)
