"""Histograms: for which labels an item's reviews vote, beside how many reviews of all items vote for them.

A review votes for the labels for which it stands out among all reviews, whoever predicted it: the reader of words, for
the poles on whose side it lies furthest from the mean; or the network, for the labels that are most probable, compared
with how probable the same classifier finds them in other reviews. So a label that everything is predicted to have gets
no votes for that.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.labels import POLES


class HistogramConfig(StageConfig):
    """Whose predictions a histogram counts, and for which labels a review votes."""

    source: Literal["reader", "network"] = setting(
        "reader", "reader: positions that the reader of words predicts; network: labels that the classifiers predict"
    )
    top_k: int = setting(5, "labels that each review casts a vote for: those for which it stands out most", ge=1)


def score_reviews(
    positions: pd.DataFrame, axes: list[str], network: Sequence[pd.DataFrame], config: HistogramConfig
) -> pd.DataFrame:
    """Score the labels of each review by the source that is asked for: by `score_by_reader` or `score_by_network`.

    network: its predictions, if it ran; it must have if it is asked for.
    """
    if config.source == "reader":
        return score_by_reader(positions, axes)
    (predictions,) = network
    return score_by_network(predictions, list(predictions.columns.drop(["classifier", "review_id"])))


def score_by_reader(positions: pd.DataFrame, axes: list[str]) -> pd.DataFrame:
    """Score each label by how far a review lies on its side of the mean, in standard deviations.

    positions: index review_id, a column per axis. Returns float64, index review_id, two columns per axis.
    """
    far = _standardise(positions[axes])
    plus, minus = POLES
    return pd.DataFrame(
        {label: side for axis in axes for label, side in ((f"{axis}{plus}", far[axis]), (f"{axis}{minus}", -far[axis]))}
    )


def score_by_network(
    predictions: pd.DataFrame, labels: list[str], reference: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Score each label by how probable a classifier finds it, in standard deviations of what it finds of all reviews.

    Args:
        predictions: classifier, review_id, a probability for each label; only those of classifiers that have not read
            about the item count, and of several their mean.
        reference: the reviews that give each classifier's mean and deviation, as `predictions`; by default those.

    Returns float64, index review_id, a column per label.
    """
    held_out, usual = (
        table[table["classifier"] != RANDOM_SPLIT]
        for table in (predictions, predictions if reference is None else reference)
    )
    by_classifier = usual.groupby("classifier")[labels]
    mean, deviation = by_classifier.mean(), by_classifier.std(ddof=0)
    # A classifier that has predicted nothing else is compared with the others.
    names = held_out["classifier"]
    mean, deviation = (
        table.reindex(names.unique()).fillna(table.mean()).loc[names].to_numpy(np.float64)
        for table in (mean, deviation)
    )
    far = (held_out[labels].to_numpy(np.float64) - mean) / np.where(deviation > 0, deviation, 1)
    return pd.DataFrame(far, index=held_out["review_id"], columns=labels).groupby(level=0).mean()


def count_votes(scores: pd.DataFrame, item_ids: pd.Series, config: HistogramConfig) -> tuple[pd.DataFrame, str]:
    """Count, for each item, the share of its reviews that vote for each label.

    Args:
        scores: index review_id, a column per label.
        item_ids: index review_id.

    Returns:
        One row per item and label: item_id int32, label str, share float (of the item's reviews), share_without float
        (the same when each review votes without the most frequent label; NaN for that label itself), usual and
        usual_without float (the same among all reviews), lift float (share over usual; NaN for a label without votes).
        And the most frequent label: the one with the most votes of all.
    """
    items = item_ids.loc[scores.index]
    votes = _votes(scores, config.top_k)
    most_frequent = str(votes.sum().idxmax())
    without = _votes(scores.drop(columns=most_frequent), config.top_k)
    table = _shares(votes, items).rename("share").to_frame().join(_shares(without, items).rename("share_without"))
    labels = table.index.get_level_values("label")
    table["usual"], table["usual_without"] = (each.mean().reindex(labels).to_numpy() for each in (votes, without))
    table["lift"] = table["share"] / table["usual"].where(table["usual"] > 0)
    return table.reset_index().astype({"item_id": "int32"}), most_frequent


def _standardise(table: pd.DataFrame) -> pd.DataFrame:
    deviation = table.std(ddof=0)
    return (table - table.mean()) / deviation.where(deviation > 0, 1)


def _votes(scores: pd.DataFrame, top_k: int) -> pd.DataFrame:
    ranks = scores.rank(axis=1, ascending=False, method="first")
    return (ranks <= top_k).astype(float)


def _shares(votes: pd.DataFrame, item_ids: pd.Series) -> pd.Series:
    shares = votes.groupby(item_ids.to_numpy()).mean().rename_axis(index="item_id", columns="label")
    stacked: pd.Series = shares.stack()
    return stacked
