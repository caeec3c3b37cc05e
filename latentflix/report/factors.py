"""The section of the factors: a card for each, with what its two poles mean and how sure that is."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any

import pandas as pd
from markupsafe import Markup
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from latentflix.factors.labels import POLES
from latentflix.factors.naming import rank_items
from latentflix.report.headline import UNSTABLE
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.rendering import render_section
from latentflix.reviews.attribution import attribution_by_review
from latentflix.text.cleaning import WORD_PATTERN

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
    item_id: int
    parts: tuple[tuple[str, bool], ...]
    weight: float
    starts: bool
    ends: bool


def find_passages(
    reviews: pd.DataFrame, weights: Mapping[str, float], n_passages: int, max_length: int
) -> list[Passage]:
    """The passages with the largest sum of weights of the terms in them, each term counted once.

    reviews: review_id, item_id, text. weights: by term, a word or two words as `names` counts them. A passage is
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
        rounds.append((given[passage.item_id], passage))
        given[passage.item_id] += 1
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
        item_id=int(review.item_id),
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


_TEMPLATE = "factors.html"


def write_factors(inputs: ReportInputs, verdicts: pd.Series, config: ReportConfig) -> Markup:
    """The section "Factors". verdicts: as `judge_axes` gives them."""
    reviewed = set(inputs.shares["item_id"])
    return render_section(
        _TEMPLATE,
        factors=[_card(str(axis), str(verdict), inputs, config) for axis, verdict in verdicts.items()],
        stable_from=inputs.manifest("factors").config["stable_from"],
        titles=inputs.items["title"].to_dict(),
        reviewed=reviewed,
        credits=attribution_by_review(inputs.reviews),
    )


def _card(axis: str, verdict: str, inputs: ReportInputs, config: ReportConfig) -> dict[str, Any]:
    scored = axis in inputs.axis_scores.index
    return {
        "axis": axis,
        "verdict": verdict,
        **inputs.axes.loc[axis, ["stability", "stability_null", "stability_null_95", "explained"]],
        "score": inputs.axis_scores.loc[axis].to_dict() if scored else None,
        "poles": [_pole(f"{axis}{pole}", verdict, inputs, config) for pole in POLES],
    }


def _pole(label: str, verdict: str, inputs: ReportInputs, config: ReportConfig) -> dict[str, Any]:
    def of_label(table: pd.DataFrame) -> list[dict[str, Any]]:
        return table[table["label"] == label].to_dict("records")

    terms = of_label(inputs.terms)
    return {
        "label": label,
        "name": inputs.names.get(label, ""),
        "terms": terms,
        "items": _unnamed_items(label, inputs) if verdict == UNSTABLE else of_label(inputs.pole_items),
        "genres": of_label(inputs.genres),
        "passages": find_passages(
            _reviews_at(label, inputs, config),
            {term["term"]: term["z"] for term in terms},
            config.n_passages,
            config.passage_length,
        ),
    }


def _unnamed_items(label: str, inputs: ReportInputs) -> list[dict[str, Any]]:
    """The films at an end that has no name, as many and as often rated as those at an end that has one."""
    shown = inputs.manifest("names").config
    often = inputs.items.index[inputs.items["ratings"] >= shown["min_ratings"]]
    ranked = rank_items(inputs.scores, often.intersection(inputs.scores.index), label).head(shown["n_items"])
    titles = inputs.items["title"]
    return [{"item_id": item, "title": titles[item], "score": score} for item, score in ranked.items()]


def _reviews_at(label: str, inputs: ReportInputs, config: ReportConfig) -> pd.DataFrame:
    """The reviews of the films that carry a label, of those that stand furthest out."""
    carriers = inputs.item_labels[inputs.item_labels["label"] == label]
    carriers = carriers[carriers["item_id"].isin(inputs.reviews["item_id"])]
    furthest = carriers.nlargest(config.passage_items, "strength")["item_id"]
    return inputs.reviews[inputs.reviews["item_id"].isin(furthest)]
