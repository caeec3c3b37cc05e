"""What several models say of the same texts, put together by what each is worth."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression


def weigh(parts: Sequence[np.ndarray], truth: np.ndarray) -> np.ndarray:
    """The mixture of logits under which the truth is most probable: a weight for each part, and what is added.

    parts, truth: (texts, labels) each. Returns float64 (parts + 1,). Sources: Wolpert 1992, stacked generalization;
    Platt 1999, for a single part.
    """
    logits = np.stack([part.ravel() for part in parts], axis=1)
    model = LogisticRegression(C=np.inf).fit(logits, truth.ravel())
    return np.array([*model.coef_[0], model.intercept_[0]])


def mix(parts: Sequence[np.ndarray], mixture: np.ndarray) -> np.ndarray:
    """The probabilities that follow from logits of all parts: float64 (texts, labels)."""
    return np.asarray(expit(np.tensordot(mixture[:-1], np.stack(parts), axes=1) + mixture[-1]))
