"""What a reader is: a way to compare items, from which ridge regression predicts their positions."""

from typing import Protocol

import numpy as np


class Reader(Protocol):
    """Says how alike items are, in whatever it sees of them.

    All that it learns (a vocabulary, how rare a word is, means and scales) it learns from the items of `train`.
    """

    @property
    def name(self) -> str:
        """What the reader is called in tables and settings."""

    def kernels(self, train: np.ndarray, test: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How alike the items of `train` and of `test` are to the landmarks, which are items of `train`.

        train, test, landmarks: rows of the documents' items, int64. Returns float64 (train, landmarks) and
        (test, landmarks).
        """
