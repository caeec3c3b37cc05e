"""The reader of words, fitted to all items and kept as a weight for each word, so that it can read any text.

What it says of a text is measured against what readers that have not learned from its item say of the run's reviews:
a position of 2 is two standard deviations of texts of its length from their mean. (A sentence differs from a review in
the mean: it has less of what all reviews have.) On which factor a text stands furthest out depends on how much a single
text says about each: the expected position is that of the item that it would be a review of.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from latentflix.factors.readers.ridge import KernelRidge, choose_landmarks, fit_ridge
from latentflix.factors.readers.tfidf import (
    Vocabulary,
    WordReader,
    count_words,
    fold_weights,
    gram_matrix,
    split_words,
    weigh_words,
    word_counter,
)
from latentflix.text.cleaning import note_unknown

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_SHORTEST, _SOME_REVIEWS = 4, 2000
NO_FACTOR_WORD = "none of its words says anything about a factor"


@dataclass(frozen=True)
class ReaderModel:
    """A reader of words that has learned from all items.

    Attributes:
        words: the words and pairs of words that it weighs.
        frequent: single words that it knows and does not weigh, for most documents use them.
        idf: float32 (words,).
        coefficients: float32 (words, axes).
        intercepts: float32 (axes,).
        axes: names of the axes.
        lengths: float32 (2,), the usual number of its words in a sentence and in a review.
        means: float32 (2, axes), of the positions that single sentences and reviews are predicted to have.
        deviations: float32 (2, axes), of the same.
        correlations: float32 (axes,), of the positions predicted from single reviews with those of their items.
        proper_names: words that it leaves out.
    """

    words: list[str]
    frequent: list[str]
    idf: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    axes: list[str]
    lengths: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    correlations: np.ndarray
    proper_names: list[str]

    @cached_property
    def vectorizer(self) -> CountVectorizer:
        """What counts the words of a text."""
        pairs = any(" " in word for word in self.words)
        return word_counter(pairs=pairs, vocabulary=self.words)

    @cached_property
    def known(self) -> frozenset[str]:
        """All single words that it knows."""
        single = (word for term in self.words for word in term.split(" "))
        return frozenset((*single, *self.frequent, *self.proper_names))

    def features(self, texts: Sequence[str]) -> sparse.csr_array:
        """How often each text uses each word, weighed by `idf` and scaled to length 1: float32 (texts, words)."""
        counts = count_words(self.vectorizer, texts, frozenset(self.proper_names))
        return weigh_words(counts, Vocabulary(np.arange(len(self.words)), self.idf))


def fit_reader(
    words: WordReader,
    positions: pd.DataFrame,
    weights: np.ndarray,
    reviews: pd.DataFrame,
    review_positions: pd.DataFrame,
) -> ReaderModel:
    """Fit the reader of words to all items.

    Args:
        words: what has counted the words of the items.
        positions: one row per item of `words`, in that order, one column per axis.
        weights: (items,), how much each item counts.
        reviews: part_id, item_id, text.
        review_positions: index part_id, the columns of `positions`: as predicted of single reviews by readers that have
            not learned from their items.
    """
    everything, targets = np.arange(len(positions)), positions.to_numpy(np.float64)
    coefficients, intercepts = _fit_primal(words, everything, targets, weights)
    deviations = review_positions.std(ddof=0).to_numpy(np.float64)
    # On a factor of which no word says anything, all texts stand at the mean.
    deviations = np.where(deviations > 0, deviations, 1)
    names, vocabulary = words.words, words.learn(everything)
    others = np.setdiff1d(np.arange(len(names)), vocabulary.columns)
    # Of its own items' reviews the reader knows more than of their sentences, so one half judges the other's.
    half, other = everything[::2], reviews["item_id"].isin(positions.index[1::2])
    shorter = _compare_lengths(words, half, _fit_primal(words, half, targets, weights)[0], reviews.loc[other, "text"])
    means = review_positions.mean().to_numpy(np.float64)
    reviewed = reviews.set_index("part_id")["item_id"].loc[review_positions.index]
    return ReaderModel(
        words=names[vocabulary.columns].tolist(),
        frequent=[word for word in names[others].tolist() if " " not in word],
        idf=vocabulary.idf,
        coefficients=coefficients.astype(np.float32),
        intercepts=intercepts.astype(np.float32),
        axes=[str(axis) for axis in positions.columns],
        lengths=shorter.lengths.astype(np.float32),
        means=np.stack([means + shorter.offset, means]).astype(np.float32),
        deviations=np.stack([deviations * shorter.ratio, deviations]).astype(np.float32),
        correlations=_correlate(review_positions, positions.loc[reviewed], reviewed).astype(np.float32),
        proper_names=sorted(words.proper_names),
    )


def _fit_primal(
    words: WordReader, train: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the items of `train`: coefficients float64 (words, axes), and intercepts float64 (axes,)."""
    chosen = choose_landmarks(len(train))
    vocabulary = words.learn(train)
    known = words.features(train[chosen], vocabulary)
    kernel = gram_matrix(words.features(train, vocabulary), known)
    fit = fit_ridge(KernelRidge.decompose(kernel, weights[train], chosen), targets[train])
    return fold_weights(known.T @ fit.dual), fit.constant


