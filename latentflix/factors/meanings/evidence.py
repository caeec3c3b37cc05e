"""What a language model is shown of a factor: words, titles and passages of some items. The others are for the test."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from latentflix.factors.documents import REVIEW, Documents
from latentflix.factors.labels import POLES
from latentflix.metrics import weighted_ranks
from latentflix.text.cleaning import WORD_PATTERN

# The most frequent words; of those that few reviews use, none says much of a factor.
_MOST_WORDS = 10_000
# More parts that a document counts as having, alike to all others.
_PRIOR = 5.0


@dataclass(frozen=True)
class PoleEvidence:
    """What is shown of a pole: the words that go with it, the items furthest out, and passages of their reviews."""

    words: tuple[str, ...]
    titles: tuple[str, ...]
    passages: tuple[str, ...]


def split_documents(documents: Documents, shown_share: float, seed: int) -> tuple[Documents, Documents]:
    """Split the items at random into those that are shown and those that are kept, sequels together."""
    names, rows = np.unique(documents.items["group"], return_inverse=True)
    shown = np.random.default_rng(seed).permutation(len(names))[rows] < shown_share * len(names)
    kept_apart = []
    for chosen in (shown, ~shown):
        items = documents.items[chosen]
        parts = documents.parts[documents.parts["item_id"].isin(items.index)].reset_index(drop=True)
        kept_apart.append(replace(documents, items=items, parts=parts))
    return kept_apart[0], kept_apart[1]


@dataclass(frozen=True)
class Evidence:
    """How often each item uses each word, ready for any factor. shares: float32 (items, words)."""

    documents: Documents
    words: np.ndarray
    shares: np.ndarray

    @classmethod
    def count(cls, documents: Documents, min_items: int) -> "Evidence":
        """Count the words that the reviews of so many items use; proper names are left out."""
        reviews = documents.parts[documents.parts["kind"] == REVIEW]
        rows = documents.items.index.get_indexer(reviews["item_id"])
        vectorizer = CountVectorizer(
            binary=True,
            lowercase=False,
            stop_words="english",
            token_pattern=WORD_PATTERN,
            dtype=np.float32,
            max_features=_MOST_WORDS,
        )
        try:
            use = sparse.csr_array(vectorizer.fit_transform(reviews["text"]))
        except ValueError:
            # No text has a word.
            return cls(documents, np.array([], str), np.zeros((len(documents.items), 0)))
        ones = np.ones(len(rows), np.float32)
        owners = sparse.csr_array((ones, (rows, np.arange(len(rows)))), (len(documents.items), len(rows)))
        counts = sparse.csr_array(owners @ use)
        words = vectorizer.get_feature_names_out()
        users = np.bincount(counts.indices, minlength=len(words))
        known = (users >= min_items) & ~np.isin(words, documents.proper_names)
        usual = np.asarray(use.mean(axis=0)).ravel()[known]
        parts = np.bincount(rows, minlength=len(documents.items)).astype(np.float32)[:, None]
        shares = (counts[:, known].toarray() + np.float32(_PRIOR) * usual) / (parts + np.float32(_PRIOR))
        return cls(documents, words[known], shares)

    def of_pole(
        self, positions: pd.Series, pole: str, n_words: int, n_titles: int, n_passages: int, longest: int
    ) -> PoleEvidence:
        """Choose what to show of a pole.

        positions: index item_id. longest: of a passage, in characters.
        """
        items = self.documents.items
        truth = positions.loc[items.index].to_numpy(np.float64) * (1 if pole == POLES[0] else -1)
        words = self._words(truth, items["weight"].to_numpy(np.float64), n_words)
        # An item whose position is hardly known says little of the pole.
        furthest = items.index[np.argsort(-truth * items["weight"].to_numpy(), kind="stable")]
        parts = self.documents.parts[self.documents.parts["kind"] == REVIEW]
        by_item = parts[parts["item_id"].isin(furthest[: 2 * n_titles])].groupby("item_id")["text"].agg(list)
        found = (_passage(by_item.get(item, []), words, longest) for item in furthest[: 2 * n_titles])
        passages = tuple(passage for passage in found if passage)[:n_passages]
        return PoleEvidence(words, tuple(items.loc[furthest[:n_titles], "title"]), passages)

    def _words(self, truth: np.ndarray, weights: np.ndarray, n_words: int) -> tuple[str, ...]:
        if not len(self.words):
            return ()
        position = weighted_ranks(truth, weights[None])[0]
        shares = self.shares - np.average(self.shares, axis=0, weights=weights)
        spread = np.sqrt(weights @ shares**2 * (weights @ position**2))
        correlation = (weights * position) @ shares / np.maximum(spread, 1e-12)
        best = np.argsort(-correlation, kind="stable")[:n_words]
        return tuple(str(self.words[column]) for column in best if correlation[column] > 0)


def _passage(texts: Sequence[str], words: Sequence[str], longest: int) -> str:
    """What stands around the first of the words in the text that uses most of them; empty if none uses any."""
    if not words:
        return ""
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b")
    used = [len(set(pattern.findall(text))) for text in texts]
    if not any(used):
        return ""
    text = texts[int(np.argmax(used))]
    found = pattern.search(text)
    middle = found.start() if found else 0
    start = max(middle - longest // 2, 0)
    passage = " ".join(text[start : start + longest].split())
    # Half a word at either end is left out.
    first, last = int(start > 0), -1 if start + longest < len(text) else None
    return " ".join(passage.split(" ")[first:last])
