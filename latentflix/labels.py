"""Which factors stand for a film: the labels that its reviews will carry."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.errors import TooFewAxes, TooFewFilms

POLES = ("+", "-")


class LabelConfig(StageConfig):
    """How many labels a film gets, and which films get them."""

    top_k: int = setting(5, "labels a film gets: its strongest axes, each with its pole", ge=1)
    only_stable: bool = setting(True, "take labels from stable axes only")
    min_ratings: int = setting(10, "ratings a film needs to be labelled", ge=1)
    drop_dominating: bool = setting(False, "leave out the films that carry the most frequent label")


@dataclass(frozen=True)
class Labels:
    """films: one row a film and label: movie_id int32, label str ("3+"), strength float32, strongest first.

    labels: index label, axis str, films int, share float (of the labelled films), dominating bool.
    """

    films: pd.DataFrame
    labels: pd.DataFrame


def label_films(scores: pd.DataFrame, axes: pd.DataFrame, n_ratings: pd.Series, config: LabelConfig) -> Labels:
    """The strongest axes of each film, as labels: the axis and the pole at which the film stands.

    scores: index movie_id, one column an axis, in standard deviations. axes: index axis, with `stable`.
    Raises TooFewAxes if there are fewer axes than `top_k`, TooFewFilms if no film has enough ratings.
    """
    names = axes.index[axes["stable"]] if config.only_stable else axes.index
    if len(names) < config.top_k:
        kind = "stable axes" if config.only_stable else "axes"
        raise TooFewAxes(
            f"there are fewer {kind} than labels a film is to get",
            found=f"{len(names)} {kind} ({', '.join(names)})",
            expected=f"at least {config.top_k}",
            remedy="lower --labels.top-k, raise --collab.n-seeds, or set --no-labels.only-stable",
        )
    often = n_ratings.reindex(scores.index, fill_value=0) >= config.min_ratings
    if not often.any():
        raise TooFewFilms(
            "no film has enough ratings to be labelled",
            found=f"at most {int(n_ratings.max())} ratings",
            expected=f"{config.min_ratings} or more",
            remedy="lower --labels.min-ratings",
        )
    chosen = scores.loc[often, names]
    strongest = np.argsort(-chosen.abs().to_numpy(), axis=1, kind="stable")[:, : config.top_k]
    strength = np.take_along_axis(chosen.to_numpy(), strongest, axis=1)
    pole = np.where(strength >= 0, *POLES)
    films = pd.DataFrame(
        {
            "movie_id": np.repeat(chosen.index.to_numpy(np.int32), config.top_k),
            "label": np.char.add(names.to_numpy(str)[strongest], pole).ravel(),
            "strength": np.abs(strength).astype(np.float32).ravel(),
        }
    )
    labels = _count(films, list(names))
    if config.drop_dominating:
        dominating = labels.index[labels["dominating"]]
        carriers = films.loc[films["label"].isin(dominating), "movie_id"]
        films = films[~films["movie_id"].isin(carriers)].reset_index(drop=True)
        labels = _count(films, list(names))
    return Labels(films, labels)


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
