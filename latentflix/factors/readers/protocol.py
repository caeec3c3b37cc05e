"""What a reader is: a way to compare items, from which ridge regression predicts their positions."""

from typing import Protocol

import numpy as np

_MANY_ITEMS = 4000


def kernel_dtype(n_items: int) -> type[np.floating]:
    """The dtype of kernel matrices: half the precision takes half the room, which many items need."""
    return np.float32 if n_items > _MANY_ITEMS else np.float64


class Reader(Protocol):
    """Says how alike items are, in whatever it sees of them.

    All that it learns (a vocabulary, how rare a word is, means and scales) it learns from the items of `train`.
    """

    @property
    def name(self) -> str:
        """What the reader is called in tables and settings."""

    def kernels(self, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How alike the items of `train` are among themselves, and those of `test` are to them.

        train, test: rows of the documents' items, int64. Returns (train, train) and (test, train), of `kernel_dtype`.
        """
