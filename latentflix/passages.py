"""Where reviews speak of a pole: the passages that use most of the terms that mark it, with the terms marked."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import pandas as pd
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from latentflix.names import WORD_PATTERN

_WORD = re.compile(WORD_PATTERN)
_SENTENCE = re.compile(r"[^.!?]+[.!?]*[\"')\]]*\s*")
_BREAK = re.compile(r"\s*(?:<br\s*/?>\s*)+")
# Less than so many characters show nothing of what a review says.
_SHORTEST = 40

Span = tuple[int, int]


@dataclass(frozen=True)
class Passage:
    """A part of a review, never the whole.

    parts: pieces of text in their order, each with whether it is a term. weight: the sum of the weights of the terms.
    starts, ends: whether it is the review's beginning, or its end.
    """

    review_id: str
    movie_id: int
    parts: tuple[tuple[str, bool], ...]
    weight: float
    starts: bool
    ends: bool


def find_passages(
    reviews: pd.DataFrame, weights: Mapping[str, float], n_passages: int, max_length: int
) -> list[Passage]:
    """The passages with the largest sum of weights of the terms in them, each term counted once.

    reviews: review_id, movie_id, text. weights: by term, a word or two words as `names` counts them. A passage is
    made of whole sentences of one review, as long as they fit into `max_length` characters and into half of the
    review; of a longer sentence, of a part that ends between words. A review gives one passage, and no film a second
    one before every film has given its first.
    """
    if not weights:
        return []
    found = [
        passage
        for review in reviews.itertuples()
        if (passage := _best_passage(review, weights, max_length)) is not None
    ]
    found.sort(key=lambda passage: -passage.weight)
    given: Counter[int] = Counter()
    rounds = []
    for passage in found:
        rounds.append((given[passage.movie_id], passage))
        given[passage.movie_id] += 1
    return [passage for _, passage in sorted(rounds, key=itemgetter(0))][:n_passages]


def find_terms(text: str, terms: Mapping[str, float]) -> list[tuple[Span, str]]:
    """Where a text uses which of the terms, in order.

    A term of two words is one word after the other within a sentence, with nothing between them but stop words.
    """
    found = []
    for sentence in _SENTENCE.finditer(text):
        words = [word for word in _WORD.finditer(text, *sentence.span()) if word.group() not in ENGLISH_STOP_WORDS]
        used = [(word.span(), word.group()) for word in words]
        used += [((one.start(), other.end()), f"{one.group()} {other.group()}") for one, other in pairwise(words)]
        found += [(span, term) for span, term in used if term in terms]
    return sorted(found)


def _best_passage(review: pd.Series, weights: Mapping[str, float], max_length: int) -> Passage | None:
    text = _BREAK.sub(" ", review.text).strip()
    length = min(max_length, len(text) // 2)
    terms = find_terms(text, weights)
    if length < _SHORTEST or not terms:
        return None
    start, end = max(_windows(text, length), key=lambda window: (_weigh(terms, window, weights), window[0] - window[1]))
    weight = _weigh(terms, (start, end), weights)
    if weight == 0:
        return None
    spans = [span for span, _ in terms if start <= span[0] and span[1] <= end]
    return Passage(
        review_id=review.review_id,
        movie_id=int(review.movie_id),
        parts=tuple(part for part in _mark(text, (start, end), spans) if part[0]),
        weight=weight,
        starts=start == 0,
        ends=end == len(text),
    )


def _windows(text: str, length: int) -> Iterator[Span]:
    """Runs of whole sentences, or of a part of one that is too long, of at most `length` characters."""
    pieces = [piece for sentence in _SENTENCE.finditer(text) for piece in _cut(text, sentence.span(), length)]
    for first, (start, _) in enumerate(pieces):
        for _, end in pieces[first:]:
            if end - start > length:
                break
            yield start, end


def _cut(text: str, span: Span, length: int) -> Iterator[Span]:
    start, end = span
    while end - start > length:
        blank = text.rfind(" ", start + 1, start + length)
        middle = blank + 1 if blank > 0 else start + length
        yield start, middle
        start = middle
    yield start, end


def _weigh(terms: Sequence[tuple[Span, str]], window: Span, weights: Mapping[str, float]) -> float:
    start, end = window
    return sum(weights[term] for term in {term for span, term in terms if start <= span[0] and span[1] <= end})


def _mark(text: str, window: Span, spans: Sequence[Span]) -> Iterator[tuple[str, bool]]:
    """The text of a window in pieces that are terms and pieces that are not."""
    at, end = window
    for start, stop in _merge(spans):
        yield text[at:start], False
        yield text[start:stop], True
        at = stop
    yield text[at:end].rstrip(), False


def _merge(spans: Sequence[Span]) -> list[Span]:
    """Spans in their order, those that overlap as one."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
