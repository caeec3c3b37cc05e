"""How often each factor is predicted over a film's reviews, with and without the most frequent label."""

import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.text.classifier import RANDOM_SPLIT


class HistogramConfig(StageConfig):
    """When a review counts as speaking of a factor."""

    top_k: int = setting(5, "labels that each review casts a vote for: its most probable ones", ge=1)


def count_predictions(
    predictions: pd.DataFrame, movie_ids: pd.Series, labels: list[str], config: HistogramConfig
) -> tuple[pd.DataFrame, str]:
    """For each film, the share of its reviews that vote for each label; and the label with most votes of all.

    predictions: classifier, review_id, a probability for each label; only those of classifiers that have not read
    about the film count. movie_ids: index review_id.
    Returns one row a film and label: movie_id int32, label str, share float (of the film's reviews),
    share_without float (the same when each review votes without the most frequent label, NaN for that label itself).
    """
    held_out = predictions[predictions["classifier"] != RANDOM_SPLIT]
    films = movie_ids.loc[held_out["review_id"]]
    before = _votes(held_out, labels, config.top_k)
    dominating = str(before.sum().idxmax())
    after = _votes(held_out, [label for label in labels if label != dominating], config.top_k)
    table = _shares(before, films).rename("share").to_frame().join(_shares(after, films).rename("share_without"))
    return table.reset_index().astype({"movie_id": "int32"}), dominating


def _votes(probabilities: pd.DataFrame, labels: list[str], top_k: int) -> pd.DataFrame:
    ranks = probabilities[labels].rank(axis=1, ascending=False, method="first")
    return (ranks <= top_k).astype(float)


def _shares(votes: pd.DataFrame, movie_ids: pd.Series) -> pd.Series:
    shares = votes.groupby(movie_ids.to_numpy()).mean().rename_axis(index="movie_id", columns="label")
    stacked: pd.Series = shares.stack()
    return stacked
