"""Methods side by side on the same items held out, and labels given yes or no by thresholds.

The thresholds with which the items of a fold are judged are tuned on the items of all other folds, each of which was
read by a classifier that had not read about it; of the fold's own items nothing is known to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.calibration import tune_thresholds
from latentflix.config import StageConfig, setting
from latentflix.factors.evaluation import average_by_item, grouped_average_precision, pairwise_auc
from latentflix.factors.labels import indicator_matrix

CLASSIFIER, PRIOR = "classifier", "prior"


class ComparisonConfig(StageConfig):
    """Which methods are compared, and how."""

    sentences: bool = setting(False, "a sentence transformer too: its vectors, with logistic regression for a head")
    shrinkage: float = setting(
        20, "how far the thresholds of rare labels are drawn to what is likely", unit="items", ge=0
    )
    bootstraps: int = setting(500, "resamples of the items, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    seed: int = setting(0, "seed of the resamples", ge=0)


@dataclass(frozen=True)
class Comparison:
    """methods: one row per method: method, and auc, average_precision, micro_f1, macro_f1, each with _low and _high.

    The last row gives every item the same, the share of the other folds' items that carry a label. labels: one row a
    label: label, items, threshold (the mean over folds), given, precision, recall, f1, of the classifier.
    """

    methods: pd.DataFrame
    labels: pd.DataFrame


def compare_methods(
    predictions: Mapping[str, pd.DataFrame],
    item_ids: pd.Series,
    folds: pd.Series,
    item_labels: pd.DataFrame,
    labels: list[str],
    config: ComparisonConfig,
) -> Comparison:
    """Score every method's predictions of items never read about.

    predictions: by method, CLASSIFIER among them: classifier, review_id, a probability for each label. item_ids: index
    review_id. folds: index item_id. An item's probability is the mean of its reviews'.
    """
    items = {name: average_by_item(table, item_ids, labels) for name, table in predictions.items()}
    index = items[CLASSIFIER].index
    groups = folds.loc[index].to_numpy()
    truth = indicator_matrix(item_labels, pd.Series(index), labels).astype(bool)
    said = {name: table.loc[index].to_numpy(np.float64) for name, table in items.items()}
    said[PRIOR] = np.stack([truth[groups != group].mean(0) for group in groups])
    thresholds = {name: thresholds_by_fold(truth, values, groups, config.shrinkage) for name, values in said.items()}
    given = {name: values >= thresholds[name] for name, values in said.items()}
    random = np.random.default_rng(config.seed)
    counts = random.multinomial(len(index), np.full(len(index), 1 / len(index)), config.bootstraps).astype(float)
    rows = []
    for name, values in said.items():
        once = _scores(truth, values, given[name], groups, np.ones((1, len(index))))
        resampled = _scores(truth, values, given[name], groups, counts)
        row: dict[str, float | str] = {"method": name}
        for score, value in once.items():
            row |= {score: float(value[0]), **_interval(score, float(value[0]), resampled[score], config)}
        rows.append(row)
    return Comparison(pd.DataFrame(rows), _by_label(labels, truth, given[CLASSIFIER], thresholds[CLASSIFIER], groups))


def thresholds_by_fold(truth: np.ndarray, said: np.ndarray, groups: np.ndarray, shrinkage: float) -> np.ndarray:
    """For each item and label, the threshold that is best on the items of all other folds: float64 (items, labels)."""
    thresholds = np.zeros(said.shape)
    for group in np.unique(groups):
        others = groups != group
        thresholds[~others] = tune_thresholds(truth[others], said[others], shrinkage).each
    return thresholds


def _scores(
    truth: np.ndarray, said: np.ndarray, given: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Each score for each row of weights (trials, items)."""
    hit, carried, told = weights @ (given & truth), weights @ truth, weights @ given
    metrics = {"auc": pairwise_auc, "average_precision": grouped_average_precision}
    ranked = {
        name: np.nanmean(
            [metric(said[:, c], groups, truth[None, :, c].astype(float), weights) for c in range(truth.shape[1])],
            axis=0,
        )
        for name, metric in metrics.items()
    }
    return ranked | {
        "micro_f1": 2 * hit.sum(1) / np.maximum(carried.sum(1) + told.sum(1), 1),
        "macro_f1": (2 * hit / np.maximum(carried + told, 1)).mean(1),
    }


def _interval(name: str, value: float, resampled: np.ndarray, config: ComparisonConfig) -> dict[str, float]:
    # As in `evaluation`: an item drawn twice lifts some scores, so the resamples give the width alone.
    tail = (1 - config.confidence) / 2
    low, high = np.nanquantile(value + resampled - np.nanmean(resampled), [tail, 1 - tail])
    return {f"{name}_low": float(low), f"{name}_high": float(high)}


def _by_label(
    labels: list[str], truth: np.ndarray, given: np.ndarray, thresholds: np.ndarray, groups: np.ndarray
) -> pd.DataFrame:
    hit, items, told = (given & truth).sum(0), truth.sum(0), given.sum(0)
    firsts = np.unique(groups, return_index=True)[1]
    return pd.DataFrame(
        {
            "label": labels,
            "items": items,
            "threshold": thresholds[firsts].mean(0),
            "given": told,
            "precision": hit / np.maximum(told, 1),
            "recall": hit / np.maximum(items, 1),
            "f1": 2 * hit / np.maximum(items + told, 1),
        }
    )
