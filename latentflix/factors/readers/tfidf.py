"""The reader of words: how often an item's document uses each word and pair of words, rare ones counting more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from latentflix.config import StageConfig, setting
from latentflix.errors import NotEnoughData
from latentflix.factors.documents import Documents, mask_names

_WORD = r"\b\w\w+\b"
# Of the mean of the parts, beside the whole document, whose weight is 1.
_PART_WEIGHT = 0.7
_ROWS_AT_ONCE = 1000
_FREQUENT = 0.03


class WordsConfig(StageConfig):
    """Which words the reader of words knows."""

    min_items: int = setting(2, "items whose documents must use a word", ge=1)
    max_share: float = setting(0.5, "largest share of the documents that may use a word", gt=0, le=1)
    pairs: bool = setting(True, "know pairs of words that follow one another too")


@dataclass(frozen=True)
class Vocabulary:
    """The words that a reader knows. columns: int64 (words,), of all words counted. idf: float32 (words,)."""

    columns: np.ndarray
    idf: np.ndarray


@dataclass(frozen=True)
class WordReader:
    """Compares items by TF-IDF of their whole documents and, side by side with it, the mean of that of their parts.

    A document of many reviews repeats what all of them say; the mean keeps what single reviews are about.

    Attributes:
        parts: a sparse array (parts, words) of how often each part of a document uses each word.
        owners: a sparse array (items, parts), 1 where the part is the item's.
        counts: the same as `parts` of whole documents, a sparse array (items, words).
    """

    vectorizer: CountVectorizer
    parts: sparse.csr_array
    owners: sparse.csr_array
    counts: sparse.csr_array
    config: WordsConfig
    proper_names: frozenset[str]
    name: ClassVar[str] = "words"

    @classmethod
    def read(cls, documents: Documents, config: WordsConfig, *, mask: bool) -> "WordReader":
        """Count the words of the documents. mask: leave out proper names.

        Raises NotEnoughData if no document has a word.
        """
        proper_names = frozenset(documents.proper_names if mask else ())
        vectorizer = word_counter(pairs=config.pairs, min_df=config.min_items)
        texts = _prepare(documents.parts["text"].tolist(), proper_names)
        try:
            parts = sparse.csr_array(vectorizer.fit_transform(texts))
        except ValueError as error:
            raise NotEnoughData(
                "no word is used often enough to learn from",
                found=f"{len(texts)} texts",
                expected=f"a word that {config.min_items} of them use",
                hint="lower --readers.words.min-items, or bring more reviews",
            ) from error
        rows = documents.items.index.get_indexer(documents.parts["item_id"])
        ones = np.ones(len(rows), np.float32)
        owners = sparse.csr_array((ones, (rows, np.arange(len(rows)))), (len(documents.items), len(rows)))
        return cls(vectorizer, parts, owners, sparse.csr_array(owners @ parts), config, proper_names)

    @cached_property
    def words(self) -> np.ndarray:
        """The words and pairs of the columns of `counts`: str (words,)."""
        return np.asarray(self.vectorizer.get_feature_names_out())

    def learn(self, train: np.ndarray) -> Vocabulary:
        """Learn from the items of `train` which words to know, and how rare each is."""
        used = np.bincount(self.counts[train].indices, minlength=self.counts.shape[1])
        known = (used >= self.config.min_items) & (used <= self.config.max_share * len(train))
        # With very few items the rule about frequent words may leave none.
        columns = np.flatnonzero(known if known.any() else used > 0)
        # Source: scikit-learn's smoothed idf.
        idf = np.log((1 + len(train)) / (1 + used[columns])) + 1
        return Vocabulary(columns, idf.astype(np.float32))

    def features(self, rows: np.ndarray, vocabulary: Vocabulary) -> sparse.csr_array:
        """The features of items: float32 (items, 2 * words), those of whole documents and those of their parts."""
        whole = weigh_words(self.counts[rows], vocabulary)
        owners = self.owners[rows]
        inside = np.unique(owners.indices)
        parts = owners[:, inside] @ weigh_words(self.parts[inside], vocabulary)
        return _side_by_side(whole, sparse.csr_array(normalize(sparse.csr_array(parts))))

    def text_features(self, texts: Sequence[str], vocabulary: Vocabulary) -> sparse.csr_array:
        """The features of texts, each of which is a document of one part."""
        whole = weigh_words(count_words(self.vectorizer, texts, self.proper_names), vocabulary)
        return _side_by_side(whole, whole)

    def kernels(self, train: np.ndarray, test: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As in the protocol of a reader."""
        vocabulary = self.learn(train)
        learned, seen, known = (self.features(rows, vocabulary) for rows in (train, test, landmarks))
        return gram_matrix(learned, known), gram_matrix(seen, known)


def gram_matrix(left: sparse.csr_array, right: sparse.csr_array) -> np.ndarray:
    """The inner products of all rows: float64 (left, right)."""
    used = np.bincount(right.indices, minlength=right.shape[1])
    # Frequent words make nearly all of the work, and are multiplied faster as dense arrays.
    frequent = used > _FREQUENT * right.shape[0]
    dense = right[:, frequent].toarray().T
    rare = right[:, ~frequent].T.tocsr()
    result = np.empty((left.shape[0], right.shape[0]))
    # A product of sparse arrays is dense here, and takes twice the room as a sparse one.
    for start in range(0, left.shape[0], _ROWS_AT_ONCE):
        part = left[start : start + _ROWS_AT_ONCE]
        result[start : start + _ROWS_AT_ONCE] = part[:, frequent].toarray() @ dense + (part[:, ~frequent] @ rare)
    return result


def document_texts(documents: Documents) -> pd.Series:
    """Join the parts of each document: str, index item_id, in the order of `documents.items`."""
    texts: pd.Series = documents.parts.groupby("item_id")["text"].agg("\n".join)
    return texts.loc[documents.items.index]


def word_counter(*, pairs: bool, **options: Any) -> CountVectorizer:
    """What counts the words of texts, and their pairs. options: of CountVectorizer."""
    return CountVectorizer(ngram_range=(1, 2 if pairs else 1), token_pattern=_WORD, dtype=np.float32, **options)


def split_words(text: str) -> list[str]:
    """Split a text into the words that are counted, in lower case."""
    return re.findall(_WORD, text.lower())


def count_words(vectorizer: CountVectorizer, texts: Sequence[str], proper_names: frozenset[str]) -> sparse.csr_array:
    """Count the words that a fitted vectorizer knows: float32 (texts, words)."""
    return sparse.csr_array(vectorizer.transform(_prepare(texts, proper_names)))


def _prepare(texts: Sequence[str], proper_names: frozenset[str]) -> Sequence[str]:
    return [mask_names(text, proper_names) for text in texts] if proper_names else texts


def weigh_words(counts: sparse.csr_array, vocabulary: Vocabulary) -> sparse.csr_array:
    """Compute sublinear TF-IDF from counts, scaled to length 1: float32 (texts, words of the vocabulary)."""
    chosen = counts[:, vocabulary.columns]
    chosen.data = (1 + np.log(chosen.data)) * vocabulary.idf[chosen.indices]
    return sparse.csr_array(normalize(chosen, copy=False))


def fold_weights(weights: np.ndarray) -> np.ndarray:
    """Weights of features (2 * words, …) as weights of the words of a text, which is a document of one part."""
    whole, parts = np.split(weights, 2)
    return np.asarray(whole + _PART_WEIGHT * parts)


def _side_by_side(whole: sparse.csr_array, parts: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array(sparse.hstack([whole, np.float32(_PART_WEIGHT) * parts], format="csr"))
