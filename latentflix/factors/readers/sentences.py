"""The reader of sentence vectors: the mean vector of an item's reviews, as a sentence transformer sees them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from latentflix.factors.documents import Documents


@dataclass(frozen=True)
class SentenceReader:
    """Sees an item as the mean of its reviews' vectors, of length 1. vectors: float32 (items, size)."""

    vectors: np.ndarray
    name: ClassVar[str] = "sentences"

    @classmethod
    def read(cls, documents: Documents, review_ids: pd.Series, vectors: np.ndarray) -> "SentenceReader":
        """Average the vectors of each item's reviews. vectors: float32 (reviews, size), of `review_ids`."""
        by_review = pd.DataFrame(vectors, index=review_ids.to_numpy())
        parts = documents.parts[documents.parts["part_id"].isin(by_review.index)]
        means = by_review.loc[parts["part_id"]].groupby(parts["item_id"].to_numpy()).mean()
        means = means.reindex(documents.items.index, fill_value=0).to_numpy(np.float32)
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        return cls(means / np.where(lengths > 0, lengths, 1))

    def kernels(self, train: np.ndarray, test: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As in the protocol of a reader."""
        vectors = self.vectors.astype(np.float64)
        return vectors[train] @ vectors[landmarks].T, vectors[test] @ vectors[landmarks].T
