"""How alike a phrase and the documents of items are: by the words of the phrase, or by sentence vectors."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from latentflix.errors import DataError, NotFound
from latentflix.factors.documents import Documents
from latentflix.factors.readers.sentences import SentenceReader

_WORD = re.compile(r"[^\W_]{2,}(?:'[^\W_]+)?")
_EXAMPLE = 'a phrase of a few words, as "laugh-out-loud comedy"'


@dataclass(frozen=True)
class Likeness:
    """How alike a phrase and each document are.

    Attributes:
        values: float64 (items,), larger for documents that are more like the phrase.
        known: the words and pairs of words that were looked for; none if whole sentences are compared.
        unknown: the words of the phrase that no document uses.
    """

    values: np.ndarray
    known: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Similarity(Protocol):
    """A way to compare phrases with the documents of some items."""

    @property
    def name(self) -> str:
        """What the way is called in tables and options."""

    def compare(self, phrase: str) -> Likeness:
        """Compare a phrase with every document. Raises DataError if it is empty, NotFound if nothing in it is known."""


@dataclass(frozen=True)
class WordSimilarity:
    """Compares by TF-IDF of the words of a phrase, and of its pairs of words that follow one another.

    How often a document uses a word is the share of its parts that do, as if it had some more parts that are like all
    others. A word counts more the fewer parts use it.

    Attributes:
        texts: the parts in lower case.
        rows: int64 (parts,), the item of each.
        prior: how many more parts a document counts as having.
    """

    texts: Sequence[str]
    rows: np.ndarray
    n_items: int
    prior: float = 10.0
    name: ClassVar[str] = "words"

    @classmethod
    def read(cls, documents: Documents) -> "WordSimilarity":
        """Read the documents."""
        rows = documents.items.index.get_indexer(documents.parts["item_id"])
        return cls(list(map(_fold, documents.parts["text"])), rows, len(documents.items))

    def compare(self, phrase: str) -> Likeness:
        """As in the protocol of a similarity."""
        words = split_phrase(phrase)
        places = [place for place, word in enumerate(words) if word not in ENGLISH_STOP_WORDS]
        if not places:
            raise NotFound("the phrase has only words that every text uses", found=phrase.strip(), expected=_EXAMPLE)
        singles = dict.fromkeys(words[place] for place in places)
        uses = {word: self._find([word]) for word in singles}
        unknown = tuple(word for word, use in uses.items() if not use.any())
        if len(unknown) == len(uses):
            raise NotFound(
                "no text of this run uses a word of the phrase",
                found=phrase.strip(),
                expected=_EXAMPLE,
                hint="try other words, in the language of the reviews",
            )
        for first, last in pairwise(places):
            sequence = words[first : last + 1]
            uses[" ".join(sequence)] = self._find(sequence)
        known = {term: use for term, use in uses.items() if use.any()}
        rarity = np.log([(1 + len(self.texts)) / use.sum() for use in known.values()])
        shares = np.stack([self._share(use) for use in known.values()])
        return Likeness(rarity**2 @ shares / np.linalg.norm(rarity), tuple(known), unknown)

    def _find(self, words: Sequence[str]) -> np.ndarray:
        """Which parts use the words one after the other: bool (parts,)."""
        sequence = r"\W+".join(map(re.escape, words))
        pattern = re.compile(rf"\b{sequence}\b")
        # To look for the letters first is ten times as fast.
        return np.array(
            [all(word in text for word in words) and bool(pattern.search(text)) for text in self.texts], bool
        )

    def _share(self, use: np.ndarray) -> np.ndarray:
        """The share of each item's parts that use a term, drawn towards that of all parts: float64 (items,)."""
        count, parts = (np.bincount(self.rows, weights, self.n_items) for weights in (use, None))
        return (count + self.prior * use.mean()) / (parts + self.prior)


@dataclass(frozen=True)
class SentenceSimilarity:
    """Compares by the cosine of a phrase's sentence vector and the mean vector of an item's reviews.

    Attributes:
        vectors: float32 (items, size), of length 1, or 0 without a review.
        encode: gives the vector of a phrase, and the share of its tokens that the model does not know.
    """

    vectors: np.ndarray
    encode: Callable[[str], tuple[np.ndarray, float]]
    name: ClassVar[str] = "sentences"

    @classmethod
    def read(
        cls,
        documents: Documents,
        review_ids: pd.Series,
        vectors: np.ndarray,
        encode: Callable[[str], tuple[np.ndarray, float]],
    ) -> "SentenceSimilarity":
        """Average the vectors of each item's reviews. vectors: float32 (reviews, size), of `review_ids`."""
        return cls(SentenceReader.read(documents, review_ids, vectors).vectors, encode)

    def compare(self, phrase: str) -> Likeness:
        """As in the protocol of a similarity."""
        split_phrase(phrase)
        vector, unknown = self.encode(phrase)
        if unknown > 0.5:
            raise NotFound(
                "the sentence transformer does not know the words of the phrase",
                found=phrase.strip(),
                expected=_EXAMPLE,
                hint="compare by words",
            )
        vector = vector.astype(np.float64)
        return Likeness(self.vectors @ vector / max(float(np.linalg.norm(vector)), 1e-12))


def split_phrase(phrase: str) -> list[str]:
    """Split a phrase into its words in lower case. Raises DataError if it has none."""
    words = _WORD.findall(_fold(phrase))
    if not words:
        raise DataError("the phrase has no word", found=repr(phrase.strip()), expected=_EXAMPLE)
    return words


def _fold(text: str) -> str:
    return text.lower().replace("’", "'")
