"""Use of words by item: the share of an item's reviews that use a word, or two words that follow one another."""

import re
from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from latentflix.text.cleaning import WORD_PATTERN

_TOKEN = re.compile(f"{WORD_PATTERN}|[.!?]")
_ENDS = frozenset(".!?")
_END, _STOP = -1, -2
# Columns that are made dense at a time.
_AT_ONCE = 1024

Span = tuple[int, int]


def find_terms(text: str, terms: Collection[str], *, english: bool = True) -> list[tuple[Span, str]]:
    """Find where a text uses which of the terms, in order, as `count_use` counts them.

    The words of a term of two follow one another within a sentence, with nothing between them but words of one or two
    letters and, if it is English, stop words. Capitals make no difference.
    """
    found: list[tuple[Span, str]] = []
    last, start = "", 0
    for token in _TOKEN.finditer(text):
        word = token.group().lower()
        if english and word in ENGLISH_STOP_WORDS:
            continue
        pair = f"{last} {word}"
        found += [((start, token.end()), pair)] if last and pair in terms else []
        found += [(token.span(), word)] if word in terms else []
        last, start = ("" if word in _ENDS else word), token.start()
    return sorted(found)


@dataclass(frozen=True)
class WordUse:
    """How many reviews of each item use each term.

    Attributes:
        terms: str (terms,), the single words first.
        counts: float32 (items, terms).
        n_reviews: float32 (items,).
    """

    terms: np.ndarray
    counts: sparse.csc_array
    n_reviews: np.ndarray

    def standardise(self, prior_reviews: float, weights: np.ndarray) -> np.ndarray:
        """Compute the share of each item's reviews that use each term, standardised over items: float32 (items, terms).

        The share is drawn towards that of all reviews, as if the item had `prior_reviews` more of them; so an item with
        few reviews is hardly an exception.
        """
        result = np.zeros(self.counts.shape, np.float32)
        share_all = np.asarray(self.counts.sum(0)) / max(self.n_reviews.sum(), 1)
        for start in range(0, self.counts.shape[1], _AT_ONCE):
            chosen = slice(start, start + _AT_ONCE)
            drawn = self.counts[:, chosen].toarray() + prior_reviews * share_all[chosen]
            result[:, chosen] = standardise(drawn / (self.n_reviews[:, None] + prior_reviews), weights)
        return result


def standardise(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Give each column the weighted mean 0 and the weighted variance 1: float32 (items, columns); a constant one is 0.

    weights: (items,), which sum up to 1.
    """
    centred = values - weights @ values
    deviation = np.sqrt(weights @ centred**2)
    return np.asarray(centred / np.where(deviation > 1e-9, deviation, np.inf), np.float32)


def count_use(
    texts: Iterable[str],
    items: np.ndarray,
    n_items: int,
    proper_names: Collection[str],
    *,
    min_items: int,
    max_share: float,
    max_terms: int,
    english: bool = True,
) -> WordUse:
    """Count the reviews of each item that use each term which at least `min_items` items use.

    Of more than `max_terms` terms, those that most items use. Terms are as `find_terms` describes them, without proper
    names. A word that more than `max_share` of the reviews use, as "film", is none by itself, nor is its English
    plural; it may be one of a pair.

    Args:
        texts: of the reviews.
        items: int64 (reviews,), the number of each review's item, 0 to `n_items` - 1.
        proper_names: words in lower case.
        english: leave out English stop words.
    """
    numbers = _Numbers(ENGLISH_STOP_WORDS if english else ())
    tokens, ends = array("i"), []
    for text in texts:
        tokens.extend(map(numbers.__getitem__, _TOKEN.findall(text)))
        tokens.append(_END)
        ends.append(len(tokens))
    words = np.array(list(numbers.by_word), dtype=object)
    stream = np.array(tokens, np.int64)
    review = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    stream, review = stream[stream != _STOP], review[stream != _STOP]
    masked = frozenset(proper_names)
    # The last one is for the end of a sentence.
    allowed = np.array([*(word not in masked for word in words), False])
    place = np.flatnonzero(allowed[stream])
    singles, single_counts = _count(stream[place], review[place], items, n_items, min_items)
    # Both words of a pair that enough items use are used by enough items.
    known = np.zeros(len(allowed), bool)
    known[singles] = True
    place = np.flatnonzero(known[stream[:-1]] & known[stream[1:]])
    pairs, pair_counts = _count(
        stream[place] * len(words) + stream[place + 1], review[place], items, n_items, min_items
    )
    too_frequent = set(words[singles[single_counts.sum(0) > max_share * len(ends)]])
    plural = "s" if english else ""
    kept = [word not in too_frequent and word.removesuffix(plural) not in too_frequent for word in words[singles]]
    singles, single_counts = singles[kept], single_counts[:, np.flatnonzero(kept)]
    firsts, seconds = np.divmod(pairs, max(len(words), 1))
    terms = np.array([*words[singles], *(words[firsts] + " " + words[seconds])], dtype=str)
    counts = sparse.hstack([single_counts, pair_counts], format="csc")
    most = np.sort(np.argsort(-np.diff(counts.indptr), kind="stable")[:max_terms])
    n_reviews = np.bincount(items, minlength=n_items).astype(np.float32)
    return WordUse(terms[most], sparse.csc_array(counts[:, most]), n_reviews)


class _Numbers(dict[str, int]):
    """The numbers of tokens, the same for all spellings of a word."""

    def __init__(self, stop_words: Collection[str]) -> None:
        super().__init__()
        self._stop_words = stop_words
        self.by_word: dict[str, int] = {}

    def __missing__(self, token: str) -> int:
        word = token.lower()
        if word in _ENDS:
            number = _END
        elif word in self._stop_words:
            number = _STOP
        else:
            number = self.by_word.setdefault(word, len(self.by_word))
        self[token] = number
        return number


def _count(
    keys: np.ndarray, reviews: np.ndarray, items: np.ndarray, n_items: int, min_items: int
) -> tuple[np.ndarray, sparse.csc_array]:
    """The keys that enough items use, and the number of reviews of each item that do: float32 (items, keys)."""
    names, columns = np.unique(keys, return_inverse=True)
    columns, used_by = np.divmod(np.unique(columns * len(items) + reviews), len(items))
    entries = (np.ones(len(columns), np.float32), (items[used_by], columns))
    counts = sparse.coo_array(entries, shape=(n_items, len(names))).tocsc()
    enough = np.flatnonzero(np.diff(counts.indptr) >= min_items)
    return names[enough], sparse.csc_array(counts[:, enough])
