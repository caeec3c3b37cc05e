"""Stability: how well axes agree between two groups of fits, compared with randomly rotated axes."""

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.stats import ortho_group

# What is measured of each axis.
STABILITY = ["stability", "stability_null", "stability_null_95", "stability_p"]


def match_axes(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match the axes (items, axes) of two groups one to one, for the largest sum of |r| (Hungarian assignment).

    Returns for each axis of `left` its partner in `right`, int64, and their |r|, float64; -1 and 0 without a partner.
    """
    return _assign(_correlation(left, right))


def measure_stability(
    axes: np.ndarray, first: np.ndarray, second: np.ndarray, n_rotations: int, seed: int
) -> pd.DataFrame:
    """Measure how well each axis agrees between two disjoint groups of fits, next to what chance gives.

    The arguments are those of `measure_agreement`. Returns one row per axis: stability, stability_null (mean),
    stability_null_95 (95 % quantile), stability_p (share of the null, the measured one counted in, that reaches the
    stability). An axis without a partner in both groups has stability 0 and p 1.
    """
    stability, null = measure_agreement(axes, first, second, n_rotations, seed)
    return pd.DataFrame(
        {
            "stability": stability,
            "stability_null": null.mean(0),
            "stability_null_95": np.quantile(null, 0.95, axis=0),
            "stability_p": (1 + (null >= stability).sum(0)) / (1 + n_rotations),
        }
    )


def measure_agreement(
    axes: np.ndarray, first: np.ndarray, second: np.ndarray, n_rotations: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Measure |r| of each axis between two disjoint groups of fits, and under random rotations.

    An axis is matched to both groups; what counts is |r| between its two partners, so no group that made an axis judges
    it. The null: the axes of `second` are rotated at random within their own space, which changes no prediction, and
    matched anew, `n_rotations` times.

    axes: (items, axes); first and second: those of each group alone. Returns |r|, float64 (axes,), and its null,
    float64 (n_rotations, axes); 0 for an axis without a partner in both groups.
    """
    to_first, _ = match_axes(axes, first)
    to_second, _ = match_axes(axes, second)
    both = np.flatnonzero((to_first >= 0) & (to_second >= 0))
    partners = first[:, to_first[both]]
    agreement, null = np.zeros(axes.shape[1]), np.zeros((n_rotations, axes.shape[1]))
    agreement[both] = _correlation(partners, second[:, to_second[both]]).diagonal()
    null[:, both] = _rotated_matches(partners, second, n_rotations, seed)
    return agreement, null


def at_full_size(agreement: pd.Series) -> pd.Series:
    """What an agreement between halves would be between groups of twice the size each: Spearman and Brown, 1910."""
    return 2 * agreement / (1 + agreement)


def _rotated_matches(left: np.ndarray, right: np.ndarray, n_rotations: int, seed: int) -> np.ndarray:
    """|r| of each axis of `left` with its match in a random rotation of `right`: float64 (n_rotations, axes)."""
    left, right = left - left.mean(0), right - right.mean(0)
    # A rotation of the axes rotates their covariances too, so the items are needed only once.
    shared = (left / np.linalg.norm(left, axis=0)).T @ right
    own = right.T @ right
    rotations = ortho_group.rvs(right.shape[1], size=n_rotations, random_state=seed).reshape(n_rotations, *own.shape)
    lengths = np.sqrt(np.einsum("nij,ik,nkj->nj", rotations, own, rotations, optimize=True))
    correlations = np.nan_to_num(np.abs(shared @ rotations) / lengths[:, None, :])
    return np.stack([_assign(correlation)[1] for correlation in correlations])


def _correlation(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """|r| of each axis of `left` with each of `right`; 0 for an axis on which all items are alike."""
    return np.nan_to_num(np.abs(np.corrcoef(left, right, rowvar=False)[: left.shape[1], left.shape[1] :]))


def _assign(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = linear_sum_assignment(-correlation)
    partner, strength = np.full(len(correlation), -1), np.zeros(len(correlation))
    partner[rows], strength[rows] = columns, correlation[rows, columns]
    return partner, strength