@dataclass(frozen=True)
class _Shorter:
    """How predictions of sentences differ from those of reviews: in the mean, and by the ratio of deviations."""

    lengths: np.ndarray
    offset: np.ndarray
    ratio: np.ndarray


def _compare_lengths(words: WordReader, train: np.ndarray, coefficients: np.ndarray, texts: pd.Series) -> _Shorter:
    """Compare what is predicted of reviews with what is predicted of each of their sentences."""
    some = texts.iloc[:: max(len(texts) // _SOME_REVIEWS, 1)]
    sentences = [part for text in some for part in _SENTENCE_END.split(text) if len(split_words(part)) >= _SHORTEST]
    vocabulary = words.learn(train)
    seen = [
        weigh_words(count_words(words.vectorizer, part, words.proper_names), vocabulary)
        for part in (sentences or list(some), list(some))
    ]
    lengths = np.array([max(np.median(np.diff(each.indptr)), 1) for each in seen])
    short, long = (each @ coefficients for each in seen)
    ratio = short.std(0) / np.maximum(long.std(0), np.finfo(float).tiny)
    return _Shorter(lengths, short.mean(0) - long.mean(0), np.where((ratio > 0) & np.isfinite(ratio), ratio, 1))


def _correlate(predicted: pd.DataFrame, truth: pd.DataFrame, item_ids: pd.Series) -> np.ndarray:
    """Correlate predictions of single reviews with the truth, all items counting alike; 0 where it is below."""
    weights = 1 / item_ids.groupby(item_ids).transform("size").to_numpy(np.float64)
    share = (weights / weights.sum())[:, None]
    left, right = (table.to_numpy(np.float64) for table in (predicted, truth))
    left, right = (each - (share * each).sum(0) for each in (left, right))
    scale = np.sqrt((share * left**2).sum(0) * (share * right**2).sum(0))
    return np.maximum((share * left * right).sum(0) / np.where(scale > 0, scale, 1), 0)


def predict_positions(model: ReaderModel, texts: Sequence[str]) -> np.ndarray:
    """Predict the positions of texts, in those of items: float32 (texts, axes)."""
    return np.asarray(model.features(texts) @ model.coefficients + model.intercepts)


def read_texts(model: ReaderModel, texts: Sequence[str]) -> np.ndarray:
    """Predict where texts stand, in standard deviations of texts of their length: float32 (texts, axes)."""
    counts = np.diff(model.features(texts).indptr)
    # How far each text is on the way from a sentence to a review.
    short, long = np.log(model.lengths)
    way = np.clip((np.log(np.maximum(counts, 1)) - short) / max(long - short, 1e-6), 0, 1)[:, None]
    means, deviations = ((1 - way) * of[0] + way * of[1] for of in (model.means, model.deviations))
    return np.asarray((predict_positions(model, texts) - means) / deviations, np.float32)


def expected_positions(model: ReaderModel, positions: np.ndarray) -> np.ndarray:
    """Expect positions of items, in their standard deviations, from those of single texts (texts, axes) about them."""
    return positions * model.correlations


def speaking_words(model: ReaderModel, text: str, axis: str, count: int = 5) -> list[str]:
    """Choose the words of a text that speak most for the side of an axis on which it is predicted to stand.

    Of words and pairs that share a word only the one that speaks most is named.
    """
    column = model.axes.index(axis)
    side = np.sign(read_texts(model, [text])[0, column])
    features = model.features([text])
    spoken = side * features.data * model.coefficients[features.indices, column]
    chosen: list[str] = []
    for at in np.argsort(-spoken, kind="stable"):
        term = model.words[features.indices[at]]
        if spoken[at] <= 0 or len(chosen) == count:
            break
        if not {*term.split(" ")} & {word for other in chosen for word in other.split(" ")}:
            chosen.append(term)
    return chosen


def note_text(model: ReaderModel, text: str) -> str:
    """Why the reader can say nothing of a text; empty if it can."""
    tokens = split_words(text)
    unknown = sum(token not in model.known for token in tokens) / max(len(tokens), 1)
    return note_unknown(unknown) or ("" if model.features([text]).nnz else NO_FACTOR_WORD)
