"""From item factors to axes: the users' metric, the principal axes common to several fits, and varimax."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from latentflix.recommender.latent_factors import LatentFactors

Rotation = Literal["varimax", "pca", "none"]


def fit_axes(
    fits: Sequence[LatentFactors], weights: np.ndarray, rotation: Rotation, n_axes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where the items stand on the axes of a group of fits, and the share of the variance that each axis explains.

    weights: float64 (items,), how much each item counts; one of weight 0 has a place on the axes but no say in them.
    rotation: "pca" for the principal axes of the fits' item factors, put side by side in the users' metric, at most
    `n_axes`; "varimax" to turn these among themselves; "none" for the raw axes of the first fit, all of them.
    Returns positions float64 (items, axes), about the plain mean of the items that count, the axis that explains
    most first unless raw; and explained float64 (axes,), which sums to 1 over all axes there are.
    """
    counts = weights > 0
    root = np.sqrt(weights[counts])[:, None]
    if rotation == "none":
        positions = _centred(fits[0], counts)
        moved = ((root * positions[counts]) ** 2).sum(0)
        return positions, moved / moved.sum()
    side_by_side = np.concatenate([item_loadings(fit, counts) for fit in fits], axis=1)
    loadings = root * side_by_side[counts]
    _, singular, directions = np.linalg.svd(loadings, full_matrices=False)
    turn = directions[: min(n_axes, int((singular > singular[0] * 1e-8).sum()))].T
    if rotation == "varimax":
        turn = turn @ varimax(loadings @ turn)
    moved = ((loadings @ turn) ** 2).sum(0)
    order = np.argsort(-moved, kind="stable")
    return side_by_side @ turn[:, order], moved[order] / (singular**2).sum()


def item_loadings(fit: LatentFactors, counts: np.ndarray) -> np.ndarray:
    """Item factors, about the mean of the items that count, in units of what they move in predictions.

    counts: bool (items,). Returns float64 (items, n_factors). The inner product of two rows is the covariance, over
    users, of the predictions (before the sigmoid) of the two items: V·L with L·Lᵀ the covariance of the user factors.
    In terms of factor analysis these are the items' loadings, the users being what was observed.
    """
    covariance = np.cov(fit.user_factors.astype(np.float64), rowvar=False).reshape(fit.item_factors.shape[1], -1)
    # A direction that no user uses has no variance; a trace of the mean one keeps the root real.
    ridge = 1e-9 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return _centred(fit, counts) @ np.linalg.cholesky(covariance + ridge)


def varimax(loadings: np.ndarray, tolerance: float = 1e-9, max_steps: int = 2000) -> np.ndarray:
    """The rotation after which each axis has a few large loadings and many small ones: float64 (axes, axes).

    loadings: (rows, axes). `loadings @ varimax(loadings)` has the greatest variance of squared loadings, summed over
    axes: Kaiser 1958, "The varimax criterion for analytic rotation in factor analysis", Psychometrika 23. Rows are not
    brought to one length first (his "normal" varimax), which would let items that hardly differ count like the others.
    Found by gradient projection from the axes as they are: Jennrich 2001, "A simple general procedure for orthogonal
    rotation", Psychometrika 66. Stops when a step gains less than `tolerance` of the whole.
    """
    rotation = np.eye(loadings.shape[1])
    reached = 0.0
    for _ in range(max_steps):
        turned = loadings @ rotation
        gradient = loadings.T @ (turned**3 - turned * (turned**2).mean(0))
        left, singular, right = np.linalg.svd(gradient)
        rotation = left @ right
        if singular.sum() <= reached * (1 + tolerance):
            break
        reached = singular.sum()
    return rotation


def _centred(fit: LatentFactors, counts: np.ndarray) -> np.ndarray:
    positions = fit.item_factors.astype(np.float64)
    return positions - positions[counts].mean(0)
