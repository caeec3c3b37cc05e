"""Histograms: how often each label is predicted over an item's reviews, with and without the most frequent one."""

import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.factors.folds import RANDOM_SPLIT


class HistogramConfig(StageConfig):
    """For which labels a review votes."""

    top_k: int = setting(5, "labels that each review casts a vote for: its most probable ones", ge=1)


def count_predictions(
    predictions: pd.DataFrame, item_ids: pd.Series, labels: list[str], config: HistogramConfig
) -> tuple[pd.DataFrame, str]:
    """Count, for each item, the share of its reviews that vote for each label, and find the label with the most votes.

    predictions: classifier, review_id, a probability for each label; only those of classifiers that have not read about
    the item count. item_ids: index review_id. Returns item_id int32, label str, share float, share_without float (the
    same when each review votes without the most frequent label; NaN for that label itself); and that label.
    """
    held_out = predictions[predictions["classifier"] != RANDOM_SPLIT]
    items = item_ids.loc[held_out["review_id"]]
    votes = _votes(held_out, labels, config.top_k)
    most_frequent = str(votes.sum().idxmax())
    without = _votes(held_out, [label for label in labels if label != most_frequent], config.top_k)
    table = _shares(votes, items).rename("share").to_frame().join(_shares(without, items).rename("share_without"))
    return table.reset_index().astype({"item_id": "int32"}), most_frequent


def _votes(probabilities: pd.DataFrame, labels: list[str], top_k: int) -> pd.DataFrame:
    ranks = probabilities[labels].rank(axis=1, ascending=False, method="first")
    return (ranks <= top_k).astype(float)


def _shares(votes: pd.DataFrame, item_ids: pd.Series) -> pd.Series:
    shares = votes.groupby(item_ids.to_numpy()).mean().rename_axis(index="item_id", columns="label")
    stacked: pd.Series = shares.stack()
    return stacked
