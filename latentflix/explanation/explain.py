"""Explain the factors of a recommender by texts about its items."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from latentflix.data.items import are_counted, describe_items, index_table
from latentflix.data.ratings import without_ratings
from latentflix.explanation.arguments import read_fits, read_settings, with_ids
from latentflix.explanation.result import Explanation
from latentflix.explanation.steps import Steps
from latentflix.factors.crossfit import CrossFit, cross_fit
from latentflix.factors.documents import (
    Documents,
    LeftOutConfig,
    gather_documents,
    leave_out_kind,
    review_parts,
    separable_kinds,
)
from latentflix.factors.extraction import extract_factors
from latentflix.factors.histograms import count_votes, score_reviews
from latentflix.factors.inference import PositionScores, score_positions
from latentflix.factors.labels import label_items
from latentflix.factors.naming import find_names
from latentflix.factors.readers.metadata import mean_ratings
from latentflix.factors.readers.registry import ReadersConfig, build_readers, fit_to_size
from latentflix.factors.readers.stacked import STACKED
from latentflix.factors.readers.topics import NONE_HELD_OUT, find_topics
from latentflix.recommender.item_vectors import align_fits
from latentflix.report.inputs import ReportInputs
from latentflix.reviews.texts import TextsSource, join_texts

_TEXTS = TextsSource()


def explain(
    item_factors: pd.DataFrame | Sequence[pd.DataFrame],
    texts: pd.DataFrame,
    items: pd.DataFrame | None = None,
    user_factors: pd.DataFrame | Sequence[pd.DataFrame] | None = None,
    item_noun: str = "item",
    *,
    text_noun: str = "text",
    english: bool = True,
    corpus: pd.Series | None = None,
    progress: bool | None = None,
    settings: Mapping[str, Any] | None = None,
) -> "Explanation":
    """Explain the factors of a recommender by texts about its items.

    Args:
        item_factors: the item vectors: index item_id, a column for each dimension. Of several fits of the same
            recommender, one table each: they show which factors are stable.
        texts: item_id and text; and, if there are such columns, kind, date (the newest of equal texts is kept) and
            licence (whether models may learn from the text).
        items: item_id, and any of title, year, genres, ratings (how many users an item has), mean_rating, and further
            columns of numbers, dates and categories.
        user_factors: the user vectors, a row for each user, of each fit: they say how much a direction matters.
        item_noun: what an item is called.
        text_noun: what a text is called.
        english: whether the texts are English.
        corpus: further texts, of other items, from which topics are learned instead of the texts themselves.
        progress: whether to show a bar; None: in a notebook and on a terminal.
        settings: of stages, by name, as in `ExplainSettings`.

    Returns:
        What was found, as tables and as a page.

    Raises:
        DataError: an argument is not what it should be; the message names it.
        NotEnoughData: too few items have texts.
        SettingsError: a setting is unknown or out of bounds.
    """
    chosen = read_settings(settings or {}, item_noun, text_noun, english=english)
    vectors = align_fits(*read_fits(item_factors, user_factors))
    table = None if items is None else index_table(with_ids(items, "items"), "item_id", "items")
    described = describe_items(vectors.numbers, table)
    steps = Steps(progress)
    steps.note("item_factors", figures={"fits": len(vectors.item_factors), "items": len(described)})
    steps.note("ratings", figures={"counted": are_counted(described)})

    joined, _ = steps.run(
        "reviews",
        _TEXTS,
        lambda: join_texts(with_ids(texts, "texts"), vectors.numbers, _TEXTS.max_characters),
        lambda found: asdict(found[1]),
    )

    n_users = described["ratings"]
    factors = steps.run(
        "factors",
        chosen.factors,
        lambda: extract_factors(vectors.fits(), n_users, chosen.factors),
        lambda found: {"axes": len(found.axes), "stable": int(found.axes["stable"].sum())},
    )
    scores, axes = factors.scores, factors.axes
    labels = steps.run("labels", chosen.labels, lambda: label_items(scores, axes, n_users, chosen.labels))
    documents = steps.run(
        "documents",
        chosen.documents,
        lambda: gather_documents(joined, described, chosen.documents),
        lambda found: {"items": len(found.items), "reviews": len(review_parts(found)), "repeated": found.repeated},
    )

    config = chosen.readers or fit_to_size(ReadersConfig(), len(documents.items), len(axes))
    means = mean_ratings(without_ratings(described).ratings, described)

    def predict(read: Documents, config: ReadersConfig) -> CrossFit:
        learned_from = (read.parts["text"], NONE_HELD_OUT) if corpus is None else (corpus, joined["review_id"])
        topics = find_topics(read, *learned_from, config.topics, mask=config.mask_names)
        return cross_fit(read, scores, build_readers(read, described, means, topics, [], config), config)

    positions = steps.run("positions", config, lambda: predict(documents, config))
    unpermuted = config.model_copy(update={"permutations": 0})
    judged = steps.run(
        "evaluation",
        chosen.evaluation,
        lambda: score_positions(
            positions,
            documents,
            scores,
            axes["stable"],
            None,
            chosen.evaluation,
            {
                kind: predict(leave_out_kind(documents, LeftOutConfig(kind=kind)), unpermuted).held_out[STACKED]
                for kind in separable_kinds(documents)
            },
        ),
        PositionScores.summary,
    )
    names = steps.run("names", chosen.names, lambda: find_names(documents, scores, axes, described, chosen.names))
    shares, most_frequent = steps.run(
        "histograms",
        chosen.histograms,
        lambda: count_votes(
            score_reviews(positions.reviews, list(labels.labels["axis"].unique()), [], chosen.histograms),
            joined.set_index("review_id")["item_id"],
            chosen.histograms,
        ),
    )
    steps.close()
    inputs = ReportInputs(
        items=described,
        scores=scores,
        axes=axes,
        item_labels=labels.items,
        labels=labels.labels,
        reviews=joined,
        axis_scores=judged.axes,
        reader_scores=judged.readers,
        kind_scores=judged.kinds,
        overall=judged.summary(),
        terms=names.terms,
        pole_items=names.items,
        genres=names.genres,
        name_tests=names.tests,
        names=names.names,
        shares=shares,
        most_frequent=most_frequent,
        manifests=steps.manifests,
    )
    return Explanation(inputs, chosen.report)
