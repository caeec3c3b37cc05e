"""How far axes are the same in two groups of fits, and how far axes turned at random would be."""

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.stats import ortho_group


def match_axes(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each axis of `left`, the axis of `right` that is its own, and their |r|: int64 and float64 (axes,).

    left, right: (items, axes). One to one, with the largest sum of |r| (Hungarian assignment). Where `right` has
    fewer axes, those without a partner get -1 and 0.
    """
    return _assign(_correlation(left, right))


def measure_stability(
    axes: np.ndarray, one: np.ndarray, other: np.ndarray, n_rotations: int, seed: int
) -> pd.DataFrame:
    """How far each axis is the same in two groups of fits that share none, beside what chance gives.

    axes, one, other: (items, axes), the axes in question and those that each group has made on its own. An axis is
    matched to both groups; its stability is |r| between its two partners, so no group that made an axis judges it.
    The null: the axes of `other` are turned at random within their own space, which changes no prediction, and
    matched anew, `n_rotations` times.
    Returns a row an axis: stability, stability_null (mean of the null), stability_null_95 (95 % of the null lie
    below), stability_p (share of the null, the measured one counted in, that reaches the stability). An axis without
    a partner in both groups has stability 0 and p 1.
    """
    to_one, _ = match_axes(axes, one)
    to_other, _ = match_axes(axes, other)
    both = np.flatnonzero((to_one >= 0) & (to_other >= 0))
    partners = one[:, to_one[both]]
    found = _correlation(partners, other[:, to_other[both]]).diagonal()
    null = _rotated_matches(partners, other, n_rotations, seed)
    table = pd.DataFrame(
        {"stability": 0.0, "stability_null": 0.0, "stability_null_95": 0.0, "stability_p": 1.0},
        index=range(axes.shape[1]),
    )
    reached = (1 + (null >= found).sum(0)) / (1 + n_rotations)
    table.loc[both] = np.stack([found, null.mean(0), np.quantile(null, 0.95, axis=0), reached], axis=1)
    return table


def _rotated_matches(left: np.ndarray, right: np.ndarray, n_rotations: int, seed: int) -> np.ndarray:
    """|r| of each axis of `left` with its match in `right` turned at random: float64 (n_rotations, axes of left)."""
    left, right = left - left.mean(0), right - right.mean(0)
    # A rotation of the axes turns their covariances alike, so no item need be looked at again.
    shared = (left / np.linalg.norm(left, axis=0)).T @ right
    own = right.T @ right
    rotations = ortho_group.rvs(right.shape[1], size=n_rotations, random_state=seed).reshape(n_rotations, *own.shape)
    lengths = np.sqrt(np.einsum("nij,ik,nkj->nj", rotations, own, rotations, optimize=True))
    correlations = np.nan_to_num(np.abs(shared @ rotations) / lengths[:, None, :])
    return np.stack([_assign(correlation)[1] for correlation in correlations])


def _correlation(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """|r| of each axis of `left` with each of `right`; 0 where an axis does not tell items apart."""
    return np.nan_to_num(np.abs(np.corrcoef(left, right, rowvar=False)[: left.shape[1], left.shape[1] :]))


def _assign(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = linear_sum_assignment(-correlation)
    partner, strength = np.full(len(correlation), -1), np.zeros(len(correlation))
    partner[rows], strength[rows] = columns, correlation[rows, columns]
    return partner, strength
