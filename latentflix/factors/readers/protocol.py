"""What a reader is: a way to see items as numbers, from which ridge regression predicts their positions."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Features = Any
"""Numbers of items or texts: float32 (rows, features), a NumPy array or a SciPy sparse array."""


class Reader(Protocol):
    """Sees items as numbers.

    All that it learns (a vocabulary, how rare a word is, means and scales) it learns from the items of `train`.
    """

    @property
    def name(self) -> str:
        """What the reader is called in tables and settings."""

    def features(self, train: np.ndarray, test: np.ndarray) -> tuple[Features, Features]:
        """The features of the items of `train` and of `test`, both rows of the documents' items, int64."""


class TextReader(Reader, Protocol):
    """A reader that sees words, and so can read a text of no item too."""

    def text_features(self, train: np.ndarray, texts: Sequence[str]) -> Features:
        """The features of texts, as learned from the items of `train`."""
