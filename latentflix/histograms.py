"""How often each factor is predicted over a film's reviews, with and without the most frequent label."""

import pandas as pd

from latentflix.config import StageConfig, setting


class HistogramConfig(StageConfig):
    """When a review counts as speaking of a factor."""

    top_k: int = setting(5, "labels that each review casts a vote for: its most probable ones", ge=1)


def count_predictions(
    probabilities: pd.DataFrame, movie_ids: pd.Series, labels: list[str], config: HistogramConfig
) -> tuple[pd.DataFrame, str]:
    """For each film, the share of its reviews that vote for each label; and the label with most votes of all.

    probabilities: one row a review, one column a label. movie_ids: the film of each of these reviews.
    Returns one row a film and label: movie_id int32, label str, share float (of the film's reviews),
    share_without float (the same when each review votes without the most frequent label, NaN for that label itself).
    """
    dominating = str(_votes(probabilities, labels, config.top_k).sum().idxmax())
    rest = [label for label in labels if label != dominating]
    before = _shares(_votes(probabilities, labels, config.top_k), movie_ids).rename("share")
    after = _shares(_votes(probabilities, rest, config.top_k), movie_ids).rename("share_without")
    table = before.to_frame().join(after).reset_index()
    return table.astype({"movie_id": "int32"}), dominating


def _votes(probabilities: pd.DataFrame, labels: list[str], top_k: int) -> pd.DataFrame:
    ranks = probabilities[labels].rank(axis=1, ascending=False, method="first")
    return (ranks <= top_k).astype(float)


def _shares(votes: pd.DataFrame, movie_ids: pd.Series) -> pd.Series:
    shares = votes.groupby(movie_ids.to_numpy()).mean().rename_axis(index="movie_id", columns="label")
    stacked: pd.Series = shares.stack()
    return stacked
