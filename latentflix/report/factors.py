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
from latentflix.factors.naming import WORD_PATTERN, rank_films
from latentflix.report.headline import UNSTABLE
from latentflix.report.inputs import Findings, ReportConfig
from latentflix.report.rendering import render_section
from latentflix.reviews.attribution import credits_of

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


_TEMPLATE = "factors.html"


def write_factors(findings: Findings, verdicts: pd.Series, config: ReportConfig) -> Markup:
    """The section "Factors". verdicts: as `judge_axes` gives them."""
    reviewed = set(findings.shares["movie_id"])
    return render_section(
        _TEMPLATE,
        factors=[_card(str(axis), str(verdict), findings, config) for axis, verdict in verdicts.items()],
        stable_from=findings.manifest("factors").config["stable_from"],
        titles=findings.films["title"].to_dict(),
        reviewed=reviewed,
        credits=credits_of(findings.reviews),
    )


def _card(axis: str, verdict: str, findings: Findings, config: ReportConfig) -> dict[str, Any]:
    scored = axis in findings.axis_scores.index
    return {
        "axis": axis,
        "verdict": verdict,
        **findings.axes.loc[axis, ["stability", "stability_null", "stability_null_95", "explained"]],
        "score": findings.axis_scores.loc[axis].to_dict() if scored else None,
        "poles": [_pole(f"{axis}{pole}", verdict, findings, config) for pole in POLES],
    }


def _pole(label: str, verdict: str, findings: Findings, config: ReportConfig) -> dict[str, Any]:
    def of_label(table: pd.DataFrame) -> list[dict[str, Any]]:
        return table[table["label"] == label].to_dict("records")

    terms = of_label(findings.terms)
    return {
        "label": label,
        "name": findings.names.get(label, ""),
        "terms": terms,
        "films": _unnamed_films(label, findings) if verdict == UNSTABLE else of_label(findings.pole_films),
        "genres": of_label(findings.genres),
        "passages": find_passages(
            _reviews_at(label, findings, config),
            {term["term"]: term["z"] for term in terms},
            config.n_passages,
            config.passage_length,
        ),
    }


def _unnamed_films(label: str, findings: Findings) -> list[dict[str, Any]]:
    """The films at an end that has no name, as many and as often rated as those at an end that has one."""
    shown = findings.manifest("names").config
    often = findings.films.index[findings.films["ratings"] >= shown["min_ratings"]]
    ranked = rank_films(findings.scores, often.intersection(findings.scores.index), label).head(shown["n_films"])
    titles = findings.films["title"]
    return [{"movie_id": film, "title": titles[film], "score": score} for film, score in ranked.items()]


def _reviews_at(label: str, findings: Findings, config: ReportConfig) -> pd.DataFrame:
    """The reviews of the films that carry a label, of those that stand furthest out."""
    carriers = findings.film_labels[findings.film_labels["label"] == label]
    carriers = carriers[carriers["movie_id"].isin(findings.reviews["movie_id"])]
    furthest = carriers.nlargest(config.passage_films, "strength")["movie_id"]
    return findings.reviews[findings.reviews["movie_id"].isin(furthest)]
