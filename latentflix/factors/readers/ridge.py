"""Ridge regression in its dual form: many targets at once, each with a penalty of its own.

One decomposition of the items' kernel matrix serves all targets and penalties, so a thousand permutations of the
positions cost little more than the positions themselves.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

# Penalties, as multiples of the kernel matrix' mean eigenvalue.
PENALTIES = 10.0 ** np.arange(-1.5, 2.6, 0.5)


@dataclass(frozen=True)
class KernelRidge:
    """The decomposition of a weighted and centred kernel matrix of the items learned from.

    Attributes:
        weights: float64 (items,), of mean 1.
        eigenvalues: float64 (items,).
        eigenvectors: float64 (items, items).
        mean: float64 (items,), the weighted mean of the kernel's rows.
    """

    weights: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray
    mean: np.ndarray

    @classmethod
    def decompose(cls, kernel: np.ndarray, weights: np.ndarray) -> "KernelRidge":
        """Decompose a kernel matrix (items, items). weights: (items,), how much each item counts."""
        weights = weights / weights.mean()
        share = weights / len(weights)
        mean = kernel @ share
        centred = kernel - mean[:, None] - mean[None, :] + share @ mean
        root = np.sqrt(weights)
        eigenvalues, eigenvectors = eigh(root[:, None] * centred * root[None, :], overwrite_a=True, check_finite=False)
        return cls(weights, np.maximum(eigenvalues, 0), eigenvectors, mean)

    def centre(self, kernel: np.ndarray) -> np.ndarray:
        """The kernel of other items with those learned from (others, items), centred as those are."""
        share = self.weights / len(self.weights)
        return kernel - self.mean[None, :] - (kernel @ share)[:, None] + share @ self.mean


@dataclass(frozen=True)
class RidgeFit:
    """A fit to many targets.

    Attributes:
        dual: (items, targets), the weight of each item learned from in a prediction.
        intercepts: (targets,).
        left_out: (items, targets), what would be predicted of each item without it.
        penalties: (targets,), as multiples of the mean eigenvalue.
    """

    dual: np.ndarray
    intercepts: np.ndarray
    left_out: np.ndarray
    penalties: np.ndarray

    def predict(self, centred: np.ndarray) -> np.ndarray:
        """Predict the targets of items from their centred kernel (others, items): (others, targets)."""
        return centred.astype(self.dual.dtype, copy=False) @ self.dual + self.intercepts


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
    scale = max(values.mean(), np.finfo(float).tiny)
    kept = np.stack([values / (values + penalty * scale) for penalty in PENALTIES])
    # The intercept takes one degree of freedom.
    freedom = 1 - (kept.sum(1) + 1) / n_items
    errors = ((1 - kept) ** 2).astype(dtype) @ power / np.maximum(freedom, 1e-9)[:, None] ** 2
    chosen = errors.argmin(0)
    shrunk = rotated * kept.T.astype(dtype)[:, chosen]
    squares = ridge.eigenvectors**2
    leverages = np.minimum(squares @ kept.T + (ridge.weights / n_items)[:, None], 1 - 1e-6).astype(dtype)
    eigenvectors = ridge.eigenvectors.astype(dtype)
    residuals = targets - intercepts - (eigenvectors @ shrunk) / root[:, None]
    left_out = targets - residuals / (1 - leverages)[:, chosen]
    dual = root[:, None] * (eigenvectors @ (rotated / (values[:, None] + (PENALTIES * scale)[chosen]).astype(dtype)))
    return RidgeFit(dual, intercepts, left_out, PENALTIES[chosen])
