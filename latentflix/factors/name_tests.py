"""Tests of names: do the words of a pole, chosen without an item, say where the item stands?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, rankdata

from latentflix.factors.folds import assign_groups
from latentflix.factors.labels import POLES
from latentflix.metrics import bootstrap_groups, bootstrap_interval

N_FOLDS = 5
BOOTSTRAPS = 1000
CONFIDENCE = 0.95
MAX_Q = 0.05
_COLUMNS = ["rho", "rho_low", "rho_high", "null", "null_sd", "p", "q"]


def score_names(
    use: np.ndarray,
    positions: pd.DataFrame,
    weights: np.ndarray,
    groups: np.ndarray,
    orders: np.ndarray,
    n_words: Mapping[str, int],
    random: np.random.Generator,
) -> pd.DataFrame:
    """Test the names of poles on items from which their words were not chosen.

    For each fold of items the words of a pole are chosen anew from the other folds: as many as the pole has, those
    whose use has the largest covariance with the position. The score of a held-out item is the mean of their
    standardised use; its rank correlation with the position, within folds and signed towards the pole, is the test's
    rho. For the null, positions are permuted over items and go the same way, the choice of the words included.

    Args:
        use: float32 (items, terms), standardised over items, which needs no position.
        positions: one column for each axis.
        weights: (items,), how much each counts.
        groups: (items,), of items that are held out together.
        orders: int64 (permutations, items).
        n_words: by label, of the poles to test.

    Returns:
        index label; rho, rho_low, rho_high, null, null_sd, p, q (Benjamini and Hochberg's, over the poles tested) and
        holds. Empty if there are too few groups for two folds of two.
    """
    n_folds = min(N_FOLDS, len(np.unique(groups)) // 2)
    tested = {label: count for label, count in n_words.items() if count} if n_folds > 1 else {}
    folds = assign_groups(groups, n_folds, random) if tested else np.zeros(len(groups), np.int64)
    drawn = bootstrap_groups(random, groups, BOOTSTRAPS) * weights
    trials = np.vstack([np.arange(len(groups)), orders])
    rows = {}
    for axis in positions.columns:
        poles = {pole: tested[axis + pole] for pole in POLES if axis + pole in tested}
        truth = positions[axis].to_numpy()[trials]
        for pole, scores in _held_out_scores(use, truth, weights, folds, poles).items():
            towards = truth if pole == POLES[0] else -truth
            rho, *null = _rank_correlations(scores, towards, folds, weights[None])
            resampled = _rank_correlations(scores[:1], towards[:1], folds, drawn)
            interval = bootstrap_interval(resampled, CONFIDENCE, centre=float(rho))
            p = (1 + np.sum(np.array(null) >= rho)) / len(trials)
            rows[axis + pole] = (rho, *interval, np.mean(null), np.std(null), p, 1.0)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=_COLUMNS, dtype=float).rename_axis("label")
    table.index = table.index.astype("str")
    table["q"] = false_discovery_control(table["p"]) if len(table) else table["p"]
    return table.assign(holds=table["q"] <= MAX_Q)


def _rank_correlations(scores: np.ndarray, truth: np.ndarray, folds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's correlations within folds, float64 (trials,); 0 if the scores are all the same.

    Items with equal scores, as where nobody uses the words, share a rank. All but `folds`: (trials or 1, items).
    """
    total = np.zeros((3, max(len(scores), len(weights))))
    for fold in np.unique(folds):
        members = folds == fold
        weight = weights[:, members]
        left, right = (rankdata(values[:, members], axis=1) / members.sum() for values in (scores, truth))
        left, right = (ranks - _mean(ranks, weight) for ranks in (left, right))
        total += [(weight * product).sum(1) for product in (left * right, left**2, right**2)]
    spread = np.sqrt(total[1] * total[2])
    return np.asarray(np.divide(total[0], spread, out=np.zeros_like(spread), where=spread > 1e-12))


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray((weights * values).sum(1, keepdims=True) / np.maximum(weights.sum(1, keepdims=True), 1e-12))


def _held_out_scores(
    use: np.ndarray, truth: np.ndarray, weights: np.ndarray, folds: np.ndarray, n_words: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """The scores of the items for each pole and trial, float32 (trials, items). truth: (trials, items)."""
    scores = {pole: np.zeros(truth.shape, np.float32) for pole in n_words}
    for fold in np.unique(folds) if n_words else []:
        known = np.where(folds == fold, 0, weights)
        centred = known * (truth - truth @ known[:, None] / known.sum())
        covariance = centred.astype(np.float32) @ use
        held_out = np.ascontiguousarray(use[folds == fold].T)
        for pole, count in n_words.items():
            most = np.argpartition(covariance if pole == POLES[1] else -covariance, count - 1, axis=1)[:, :count]
            scores[pole][:, folds == fold] = np.mean([held_out[column] for column in most.T], axis=0)
    return scores
