"""Methods of prediction compared on the same held-out items, with labels predicted from thresholds on.

The thresholds for the items of a fold are tuned on the items of all other folds, each of which was predicted by a
classifier that had not read about it; so nothing of the fold's own items is known to them. Those for a single review,
which is no item and will be new, are tuned on all held-out reviews, an item's counting as one together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.calibration import tune_thresholds
from latentflix.config import StageConfig, setting
from latentflix.factors.folds import RANDOM_SPLIT, average_by_item
from latentflix.factors.labels import indicator_matrix
from latentflix.metrics import RANKING_METRICS, bootstrap_counts, bootstrap_interval, f1_scores, score_labels

CLASSIFIER, PRIOR = "classifier", "prior"


class ComparisonConfig(StageConfig):
    """Which methods are compared, and how."""

    sentences: bool = setting(False, "compare a sentence transformer too, with logistic regression on its embeddings")
    shrinkage: float = setting(
        20, "items that the threshold suggested by the probabilities is worth for each label", unit="items", ge=0
    )
    bootstraps: int = setting(500, "resamples of the items, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    seed: int = setting(0, "seed of the resamples", ge=0)


@dataclass(frozen=True)
class Comparison:
    """Scores of all methods, PRIOR last (the share of the other folds' items that have a label), and of each label.

    Attributes:
        methods: method, and auc, average_precision, micro_f1, macro_f1, each with _low and _high.
        labels: of the classifier: label, items, threshold (of items, mean over folds), review_threshold (of a single
            review), predicted, precision, recall, f1.
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
    """Score every method's predictions of held-out items, CLASSIFIER's among them; else as `evaluate_predictions`."""
    items = {method: average_by_item(table, item_ids, labels) for method, table in predictions.items()}
    index = items[CLASSIFIER].index
    groups = folds.loc[index].to_numpy()
    y_true = indicator_matrix(item_labels, pd.Series(index), labels).astype(bool)
    probabilities = {method: table.loc[index].to_numpy(np.float64) for method, table in items.items()}
    probabilities[PRIOR] = np.stack([y_true[groups != group].mean(0) for group in groups])
    counts = bootstrap_counts(np.random.default_rng(config.seed), len(index), config.bootstraps)
    rows, thresholds = [], {}
    for method, values in probabilities.items():
        thresholds[method] = thresholds_by_fold(y_true, values, groups, config.shrinkage)
        predicted = values >= thresholds[method]
        scores = _scores(y_true, values, predicted, groups, np.ones((1, len(index))))
        resampled = _scores(y_true, values, predicted, groups, counts)
        row: dict[str, float | str] = {"method": method}
        for name, (value,) in scores.items():
            low, high = bootstrap_interval(resampled[name], config.confidence, centre=float(value))
            row |= {name: float(value), f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    threshold = thresholds[CLASSIFIER]
    one_of_each_fold = np.unique(groups, return_index=True)[1]
    by_label = {"label": labels, "items": y_true.sum(0), "threshold": threshold[one_of_each_fold].mean(0)}
    by_label |= {"review_threshold": _review_thresholds(predictions[CLASSIFIER], item_ids, item_labels, labels, config)}
    by_label |= score_labels(y_true, probabilities[CLASSIFIER] >= threshold)
    return Comparison(pd.DataFrame(rows), pd.DataFrame(by_label))


def thresholds_by_fold(
    y_true: np.ndarray, probabilities: np.ndarray, groups: np.ndarray, shrinkage: float
) -> np.ndarray:
    """For each item and label, the threshold that is best on the items of all other folds: float64 (items, labels)."""
    thresholds = np.zeros(probabilities.shape)
    for group in np.unique(groups):
        others = groups != group
        thresholds[~others] = tune_thresholds(y_true[others], probabilities[others], shrinkage).each
    return thresholds


def _review_thresholds(
    predictions: pd.DataFrame,
    item_ids: pd.Series,
    item_labels: pd.DataFrame,
    labels: list[str],
    config: ComparisonConfig,
) -> np.ndarray:
    """The threshold of each label that is best on single held-out reviews, all items counting alike."""
    held_out = predictions[predictions["classifier"] != RANDOM_SPLIT]
    items = item_ids.loc[held_out["review_id"]].reset_index(drop=True)
    y_true = indicator_matrix(item_labels, items, labels).astype(bool)
    weights = 1 / items.groupby(items).transform("size").to_numpy(np.float64)
    return tune_thresholds(y_true, held_out[labels].to_numpy(np.float64), config.shrinkage, weights).each


def _scores(
    y_true: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Each score for each row of weights (trials, items)."""
    pairs = [(probabilities[:, column], y_true[None, :, column].astype(float)) for column in range(y_true.shape[1])]
    ranked = {
        name: np.nanmean([metric(values, groups, truth, weights) for values, truth in pairs], axis=0)
        for name, metric in RANKING_METRICS.items()
    }
    f1 = f1_scores(y_true, predicted, weights)
    return ranked | {name: f1[name] for name in ("micro_f1", "macro_f1")}
