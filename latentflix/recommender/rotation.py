"""From item factors to axes: item loadings, the principal axes common to several fits, and varimax."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from latentflix.recommender.latent_factors import LatentFactors

Rotation = Literal["varimax", "pca", "none"]


def fit_axes(
    fits: Sequence[LatentFactors], weights: np.ndarray, rotation: Rotation, n_axes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit at most `n_axes` common axes of several fits to the same items, and score the items on them.

    rotation: "pca" (principal axes of the item loadings of all fits), "varimax" (the same, rotated), or "none" (the raw
    axes of the first fit, all of them and in their order). weights: float64 (items,); an item of weight 0 gets scores
    but does not influence the axes.
    Returns scores, float64 (items, axes), centred on the plain mean of the items with weight, by explained variance;
    and each axis' share of the variance, float64 (axes,), which sums to 1 over all axes there are.
    """
    counts = weights > 0
    root = np.sqrt(weights[counts])[:, None]
    if rotation == "none":
        scores = _centred(fits[0], counts)
        variance = ((root * scores[counts]) ** 2).sum(0)
        return scores, variance / variance.sum()
    side_by_side = np.concatenate([item_loadings(fit, counts) for fit in fits], axis=1)
    loadings = root * side_by_side[counts]
    _, singular, directions = np.linalg.svd(loadings, full_matrices=False)
    axes = directions[: min(n_axes, int((singular > singular[0] * 1e-8).sum()))].T
    if rotation == "varimax":
        axes = axes @ varimax(loadings @ axes)
    variance = ((loadings @ axes) ** 2).sum(0)
    order = np.argsort(-variance, kind="stable")
    return side_by_side @ axes[:, order], variance[order] / (singular**2).sum()


def item_loadings(fit: LatentFactors, counts: np.ndarray) -> np.ndarray:
    """The items' loadings in the sense of factor analysis, the users being the observations.

    The inner product of two rows is the covariance, over users, of the predictions (before the sigmoid) for the two
    items: V·L with L·Lᵀ the covariance of the user factors. Unlike the factors they do not change if items are
    stretched along a factor and users shrunk, which leaves predictions as they are.
    counts: bool (items,), the items whose mean is the origin. Returns float64 (items, n_factors).
    """
    covariance = np.cov(fit.user_factors.astype(np.float64), rowvar=False).reshape(fit.item_factors.shape[1], -1)
    # A direction that no user uses has no variance; a trace of the mean one keeps the root real.
    ridge = 1e-9 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return _centred(fit, counts) @ np.linalg.cholesky(covariance + ridge)


def varimax(loadings: np.ndarray, tolerance: float = 1e-9, max_steps: int = 2000) -> np.ndarray:
    """The rotation after which each axis has a few large loadings and many small ones: float64 (axes, axes).

    loadings: (rows, axes). `loadings @ varimax(loadings)` has the greatest variance of squared loadings, summed over
    axes: Kaiser 1958, "The varimax criterion for analytic rotation in factor analysis", Psychometrika 23. Rows are not
    scaled to one length first (his "normal" varimax), so that items that hardly differ do not count like the others.
    Found by gradient projection from the axes as they are: Jennrich 2001, "A simple general procedure for orthogonal
    rotation", Psychometrika 66. Stops when a step gains less than `tolerance` of the whole.
    """
    rotation = np.eye(loadings.shape[1])
    reached = 0.0
    for _ in range(max_steps):
        rotated = loadings @ rotation
        gradient = loadings.T @ (rotated**3 - rotated * (rotated**2).mean(0))
        left, singular, right = np.linalg.svd(gradient)
        rotation = left @ right
        if singular.sum() <= reached * (1 + tolerance):
            break
        reached = singular.sum()
    return rotation


def _centred(fit: LatentFactors, counts: np.ndarray) -> np.ndarray:
    factors = fit.item_factors.astype(np.float64)
    return factors - factors[counts].mean(0)
