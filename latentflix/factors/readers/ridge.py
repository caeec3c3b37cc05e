"""Ridge regression in its dual form: many targets at once, each with a penalty of its own.

One decomposition of the items' kernel matrix serves all targets and penalties, so a thousand permutations of the
positions cost little more than the positions themselves.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

# Penalties, as multiples of the kernel matrix' mean eigenvalue.
PENALTIES = 10.0 ** np.arange(-1.5, 2.6, 0.5)
# Of more items only so many are those with which all are compared, and half as many components are kept.
LANDMARKS, RANK = 3000, 1500
_ALL_ALIKE = 1e-9


def choose_landmarks(n_items: int, most: int = LANDMARKS) -> np.ndarray:
    """Choose the items with which all are compared: all of them, or of many a random choice. int64 (landmarks,)."""
    if n_items <= most:
        return np.arange(n_items)
    return np.sort(np.random.default_rng(0).choice(n_items, most, replace=False))


@dataclass(frozen=True)
class KernelRidge:
    """The decomposition of the weighted and centred kernel matrix of the items learned from.

    Attributes:
        weights: float64 (items,), of mean 1.
        eigenvalues: float64 (rank,).
        eigenvectors: float64 (items, rank).
        basis: float64 (landmarks, rank), and offset: float64 (rank,): from the kernel of an item with the landmarks to
            where the item lies on the components.
    """

    weights: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray
    basis: np.ndarray
    offset: np.ndarray

    @classmethod
    def decompose(
        cls, kernel: np.ndarray, weights: np.ndarray, landmarks: np.ndarray | None = None, rank: int = RANK
    ) -> "KernelRidge":
        """Decompose the kernel of items with landmarks among them.

        With all items as landmarks this is exact. With fewer it is the Nyström approximation, whose cost grows with the
        number of items and not with its square. Source: Williams and Seeger 2001.

        Args:
            kernel: float64 (items, landmarks).
            weights: (items,), how much each item counts.
            landmarks: int64 (landmarks,), which items they are; not given: all.
            rank: components that are kept of an approximation.
        """
        weights = weights / weights.mean()
        share, root = weights / len(weights), np.sqrt(weights)[:, None]
        if landmarks is None or len(landmarks) == len(kernel):
            mean = kernel @ share
            centred = (kernel - mean[:, None] - mean[None, :] + share @ mean) * root * root.T
            values, vectors = eigh(centred, overwrite_a=True, check_finite=False)
            towards = root * vectors
            basis = towards - share[:, None] * towards.sum(0)
            offset = (share @ mean) * towards.sum(0) - mean @ towards
            return cls(weights, np.maximum(values, 0), vectors, basis, offset)
        values, vectors = eigh(kernel[landmarks], check_finite=False)
        kept = np.flatnonzero(values > values[-1] * 1e-9)[-rank:]
        features = vectors[:, kept] / np.sqrt(values[kept])
        seen = kernel @ features
        mean = share @ seen
        seen = (seen - mean) * root
        values, vectors = eigh(seen.T @ seen, check_finite=False)
        scale = np.sqrt(np.maximum(values, np.finfo(float).tiny))
        return cls(weights, scale**2, seen @ (vectors / scale), features @ (vectors * scale), -mean @ (vectors * scale))

    @property
    def mean_eigenvalue(self) -> float:
        """The mean of the eigenvalues, those counted in that are 0 or left out."""
        # Their sum is 0 if all items are alike, which then predicts nothing.
        return max(float(self.eigenvalues.sum()), _ALL_ALIKE) / len(self.weights)

    def project(self, kernel: np.ndarray) -> np.ndarray:
        """Where items lie on the components, from their kernel with the landmarks: (items, rank)."""
        return np.asarray(kernel @ self.basis + self.offset)


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
        """The weight of each landmark in a prediction: (landmarks, targets)."""
        return np.asarray(self.ridge.basis @ self.coefficients)

    @property
    def constant(self) -> np.ndarray:
        """What is predicted of an item that has nothing in common with any landmark: (targets,)."""
        return np.asarray(self.intercepts + self.ridge.offset @ self.coefficients)

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
