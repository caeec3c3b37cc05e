"""How far the labels can be told from reviews of items never read about, and how far from chance that is.

The unit is the item: its reviews' probabilities are averaged. Only items of one fold are compared with each other,
for they were read by one classifier; comparing across folds would score the folds' base rates, which lie the wrong
way round (a fold that holds out a label's items leaves fewer of them to learn from).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from latentflix.config import StageConfig, setting
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.labels import indicator_matrix

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class EvaluationConfig(StageConfig):
    """How sure the scores are to be."""

    permutations: int = setting(1000, "permutations of the labels over items, for the null", ge=20, le=100_000)
    bootstraps: int = setting(1000, "resamples of the items, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    seed: int = setting(0, "seed of permutations and resamples", ge=0)


@dataclass(frozen=True)
class Evaluation:
    """labels: index label; axes: index axis; overall: figures by name. Scores come with `_null`, `_p`, `_low`, `_high`.

    labels: axis, items, prevalence, and for `auc` and `average_precision` the score, its mean over permutations, the
    share of permutations that reach it, and the ends of its interval; `words_auc`, `words_average_precision` are the
    baseline's. axes: the same for `correlation`, Spearman's between the item's score on the axis and how much more
    probable its plus label is than its minus label.
    """

    labels: pd.DataFrame
    axes: pd.DataFrame
    overall: dict[str, Any]


def pairwise_auc(scores: np.ndarray, groups: np.ndarray, carried: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of pairs within a group, one that carries the label and one that does not, in the right order.

    scores, groups: (items,). carried: (trials or 1, items) ones and zeros. weights: (trials or 1, items).
    Returns float64 (trials,); NaN where there is no pair.
    """
    same = groups[:, None] == groups[None, :]
    wins = ((scores[:, None] > scores[None, :]) + 0.5 * (scores[:, None] == scores[None, :])) * same
    positive, negative = weights * carried, weights * (1 - carried)
    with np.errstate(invalid="ignore"):
        won = ((positive @ wins) * negative).sum(1)
        return np.asarray(won / ((positive @ same) * negative).sum(1))


