"""The section of the factors: a card for each, with what its two poles mean and how sure that is."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd
from markupsafe import Markup

from latentflix.data.titles import split_title
from latentflix.factors.labels import POLES
from latentflix.factors.naming import rank_items
from latentflix.factors.word_use import Span, find_terms
from latentflix.report.formatting import Nouns, describe_reader
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.items import shown_items
from latentflix.report.rendering import render_section
from latentflix.reviews.attribution import attribution_by_review

_SENTENCE = re.compile(r"[^.!?]+[.!?]*[\"')\]]*\s*")
_BREAKS = re.compile(r"(?:<br\s*/?>\s*)+")
# A passage of fewer characters shows nothing of what a review says.
_SHORTEST = 40
_TITLES_IN_LINE = 3


def factor_cards(inputs: ReportInputs, config: ReportConfig) -> list[dict[str, Any]]:
    """What is known of each factor: those that hold, the best predicted first, then the others."""
    scores = inputs.axis_scores.reindex(inputs.axes.index)
    holds = scores["holds"].eq(True)
    order = scores.assign(order=scores["rho"].where(holds)).sort_values("order", ascending=False, kind="stable").index
    return [_card(str(axis), bool(holds[axis]), inputs, config) for axis in order]


def factors_section(cards: Sequence[dict[str, Any]], inputs: ReportInputs, config: ReportConfig) -> Markup:
    """Render the section "Factors". cards: as `factor_cards` gives them."""
    return render_section(
        "factors.html",
        config.nouns,
        factors=cards,
        titles=inputs.items["title"].to_dict(),
        reviewed=set(shown_items(inputs, config)),
        credits=attribution_by_review(inputs.reviews),
        has_tags=bool(inputs.tags),
        has_categories=has_categories(inputs.items),
    )


def has_categories(items: pd.DataFrame) -> bool:
    """Whether any item is filed under a genre or another category."""
    return bool(items["genres"].map(len).any())


def _card(axis: str, holds: bool, inputs: ReportInputs, config: ReportConfig) -> dict[str, Any]:
    score = inputs.axis_scores.loc[axis].to_dict() if axis in inputs.axis_scores.index else None
    return {
        **inputs.axes.loc[axis].to_dict(),
        "axis": axis,
        "holds": holds,
        "score": score,
        "readers": _compare_readers(score, inputs.reader_scores.index, config.nouns) if score else [],
        "poles": [_pole(f"{axis}{pole}", inputs, config) for pole in POLES],
    }


def _compare_readers(score: Mapping[str, Any], readers: Sequence[str], nouns: Nouns) -> list[dict[str, Any]]:
    """What each reader reaches, and how far the judge, which comes first, is ahead of it."""
    judge, *others = readers
    lead = {"difference": "", "low": "_low", "high": "_high"}
    rows = [
        {"rho": score[f"rho_{name}"], **{key: score[f"difference_{name}{end}"] for key, end in lead.items()}}
        for name in others
    ]
    first = {"rho": score["rho"], **dict.fromkeys(lead)}
    return [
        {"name": describe_reader(name, nouns), **row}
        for name, row in zip((judge, *others), (first, *rows), strict=True)
    ]


def _pole(label: str, inputs: ReportInputs, config: ReportConfig) -> dict[str, Any]:
    def of_label(table: pd.DataFrame) -> list[dict[str, Any]]:
        return table[table["label"] == label].to_dict("records")

    terms = of_label(inputs.terms)
    weights = {form: term["r"] for term in terms for form in (term["term"], *term["forms"].split("; ")) if form}
    shown = of_label(inputs.pole_items) if label in inputs.names else _unnamed_items(label, inputs)
    # The reviews of the items furthest out.
    labelled = inputs.item_labels[inputs.item_labels["label"] == label]
    labelled = labelled[labelled["item_id"].isin(inputs.reviews["item_id"])]
    furthest = labelled.nlargest(config.passage_items, "strength")["item_id"]
    reviews = inputs.reviews[inputs.reviews["item_id"].isin(furthest)]
    return {
        "label": label,
        "name": inputs.names.get(label, ""),
        "test": inputs.name_tests.loc[label].to_dict() if label in inputs.name_tests.index else None,
        "terms": terms,
        "tags": [tag for found in inputs.tags for tag in of_label(found.tags)],
        "confirmed": {row["term"] for found in inputs.tags for row in of_label(found.confirmed)},
        "users": [group for found in inputs.user_groups for group in of_label(found.found)],
        "shown": shown,
        "short_titles": [_short_title(row["title"]) for row in shown[:_TITLES_IN_LINE]],
        "genres": of_label(inputs.genres),
        "passages": find_passages(
            reviews,
            weights,
            config.n_passages,
            config.passage_length,
            max_share=config.passage_share,
            english=inputs.manifest("documents").config["english"],
        ),
    }


def _short_title(title: str) -> str:
    """The title without year and other names, as people say it."""
    return next(iter(split_title(title)[0]), title)


def _unnamed_items(label: str, inputs: ReportInputs) -> list[dict[str, Any]]:
    """The items at a pole without a name, as many and as frequently rated as those at a pole with one."""
    shown = inputs.manifest("names").config
    frequently_rated = inputs.items.index[inputs.items["ratings"] >= shown["min_ratings"]]
    known = frequently_rated.intersection(inputs.scores.index)
    ranked = rank_items(inputs.scores, known, label).head(shown["n_items"])
    titles = inputs.items["title"]
    return [{"item_id": item, "title": titles[item], "score": score} for item, score in ranked.items()]


@dataclass(frozen=True)
class Passage:
    """A part of a review. parts: pieces of text, each with whether it is a term.

    starts, ends: whether the review starts or ends with it.
    """

    review_id: str
    item_id: int
    parts: tuple[tuple[str, bool], ...]
    weight: float
    starts: bool
    ends: bool


def find_passages(
    reviews: pd.DataFrame,
    weights: Mapping[str, float],
    n_passages: int,
    max_length: int,
    *,
    max_share: float = 0.5,
    english: bool = True,
) -> list[Passage]:
    """Find the passages with the largest sum of weights of the terms in them, each term counted once.

    A passage consists of whole sentences of one review, as long as they fit into `max_length` characters and into
    `max_share` of the review; of a longer sentence it takes a part that ends between words. A review gives one
    passage, and no item gives a second one before every item has given its first.

    reviews: review_id, item_id, text. weights: by term, which is one word, or two as `count_use` counts them.
    """
    best = (_best_passage(review, weights, max_length, max_share, english=english) for review in reviews.itertuples())
    found = sorted(filter(None, best), key=lambda passage: -passage.weight)
    item_ids = pd.Series([passage.item_id for passage in found], dtype="int64")
    rounds = item_ids.groupby(item_ids).cumcount().sort_values(kind="stable")
    return [found[place] for place in rounds.index[:n_passages]]


def _best_passage(
    review: Any, weights: Mapping[str, float], max_length: int, max_share: float, *, english: bool
) -> Passage | None:
    text = " ".join(map(str.rstrip, _BREAKS.split(review.text))).strip()
    length = min(max_length, int(len(text) * max_share))
    terms = find_terms(text, weights, english=english)
    if length < _SHORTEST or not terms:
        return None

    starts = [start for (start, _), _ in terms]

    def inside(window: Span) -> list[tuple[Span, str]]:
        within = terms[bisect_left(starts, window[0]) : bisect_left(starts, window[1])]
        return [(span, term) for span, term in within if span[1] <= window[1]]

    def weigh(window: Span) -> float:
        return sum(weights[term] for term in {term for _, term in inside(window)})

    window = max(_windows(text, length), key=lambda window: (weigh(window), window[0] - window[1]))
    weight = weigh(window)
    if weight == 0:
        return None
    return Passage(
        review_id=review.review_id,
        item_id=int(review.item_id),
        parts=_mark(text, window, [span for span, _ in inside(window)]),
        weight=weight,
        starts=window[0] == 0,
        ends=window[1] == len(text),
    )


def _windows(text: str, length: int) -> Iterator[Span]:
    """Sequences of whole sentences, or of parts of one that is too long, of at most `length` characters."""
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


def _mark(text: str, window: Span, terms: Sequence[Span]) -> tuple[tuple[str, bool], ...]:
    """A window in pieces, each with whether it is a term; terms that overlap are one piece."""
    start, end = window
    marked = {place for term in terms for place in range(*term)}
    places = range(start, start + len(text[start:end].rstrip()))
    pieces = ((is_term, list(piece)) for is_term, piece in groupby(places, marked.__contains__))
    return tuple((text[piece[0] : piece[-1] + 1], is_term) for is_term, piece in pieces)
