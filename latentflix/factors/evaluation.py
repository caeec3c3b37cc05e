"""How well labels are predicted from reviews of items never read about, and how far from chance that is.

The unit is the item: the probabilities of its reviews are averaged. Only items of one fold are compared with each
other, for one classifier predicted them; a comparison across folds would score the folds' base rates, which lie the
wrong way round (a fold that holds out a label's items leaves fewer of them to learn from).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from latentflix.factors.folds import RANDOM_SPLIT, average_by_item
from latentflix.factors.inference import EvaluationConfig
from latentflix.factors.labels import indicator_matrix
from latentflix.metrics import (
    RANKING_METRICS,
    Metric,
    bootstrap_counts,
    bootstrap_interval,
    grouped_auc,
)


@dataclass(frozen=True)
class Evaluation:
    """Scores of the predictions.

    A score comes with the mean and deviation of its null (`_null`, `_null_sd`), its p-value (`_p`), the ends of its
    interval (`_low`, `_high`), and the same score of the TF-IDF baseline (`words_…`). The null permutes the labels over
    the items of a fold and is then widened, because classifiers that had learned from permuted labels would differ too.

    Attributes:
        labels: index label; axis, items, prevalence, and the scores `auc` and `average_precision`.
        overall: means over the labels, and AUCs over single reviews, by name.
    """

    labels: pd.DataFrame
    overall: dict[str, Any]


def evaluate_predictions(
    predictions: pd.DataFrame,
    baseline: pd.DataFrame,
    item_ids: pd.Series,
    folds: pd.Series,
    item_labels: pd.DataFrame,
    labels: list[str],
    inflation: float,
    config: EvaluationConfig,
) -> Evaluation:
    """Score the predictions of held-out reviews against their items' labels.

    Args:
        predictions: classifier, review_id, a probability for each label; the baseline's have the same columns.
        item_ids: index review_id.
        folds: index item_id.
        item_labels: item_id, label.
        inflation: how much wider the null is when readers learn anew, as `score_positions` measures it.
    """
    has_label = pd.DataFrame(indicator_matrix(item_labels, pd.Series(folds.index), labels), folds.index, labels)
    items = average_by_item(predictions, item_ids, labels)
    words = average_by_item(baseline, item_ids, labels).loc[items.index]
    y_true = has_label.loc[items.index].astype(float)
    trials = _Trials.draw(folds.loc[items.index].to_numpy(), inflation, config)

    def score(chosen: list[str]) -> dict[str, float]:
        tables = items[chosen], words[chosen], y_true[chosen]
        return {
            key: value
            for name, metric in RANKING_METRICS.items()
            for key, value in trials.score(name, metric, *tables).items()
        }

    counts = {"items": y_true.sum().astype(int), "prevalence": has_label.loc[items.index].mean().astype(float)}
    label_scores = pd.DataFrame.from_dict({label: score([label]) for label in labels}, orient="index")
    table = pd.DataFrame({"axis": [label[:-1] for label in labels], **counts}, labels).join(label_scores)

    overall: dict[str, Any] = {
        "items": len(items),
        "reviews": int(predictions["review_id"].nunique()),
        "prevalence": float(has_label.loc[items.index].to_numpy().mean()),
        **score(labels),
    }
    for prefix, predicted in (("", predictions), ("words_", baseline)):
        is_random = predicted["classifier"] == RANDOM_SPLIT
        for split, part in (("grouped", predicted[~is_random]), ("random", predicted[is_random])):
            overall[f"{prefix}review_auc_{split}"] = _review_auc(part, item_ids, has_label)
    return Evaluation(table.rename_axis("label"), overall)


@dataclass(frozen=True)
class _Trials:
    """The same permutations within groups and the same resamples of the items for every score."""

    groups: np.ndarray
    orders: np.ndarray
    counts: np.ndarray
    inflation: float
    confidence: float

    @classmethod
    def draw(cls, groups: np.ndarray, inflation: float, config: EvaluationConfig) -> "_Trials":
        random = np.random.default_rng(config.seed)
        orders = np.tile(np.arange(len(groups)), (config.permutations, 1))
        for group in np.unique(groups):
            members = np.flatnonzero(groups == group)
            orders[:, members] = random.permuted(orders[:, members], axis=1)
        counts = bootstrap_counts(random, len(groups), config.bootstraps)
        return cls(groups, orders, counts, inflation, config.confidence)

    def score(
        self, name: str, metric: Metric, scores: pd.DataFrame, words: pd.DataFrame, y_true: pd.DataFrame
    ) -> dict[str, float]:
        """The mean over columns of a score, its null, the p-value against it, its interval, and the baseline's score.

        Items keep their labels together when they are permuted.
        """

        def mean(table: pd.DataFrame, orders: np.ndarray, weights: np.ndarray) -> np.ndarray:
            pairs = zip(table.to_numpy().T, y_true.to_numpy().T, strict=True)
            return np.nanmean([metric(column, self.groups, truth[orders], weights) for column, truth in pairs], axis=0)

        as_observed, once = np.arange(len(y_true))[None], np.ones((1, len(y_true)))
        value, words_value = (mean(table, as_observed, once)[0] for table in (scores, words))
        null = mean(scores, self.orders, once)
        null_mean, null_sd = float(np.nanmean(null)), float(np.nanstd(null)) * self.inflation
        low, high = bootstrap_interval(mean(scores, as_observed, self.counts), self.confidence, centre=value)
        return {
            name: float(value),
            f"{name}_null": null_mean,
            f"{name}_null_sd": null_sd,
            f"{name}_p": float(norm.sf((value - null_mean) / max(null_sd, 1e-12))),
            f"{name}_low": low,
            f"{name}_high": high,
            f"words_{name}": float(words_value),
        }


def _review_auc(predictions: pd.DataFrame, item_ids: pd.Series, has_label: pd.DataFrame) -> float | None:
    """The mean over labels of the AUC over single reviews; None without predictions."""
    if predictions.empty:
        return None
    groups, once = pd.factorize(predictions["classifier"])[0], np.ones((1, len(predictions)))
    y_true = has_label.loc[item_ids.loc[predictions["review_id"]]].astype(float)
    aucs = [
        grouped_auc(predictions[label].to_numpy(), groups, y_true[label].to_numpy()[None], once) for label in y_true
    ]
    return float(np.nanmean(aucs))
