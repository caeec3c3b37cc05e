"""From item factors to axes: item loadings, the principal axes common to several fits, and varimax."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from latentflix.recommender.latent_factors import ItemFactors, LatentFactors

Rotation = Literal["varimax", "pca", "none"]
_RANDOM_STARTS = 8


def fit_axes(
    fits: Sequence[LatentFactors | ItemFactors], weights: np.ndarray, rotation: Rotation, n_axes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit at most `n_axes` common axes of several fits to the same items, and score the items on them.

    rotation: "pca" (principal axes of the item loadings of all fits), "varimax" (the same, rotated), or "none" (the raw
    axes of the first fit, all of them and in their order). weights: float64 (items,); an item of weight 0 gets scores
    but does not influence the axes.
    Returns scores, float64 (items, axes), centred on the weighted mean of the items, by explained variance; and each
    axis' share of the variance, float64 (axes,), which sums to 1 over all axes there are.
    """
    counts = weights > 0
    root = np.sqrt(weights[counts])[:, None]
    if rotation == "none":
        scores = _centred(fits[0], weights)
        variance = ((root * scores[counts]) ** 2).sum(0)
        return scores, variance / variance.sum()
    side_by_side = np.concatenate([item_loadings(fit, weights) for fit in fits], axis=1)
    loadings = root * side_by_side[counts]
    _, singular, directions = np.linalg.svd(loadings, full_matrices=False)
    axes = directions[: min(n_axes, int((singular > singular[0] * 1e-8).sum()))].T
    if rotation == "varimax":
        axes = axes @ varimax(loadings @ axes)
    variance = ((loadings @ axes) ** 2).sum(0)
    order = np.argsort(-variance, kind="stable")
    return side_by_side @ axes[:, order], variance[order] / (singular**2).sum()


def item_loadings(fit: LatentFactors | ItemFactors, weights: np.ndarray) -> np.ndarray:
    """The items' loadings in the sense of factor analysis, the users being the observations.

    The inner product of two rows is the covariance, over users, of the predictions (before the sigmoid) for the two
    items: V·L with L·Lᵀ the covariance of the user factors. Unlike the factors they do not change if items are
    stretched along a factor and users shrunk, which leaves predictions as they are.
    weights: (items,), of the items in the mean that is the origin. Returns float64 (items, n_factors).
    """
    covariance = fit.user_covariance
    # A direction that no user uses has no variance; a trace of the mean one keeps the root real.
    ridge = 1e-9 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return _centred(fit, weights) @ np.linalg.cholesky(covariance + ridge)


def varimax(loadings: np.ndarray, n_starts: int = _RANDOM_STARTS) -> np.ndarray:
    """The rotation after which each axis has a few large loadings and many small ones: float64 (axes, axes).

    loadings: (rows, axes). `loadings @ varimax(loadings)` has the greatest variance of squared loadings, summed over
    axes: Kaiser 1958, "The varimax criterion for analytic rotation in factor analysis", Psychometrika 23. Rows are not
    scaled to one length first (his "normal" varimax), so that items that hardly differ do not count like the others.
    Found by gradient projection: Jennrich 2001, "A simple general procedure for orthogonal rotation", Psychometrika 66.
    It ends in a local maximum, so it starts from the axes as they are and from `n_starts` random rotations of them,
    which are always the same, and goes on from where the criterion is greatest.
    """
    n_axes, random = loadings.shape[1], np.random.default_rng(0)
    starts = [np.eye(n_axes), *(np.linalg.qr(random.normal(size=(n_axes, n_axes)))[0] for _ in range(n_starts))]
    reached = [_climb(loadings, start, tolerance=1e-6) for start in starts]
    return _climb(loadings, max(reached, key=lambda rotation: _criterion(loadings @ rotation)), tolerance=1e-9)


def _climb(loadings: np.ndarray, rotation: np.ndarray, tolerance: float, max_steps: int = 2000) -> np.ndarray:
    """Raise the criterion step by step, until a step gains less than `tolerance` of the whole."""
    reached = 0.0
    for _ in range(max_steps):
        rotated = loadings @ rotation
        squares = rotated * rotated
        gradient = loadings.T @ (rotated * (squares - squares.mean(0)))
        left, singular, right = np.linalg.svd(gradient)
        rotation = left @ right
        if singular.sum() <= reached * (1 + tolerance):
            break
        reached = singular.sum()
    return rotation


def _criterion(rotated: np.ndarray) -> float:
    return float((rotated**2).var(0).sum())


def _centred(fit: LatentFactors | ItemFactors, weights: np.ndarray) -> np.ndarray:
    factors = fit.item_factors.astype(np.float64)
    return factors - np.average(factors, axis=0, weights=weights)
