"""Axes that mean the same on every run: the item factors of several fits, in one common rotation.

The product of user and item factors does not change when both are rotated, so a raw axis of one fit is no axis of
the next. What is the same in every fit is how films differ in the predictions they get. So item factors are
measured in the users' metric, put side by side over the seeds, and turned to the principal axes of the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from latentflix.collab import CollabFit
from latentflix.config import StageConfig, setting
from latentflix.errors import TooFewFilms


class FactorConfig(StageConfig):
    """How item factors become axes."""

    rotation: Literal["pca", "none"] = setting(
        "pca", "pca: principal axes common to all seeds; none: the first seed's own raw axes, centred"
    )
    n_axes: int = setting(12, "principal axes that are looked at", ge=1, le=1000)
    min_ratings: int = setting(30, "ratings a film needs to take part in finding and matching the axes", ge=1)
    stable_from: float = setting(0.9, "least |r| between groups of seeds for an axis to count as stable", ge=0, le=1)


@dataclass(frozen=True)
class Factors:
    """Where the films stand on each axis, and what is known of the axes.

    scores: index movie_id, one column an axis ("1", "2", …), float32, in standard deviations over the films with
    `min_ratings`. axes: index axis (as the columns), explained float (share of the variance), stability float (|r|
    between two disjoint groups of seeds), stable bool.
    """

    scores: pd.DataFrame
    axes: pd.DataFrame


def extract_factors(fits: Sequence[CollabFit], n_ratings: pd.Series, config: FactorConfig) -> Factors:
    """The axes along which the films differ, and how far each is the same from seed to seed.

    n_ratings: ratings of each film, by movie_id. Stability is measured between the first and the second half of the
    seeds, each with axes of its own; no half is the group that made the axes. The sign of an axis is such that its
    longer tail is the positive one. Raises TooFewFilms if no more than two films have `min_ratings`.
    """
    movie_ids = fits[0].movie_ids
    often = (n_ratings.reindex(movie_ids, fill_value=0) >= config.min_ratings).to_numpy()
    if often.sum() < 3:
        raise TooFewFilms(
            "too few films have enough ratings to find axes",
            found=f"{often.sum()} films with {config.min_ratings} ratings or more",
            expected="at least 3",
            remedy="lower --factors.min-ratings",
        )
    first, second = fits[: len(fits) // 2], fits[len(fits) // 2 :]
    if config.rotation == "none":
        whole, one, other = (_raw_axes(group[0], often) for group in (fits, first, second))
    else:
        whole, one, other = (_common_axes(group, often, config.n_axes) for group in (fits, first, second))
    positions, explained = whole
    positions = positions * np.where(((positions[often]) ** 3).sum(0) < 0, -1, 1)
    stability = _stability(positions[often], one[0][often], other[0][often])
    names = pd.Index([str(number + 1) for number in range(positions.shape[1])], name="axis")
    axes = pd.DataFrame({"explained": explained, "stability": stability}, index=names)
    scores = positions / positions[often].std(0)
    return Factors(
        pd.DataFrame(scores.astype(np.float32), index=pd.Index(movie_ids, name="movie_id"), columns=list(names)),
        axes.assign(stable=axes["stability"] >= config.stable_from),
    )


def in_users_metric(fit: CollabFit, often: np.ndarray) -> np.ndarray:
    """Item factors, centred, in units of what they move in predictions: float64 (films, n_factors).

    The inner product of two rows is the covariance, over users, of the predictions (before the sigmoid) of the two
    films: V·L with L·Lᵀ the covariance of the user factors.
    """
    item_factors = fit.item_factors.astype(np.float64)
    covariance = np.cov(fit.user_factors.astype(np.float64), rowvar=False).reshape(item_factors.shape[1], -1)
    # A direction that no user uses has no variance; a trace of the mean one keeps the root real.
    ridge = 1e-9 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return (item_factors - item_factors[often].mean(0)) @ np.linalg.cholesky(covariance + ridge)


def _common_axes(fits: Sequence[CollabFit], often: np.ndarray, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    side_by_side = np.concatenate([in_users_metric(fit, often) for fit in fits], axis=1)
    _, singular, directions = np.linalg.svd(side_by_side[often], full_matrices=False)
    n_axes = min(n_axes, int((singular > singular[0] * 1e-8).sum()))
    explained = singular**2 / (singular**2).sum()
    return side_by_side @ directions[:n_axes].T, explained[:n_axes]


def _raw_axes(fit: CollabFit, often: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positions = fit.item_factors.astype(np.float64)
    positions = positions - positions[often].mean(0)
    variance = positions[often].var(0)
    return positions, variance / variance.sum()


def match_axes(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each axis of `left`, the axis of `right` that is its own, and their |r|: int64 and float64 (axes,).

    left, right: (films, axes). One to one, with the largest sum of |r| (Hungarian assignment). Where `right` has
    fewer axes, those without a partner get -1 and 0.
    """
    n_left = left.shape[1]
    correlation = np.abs(np.corrcoef(left, right, rowvar=False)[:n_left, n_left:])
    rows, columns = linear_sum_assignment(-np.nan_to_num(correlation))
    partner, strength = np.full(n_left, -1), np.zeros(n_left)
    partner[rows], strength[rows] = columns, correlation[rows, columns]
    return partner, strength


def _stability(axes: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    to_one, _ = match_axes(axes, one)
    to_other, _ = match_axes(axes, other)
    both = (to_one >= 0) & (to_other >= 0)
    stability = np.zeros(axes.shape[1])
    for axis in np.flatnonzero(both):
        stability[axis] = abs(np.corrcoef(one[:, to_one[axis]], other[:, to_other[axis]])[0, 1])
    return stability
