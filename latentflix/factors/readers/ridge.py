"""Ridge regression in its dual form: many targets at once, each with a penalty of its own.

One decomposition of the items' kernel matrix serves all targets and penalties, so a thousand permutations of the
positions cost little more than the positions themselves.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

# Penalties, as multiples of the kernel matrix' mean eigenvalue.
PENALTIES = 10.0 ** np.arange(-1.5, 2.6, 0.5)
# Above twice as many items only so many leading eigenvectors are computed.
RANK = 1500


@dataclass(frozen=True)
class KernelRidge:
    """The decomposition of a weighted and centred kernel matrix of the items learned from.

    Attributes:
        weights: float64 (items,), of mean 1.
        eigenvalues: float64 (rank,).
        eigenvectors: (items, rank); the rank is the number of items, or RANK of many.
        mean_eigenvalue: of all of them.
        mean: float64 (items,), the weighted mean of the kernel's rows.
    """

    weights: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray
    mean_eigenvalue: float
    mean: np.ndarray

    @classmethod
    def decompose(cls, kernel: np.ndarray, weights: np.ndarray, rank: int = RANK) -> "KernelRidge":
        """Decompose a kernel matrix (items, items), which is overwritten. weights: (items,), how much each item counts.

        With more than twice `rank` items, the regression is that on their leading `rank` components.
        """
        weights = weights / weights.mean()
        share = weights / len(weights)
        mean = kernel @ share
        root = np.sqrt(weights).astype(kernel.dtype)
        kernel -= (mean - share @ mean / 2)[:, None].astype(kernel.dtype)
        kernel -= (mean - share @ mean / 2)[None, :].astype(kernel.dtype)
        kernel *= root[:, None]
        kernel *= root[None, :]
        trace = max(float(np.trace(kernel)), np.finfo(float).tiny)
        decompose = _leading_eigenvectors if len(kernel) > 2 * rank else _all_eigenvectors
        eigenvalues, eigenvectors = decompose(kernel, rank)
        return cls(weights, np.maximum(eigenvalues, 0), eigenvectors, trace / len(kernel), mean)

    def centre(self, kernel: np.ndarray) -> np.ndarray:
        """The kernel of other items with those learned from (others, items), centred as those are."""
        share = self.weights / len(self.weights)
        return kernel - self.mean[None, :] - (kernel @ share)[:, None] + share @ self.mean

    def project(self, kernel: np.ndarray) -> np.ndarray:
        """Where other items lie on the components, from their kernel with those learned from: (others, rank)."""
        return self.centre(kernel) @ (np.sqrt(self.weights)[:, None] * self.eigenvectors)


@dataclass(frozen=True)
class RidgeFit:
    """A fit to many targets.

    Attributes:
        coefficients: (rank, targets), the weight of each component.
        intercepts: (targets,).
        left_out: (items, targets), what would be predicted of each item without it.
        penalties: (targets,), as multiples of the mean eigenvalue.
    """

    ridge: KernelRidge
    coefficients: np.ndarray
    intercepts: np.ndarray
    left_out: np.ndarray
    penalties: np.ndarray

    @property
    def dual(self) -> np.ndarray:
        """The weight of each item learned from in a prediction: (items, targets)."""
        return np.sqrt(self.ridge.weights)[:, None] * (self.ridge.eigenvectors @ self.coefficients)

    def predict(self, projected: np.ndarray) -> np.ndarray:
        """Predict the targets of items from where they lie on the components (others, rank): (others, targets)."""
        return projected.astype(self.coefficients.dtype, copy=False) @ self.coefficients + self.intercepts


def fit_ridge(ridge: KernelRidge, targets: np.ndarray) -> RidgeFit:
    """Fit targets (items, targets), each with the penalty that predicts left-out items best.

    The penalty is chosen by generalised cross-validation, which is the error of leaving out one item after the other
    with the items' leverages replaced by their mean. Source: Golub, Heath and Wahba 1979. What is predicted of each
    item without it is exact. The results have the dtype of the targets.
    """
    dtype, n_items = targets.dtype, len(targets)
    root = np.sqrt(ridge.weights).astype(dtype)
    values = ridge.eigenvalues
    intercepts = (ridge.weights.astype(dtype) / n_items) @ targets
    rotated = ridge.eigenvectors.T.astype(dtype) @ (root[:, None] * (targets - intercepts))
    power = rotated**2
    scale = ridge.mean_eigenvalue
    # What no component reaches is predicted by nothing.
    beyond = np.maximum((ridge.weights.astype(dtype) @ (targets - intercepts) ** 2) - power.sum(0), 0)
    kept = np.stack([values / (values + penalty * scale) for penalty in PENALTIES])
    # The intercept takes one degree of freedom.
    freedom = 1 - (kept.sum(1) + 1) / n_items
    errors = (((1 - kept) ** 2).astype(dtype) @ power + beyond) / np.maximum(freedom, 1e-9)[:, None] ** 2
    chosen = errors.argmin(0)
    shrunk = rotated * kept.T.astype(dtype)[:, chosen]
    squares = ridge.eigenvectors**2
    leverages = np.minimum(squares @ kept.T + (ridge.weights / n_items)[:, None], 1 - 1e-6).astype(dtype)
    eigenvectors = ridge.eigenvectors.astype(dtype)
    residuals = targets - intercepts - (eigenvectors @ shrunk) / root[:, None]
    left_out = targets - residuals / (1 - leverages)[:, chosen]
    coefficients = rotated / (values[:, None] + (PENALTIES * scale)[chosen]).astype(dtype)
    return RidgeFit(ridge, coefficients, intercepts, left_out, PENALTIES[chosen])


def _all_eigenvectors(kernel: np.ndarray, _: int) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = eigh(kernel, overwrite_a=True, check_finite=False)
    return values, vectors


def _leading_eigenvectors(kernel: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """The leading eigenvalues and eigenvectors, nearly. Source: Halko et al. 2011, subspace iteration."""
    start = np.random.default_rng(0).normal(size=(len(kernel), rank)).astype(kernel.dtype)
    basis = np.linalg.qr(kernel @ start)[0]
    basis = np.linalg.qr(kernel @ basis)[0]
    values, vectors = eigh(basis.T @ (kernel @ basis), check_finite=False)
    return values.astype(np.float64), basis @ vectors
