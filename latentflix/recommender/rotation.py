"""From item factors to axes: item loadings, the principal axes common to several fits, and what is made of these."""

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from latentflix.errors import NotEnoughData
from latentflix.recommender.latent_factors import ItemFactors, LatentFactors

Rotation = Literal["varimax", "pca", "ica", "sparse", "none"]
_RANDOM_STARTS = 8


def fit_axes(
    fits: Sequence[LatentFactors | ItemFactors],
    weights: np.ndarray,
    rotation: Rotation,
    n_axes: int,
    n_active: int = 3,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit at most `n_axes` common axes of several fits to the same items, and score the items on them.

    rotation: "pca" (principal axes of the item loadings of all fits), "varimax" (the same, rotated), "ica" (their
    independent components), "sparse" (features of a sparse autoencoder of them, `n_active` of which describe an item),
    or "none" (the raw axes of the first fit, all of them and in their order). weights: float64 (items,); an item of
    weight 0 gets scores but does not influence the axes.
    Returns scores, float64 (items, axes), centred on the weighted mean of the items, by explained variance; and each
    axis' share of the variance, float64 (axes,), which sums to 1 over all axes there are. Sparse features are not at
    right angles: a share of theirs is that of the codes, and they may sum to another number.
    Raises NotEnoughData if all items are alike or have fewer dimensions than independent components are asked for, and
    as `learn_features` does.
    """
    counts = weights > 0
    if all(np.ptp(fit.item_factors[counts], axis=0).max() == 0 for fit in fits):
        raise NotEnoughData(
            "all items have the same factors", found=f"{counts.sum()} equal vectors", expected="vectors that differ"
        )
    root = np.sqrt(weights[counts])[:, None]
    if rotation == "none":
        scores = _centred(fits[0], weights)
        variance = ((root * scores[counts]) ** 2).sum(0)
        return scores, variance / variance.sum()
    side_by_side = np.concatenate([item_loadings(fit, weights) for fit in fits], axis=1)
    loadings = root * side_by_side[counts]
    _, singular, directions = np.linalg.svd(loadings, full_matrices=False)
    n_dimensions = int((singular > singular[0] * 1e-8).sum())
    axes = directions[: min(n_axes, n_dimensions)].T
    if rotation == "varimax":
        axes = axes @ varimax(loadings @ axes)
    elif rotation == "ica":
        if n_axes > n_dimensions:
            raise NotEnoughData(
                "items have fewer dimensions than independent components are asked for",
                where="--factors.n-axes",
                found=str(n_axes),
                expected=f"at most {n_dimensions}",
            )
        axes = axes @ independent_components(loadings @ axes, weights[counts])
    elif rotation == "sparse":
        axes = axes @ _sparse_features(loadings @ axes, n_axes, n_active)
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


def independent_components(loadings: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What principal axes are multiplied by to become independent components: float64 (axes, axes).

    loadings: (rows, axes), on principal axes, each row multiplied by the root of its weight. weights: (rows,).
    `loadings @ independent_components(...)` are uncorrelated as principal axes are, of the greatest kurtosis there is,
    and each as large as its part in the variance. A row counts by its weight in the kurtosis too. The search starts
    from the principal axes, so it always ends in the same place.
    Source: Hyvärinen 1999, "Fast and robust fixed-point algorithms for independent component analysis", IEEE
    Transactions on Neural Networks 10, as scikit-learn has it.
    """
    from sklearn.decomposition import FastICA  # the commands import this module, and must start fast

    lengths = np.linalg.norm(loadings, axis=0)
    white = loadings / lengths * np.sqrt(len(loadings))
    ica = FastICA(
        whiten=False,
        fun=_weighted_cube,
        fun_args={"weights": weights / weights.mean()},
        w_init=np.eye(len(lengths)),
        max_iter=1000,
        tol=1e-5,
    )
    with warnings.catch_warnings():
        # Axes that are nearly normal have no end to reach; that they are not stable says more than a warning.
        warnings.simplefilter("ignore")
        unmixing = ica.fit(white).components_
    return np.asarray((unmixing / lengths).T * np.linalg.norm(unmixing * lengths, axis=1))


def _weighted_cube(sources: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cube, whose fixed point has the greatest kurtosis, and the mean of its slope, of rows times their roots."""
    squares = sources * sources
    return squares * sources / weights, 3 * squares.mean(axis=-1)


def _sparse_features(loadings: np.ndarray, n_features: int, n_active: int) -> np.ndarray:
    """The features that are active anywhere, float64 (axes, features): products with them vary as their codes do.

    The position of an item is its product with a feature, not the code, which is 0 for most items: what is rarely
    active still orders all items, and can be correlated with what is written of them.
    """
    from latentflix.recommender.sparse_features import learn_features  # for this kind alone is torch needed

    features, shares = learn_features(loadings, n_features, n_active)
    features, shares = features[:, shares > 0], shares[shares > 0]
    return features * np.sqrt(shares) * np.linalg.norm(loadings) / np.linalg.norm(loadings @ features, axis=0)


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
