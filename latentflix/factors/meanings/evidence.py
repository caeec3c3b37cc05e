"""What a language model is shown of a factor: words, titles and passages of some items. The others are for the test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from latentflix.factors.documents import Documents, review_parts
from latentflix.factors.labels import POLES
from latentflix.factors.word_use import count_use, find_terms
from latentflix.metrics import weighted_ranks

# As for names: of the reviews that may use a word, the words that are known, and more reviews that each item counts as
# having.
_LARGEST_SHARE, _MOST_WORDS, _PRIOR = 0.5, 10_000, 10.0


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
    """How often each item uses each word, ready for any factor.

    weights: float64 (items,), of sum 1. use: float32 (items, words), standardised over items.
    """

    documents: Documents
    words: np.ndarray
    weights: np.ndarray
    use: np.ndarray

    @classmethod
    def count(cls, documents: Documents, min_items: int) -> "Evidence":
        """Count the words that the reviews of so many items use; proper names are left out."""
        items = documents.items
        reviews = review_parts(documents)
        weights = (items["weight"] / items["weight"].sum()).to_numpy(np.float64)
        counted = count_use(
            reviews["text"],
            items.index.get_indexer(reviews["item_id"]),
            len(items),
            documents.proper_names,
            min_items=min_items,
            max_share=_LARGEST_SHARE,
            max_terms=_MOST_WORDS,
        )
        return cls(documents, counted.terms, weights, counted.standardise(_PRIOR, weights))

    def of_pole(
        self, positions: pd.Series, pole: str, n_words: int, n_titles: int, n_passages: int, longest: int
    ) -> PoleEvidence:
        """Choose what to show of a pole.

        positions: index item_id. longest: of a passage, in characters.
        """
        items = self.documents.items
        truth = positions.loc[items.index].to_numpy(np.float64) * (1 if pole == POLES[0] else -1)
        words = self._choose_words(truth, n_words)
        # An item whose position is hardly known says little of the pole.
        furthest = items.index[np.argsort(-truth * self.weights, kind="stable")]
        parts = review_parts(self.documents)
        by_item = parts[parts["item_id"].isin(furthest[: 2 * n_titles])].groupby("item_id")["text"].agg(list)
        found = (_passage(by_item.get(item, []), words, longest) for item in furthest[: 2 * n_titles])
        passages = tuple(passage for passage in found if passage)[:n_passages]
        return PoleEvidence(words, tuple(items.loc[furthest[:n_titles], "title"]), passages)

    def _choose_words(self, truth: np.ndarray, n_words: int) -> tuple[str, ...]:
        """The words whose use goes most with the rank of the position."""
        correlation = (self.weights * weighted_ranks(truth, self.weights[None])[0]) @ self.use
        best = np.argsort(-correlation, kind="stable")[:n_words]
        return tuple(str(self.words[column]) for column in best if correlation[column] > 0)


def _passage(texts: Sequence[str], words: Sequence[str], longest: int) -> str:
    """What stands around the first of the words in the text that uses most of them; empty if none uses any."""
    found = [find_terms(text, words) for text in texts]
    used = [len({term for _, term in each}) for each in found]
    if not any(used):
        return ""
    best = int(np.argmax(used))
    text, middle = texts[best], found[best][0][0][0]
    start = max(middle - longest // 2, 0)
    passage = " ".join(text[start : start + longest].split())
    # Half a word at either end is left out.
    first, last = int(start > 0), -1 if start + longest < len(text) else None
    return " ".join(passage.split(" ")[first:last])
