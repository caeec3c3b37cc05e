"""Which factors stand for a film: the labels that its reviews will carry."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.errors import TooFewAxes, TooFewFilms

POLES = ("+", "-")


class LabelConfig(StageConfig):
    """How many labels a film gets, and which films get them."""

    rule: Literal["top_k", "z_score"] = setting(
        "top_k", "top_k: a film's strongest axes; z_score: every axis on which it stands far enough from the mean"
    )
    top_k: int = setting(5, "labels a film gets: its strongest axes, each with its pole", ge=1)
    z_from: float = setting(
        1.5, "with z_score, the distance from the mean that earns a label", unit="standard deviations", gt=0
    )
    only_stable: bool = setting(True, "take labels from stable axes only")
    min_ratings: int = setting(10, "ratings a film needs to be labelled", ge=1)
    drop_dominating: bool = setting(False, "leave out the films that carry the most frequent label")


@dataclass(frozen=True)
class Labels:
    """films: one row a film and label: movie_id int32, label str ("3+"), strength float32, strongest first.

    labels: index label, axis str, films int, share float (of the labelled films), dominating bool.
    unlabelled: films with enough ratings that get no label. dominating: the most frequent labels, before any film was
    left out. dropped: films left out because they carry one of these.
    """

    films: pd.DataFrame
    labels: pd.DataFrame
    unlabelled: int
    dominating: tuple[str, ...]
    dropped: int


def label_films(scores: pd.DataFrame, axes: pd.DataFrame, n_ratings: pd.Series, config: LabelConfig) -> Labels:
    """The axes that stand for each film, as labels: the axis and the pole at which the film stands.

    scores: index movie_id, one column an axis, in standard deviations. axes: index axis, with `stable`.
    Raises TooFewAxes if there are fewer axes than `top_k` (with z_score: none), TooFewFilms if no film has enough
    ratings or none is left with a label.
    """
    names = axes.index[axes["stable"]] if config.only_stable else axes.index
    _require_axes(list(names), config)
    often = n_ratings.reindex(scores.index, fill_value=0) >= config.min_ratings
    if not often.any():
        raise TooFewFilms(
            "no film has enough ratings to be labelled",
            found=f"at most {int(n_ratings.max())} ratings",
            expected=f"{config.min_ratings} or more",
            remedy="lower --labels.min-ratings",
        )
    chosen = scores.loc[often, names]
    films = _choose(chosen, config)
    unlabelled = len(chosen) - films["movie_id"].nunique()
    labels = _count(films, list(names))
    dominating = labels.index[labels["dominating"]]
    dropped = 0
    if config.drop_dominating:
        carriers = films.loc[films["label"].isin(dominating), "movie_id"].unique()
        films = films[~films["movie_id"].isin(carriers)].reset_index(drop=True)
        labels = _count(films, list(names))
        dropped = len(carriers)
    if films.empty:
        raise TooFewFilms(
            "no film is left with a label",
            found=f"{unlabelled} films without one, {dropped} left out with {', '.join(dominating) or 'none'}",
            expected="at least one film",
            remedy="lower --labels.z-from, or leave out --labels.drop-dominating",
        )
    return Labels(films, labels, unlabelled, tuple(dominating), dropped)


def _require_axes(names: list[str], config: LabelConfig) -> None:
    by_count = config.rule == "top_k"
    least = config.top_k if by_count else 1
    if len(names) < least:
        kind = "stable axes" if config.only_stable else "axes"
        raise TooFewAxes(
            f"there are fewer {kind} than labels a film is to get",
            found=f"{len(names)} {kind} ({', '.join(names)})",
            expected=f"at least {least}",
            remedy=f"{'lower --labels.top-k, ' * by_count}raise --collab.n-seeds, or set --no-labels.only-stable",
        )


def _choose(scores: pd.DataFrame, config: LabelConfig) -> pd.DataFrame:
    """One row a film and label, films in the order of `scores`, a film's strongest label first."""
    strength = scores.abs()
    if config.rule == "top_k":
        chosen = strength.rank(axis=1, ascending=False, method="first") <= config.top_k
    else:
        chosen = strength >= config.z_from
    row, column = np.nonzero(chosen.to_numpy())
    strongest = np.lexsort((-strength.to_numpy()[row, column], row))
    row, column = row[strongest], column[strongest]
    pole = np.where(scores.to_numpy()[row, column] >= 0, *POLES)
    return pd.DataFrame(
        {
            "movie_id": scores.index.to_numpy(np.int32)[row],
            "label": np.char.add(scores.columns.to_numpy(str)[column], pole),
            "strength": strength.to_numpy(np.float32)[row, column],
        }
    )


def _count(films: pd.DataFrame, axes: list[str]) -> pd.DataFrame:
    index = pd.Index([f"{axis}{pole}" for axis in axes for pole in POLES], name="label")
    counts = films["label"].value_counts().reindex(index, fill_value=0)
    table = pd.DataFrame({"axis": index.str[:-1], "films": counts.astype("int64")}, index=index)
    share = table["films"] / max(films["movie_id"].nunique(), 1)
    return table.assign(share=share, dominating=(table["films"] == table["films"].max()) & (table["films"] > 0))


def indicator_matrix(films: pd.DataFrame, movie_ids: pd.Series, labels: list[str]) -> np.ndarray:
    """Which labels each of `movie_ids` carries: float32 (len(movie_ids), len(labels)), ones and zeros."""
    carried = films.assign(carried=np.float32(1)).pivot(index="movie_id", columns="label", values="carried")
    table = carried.reindex(index=movie_ids.to_numpy(), columns=labels).fillna(0)
    return table.to_numpy(np.float32)