def grouped_average_precision(
    scores: np.ndarray, groups: np.ndarray, carried: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Average precision in each group, weighted by the group's carriers: float64 (trials,).

    Arguments as for `pairwise_auc`. Source: the step-wise sum of scikit-learn's `average_precision_score`.
    """
    total = np.zeros(np.broadcast_shapes(carried.shape, weights.shape)[0])
    carriers = np.zeros_like(total)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        # Items of one score stand at one threshold, however they are ordered.
        _, threshold = np.unique(-scores[members], return_inverse=True)
        at_threshold = (threshold[:, None] == np.arange(threshold.max() + 1)).astype(float)
        weight = weights[:, members] @ at_threshold
        hit = (weights[:, members] * carried[:, members]) @ at_threshold
        precision = np.cumsum(hit, 1) / np.maximum(np.cumsum(weight, 1), 1e-12)
        total = total + (precision * hit).sum(1)
        carriers = carriers + hit.sum(1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / carriers)


def grouped_correlation(scores: np.ndarray, groups: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's correlation of scores and truth after both were ranked and centred in each group: (trials,).

    Arguments as for `pairwise_auc`, but truth is a number an item.
    """
    left = np.zeros((1, len(scores)))
    right = np.zeros(truth.shape)
    for group in np.unique(groups):
        members = groups == group
        left[:, members] = (rankdata(scores[members]) / members.sum())[None]
        right[:, members] = rankdata(truth[:, members], axis=1) / members.sum()
    weight = weights / weights.sum(1, keepdims=True)
    for values in (left, right):
        for group in np.unique(groups):
            members = groups == group
            values[:, members] -= values[:, members].mean(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        covariance = (weight * left * right).sum(1)
        return np.asarray(covariance / np.sqrt((weight * left**2).sum(1) * (weight * right**2).sum(1)))


def evaluate_predictions(
    predictions: pd.DataFrame,
    baseline: pd.DataFrame,
    item_ids: pd.Series,
    folds: pd.Series,
    item_labels: pd.DataFrame,
    labels: list[str],
    scores: pd.DataFrame,
    config: EvaluationConfig,
) -> Evaluation:
    """Score the predictions of held-out reviews against their items' labels.

    predictions, baseline: classifier, review_id, a probability for each label. item_ids: index review_id.
    folds: index item_id. item_labels: item_id, label. scores: index item_id, one column an axis.
    """
    evaluated = pd.Series(folds.index)
    carried = pd.DataFrame(indicator_matrix(item_labels, evaluated, labels), folds.index, labels)
    items = average_by_item(predictions, item_ids, labels)
    words = average_by_item(baseline, item_ids, labels).loc[items.index]
    groups = folds.loc[items.index].to_numpy()
    truth = carried.loc[items.index]
    trials = _Trials.draw(groups, config)

    rows = {}
    for label in labels:
        row: dict[str, Any] = {
            "axis": label[:-1],
            "items": int(truth[label].sum()),
            "prevalence": float(truth[label].mean()),
        }
        for name, metric in (("auc", pairwise_auc), ("average_precision", grouped_average_precision)):
            row |= trials.score(name, metric, items[label].to_numpy(), truth[label].to_numpy(float))
            row[f"words_{name}"] = _once(metric, words[label].to_numpy(), groups, truth[label].to_numpy(float))
        rows[label] = row
    axes = {}
    for axis in dict.fromkeys(label[:-1] for label in labels):
        if not {f"{axis}+", f"{axis}-"} <= set(labels):
            continue
        leaning, words_leaning = (table[f"{axis}+"] - table[f"{axis}-"] for table in (items, words))
        position = scores.loc[items.index, axis].to_numpy(float)
        axes[axis] = trials.score("correlation", grouped_correlation, leaning.to_numpy(), position)
        axes[axis]["words_correlation"] = _once(grouped_correlation, words_leaning.to_numpy(), groups, position)

    overall: dict[str, Any] = {"items": len(items), "reviews": int(predictions["review_id"].nunique())}
    overall["prevalence"] = float(truth.to_numpy().mean())
    for name, metric in (("auc", pairwise_auc), ("average_precision", grouped_average_precision)):
        overall |= trials.score_mean(name, metric, items.to_numpy(), truth.to_numpy(float))
        overall[f"words_{name}"] = float(np.nanmean([row[f"words_{name}"] for row in rows.values()]))
    for prefix, table in (("", predictions), ("words_", baseline)):
        overall[f"{prefix}review_auc_grouped"] = _review_auc(table, item_ids, carried, labels, random=False)
        overall[f"{prefix}review_auc_random"] = _review_auc(table, item_ids, carried, labels, random=True)
    return Evaluation(
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("label"),
        pd.DataFrame.from_dict(axes, orient="index").rename_axis("axis"),
        overall,
    )


@dataclass(frozen=True)
class _Trials:
    """The same permutations and resamples of the items for every score."""

    groups: np.ndarray
    orders: np.ndarray
    counts: np.ndarray
    confidence: float

    @classmethod
    def draw(cls, groups: np.ndarray, config: EvaluationConfig) -> "_Trials":
        random = np.random.default_rng(config.seed)
        n_items = len(groups)
        orders = np.tile(np.arange(n_items), (config.permutations, 1))
        for group in np.unique(groups):
            members = np.flatnonzero(groups == group)
            orders[:, members] = random.permuted(orders[:, members], axis=1)
        counts = random.multinomial(n_items, np.full(n_items, 1 / n_items), config.bootstraps).astype(float)
        return cls(groups, orders, counts, config.confidence)

    def score(self, name: str, metric: Metric, scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        """A score, its null, the p-value against it and its interval."""
        once = np.ones((1, len(truth)))
        value = metric(scores, self.groups, truth[None], once)[0]
        null = metric(scores, self.groups, truth[self.orders], once)
        resampled = metric(scores, self.groups, truth[None], self.counts)
        return self._summary(name, value, null, resampled)

    def score_mean(self, name: str, metric: Metric, scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        """The same for the mean over labels; items keep their labels together when they are permuted."""
        once = np.ones((1, len(truth)))
        columns = range(truth.shape[1])
        value = [metric(scores[:, c], self.groups, truth[None, :, c], once)[0] for c in columns]
        null = [metric(scores[:, c], self.groups, truth[:, c][self.orders], once) for c in columns]
        resampled = [metric(scores[:, c], self.groups, truth[None, :, c], self.counts) for c in columns]
        means = (np.nanmean(value), np.nanmean(null, axis=0), np.nanmean(resampled, axis=0))
        return self._summary(name, *means)

    def _summary(self, name: str, value: float, null: np.ndarray, resampled: np.ndarray) -> dict[str, float]:
        tail = (1 - self.confidence) / 2
        # An item that is drawn twice stands twice in its rank, which lifts the average precision of every resample; so
        # the resamples give the interval's width, and the score its place.
        centred = value + resampled - np.nanmean(resampled)
        return {
            name: float(value),
            f"{name}_null": float(np.nanmean(null)),
            f"{name}_null_sd": float(np.nanstd(null)),
            # The observed order is one of the possible ones. Source: Phipson and Smyth 2010.
            f"{name}_p": float((1 + (null >= value).sum()) / (1 + np.isfinite(null).sum())),
            f"{name}_low": float(np.nanquantile(centred, tail)),
            f"{name}_high": float(np.nanquantile(centred, 1 - tail)),
        }


def _once(metric: Metric, scores: np.ndarray, groups: np.ndarray, truth: np.ndarray) -> float:
    return float(metric(scores, groups, truth[None], np.ones((1, len(truth))))[0])


def average_by_item(predictions: pd.DataFrame, item_ids: pd.Series, labels: list[str]) -> pd.DataFrame:
    """The mean probability over an item's reviews, by classifiers that have not read about it: index item_id."""
    grouped = predictions[predictions["classifier"] != RANDOM_SPLIT]
    return grouped[labels].groupby(item_ids.loc[grouped["review_id"]].to_numpy()).mean().rename_axis("item_id")


def _review_auc(
    predictions: pd.DataFrame, item_ids: pd.Series, carried: pd.DataFrame, labels: list[str], *, random: bool
) -> float | None:
    chosen = predictions[(predictions["classifier"] == RANDOM_SPLIT) == random]
    if chosen.empty:
        return None
    groups = pd.factorize(chosen["classifier"])[0]
    truth = carried.loc[item_ids.loc[chosen["review_id"]]]
    pairs = ((chosen[label].to_numpy(), groups, truth[label].to_numpy(float)) for label in labels)
    return float(np.nanmean([_once(pairwise_auc, *pair) for pair in pairs]))
