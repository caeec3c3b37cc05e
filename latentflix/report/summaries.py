"""What a run found about each factor and each item, for commands: nothing heavy is imported here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from latentflix.artifacts import Store
from latentflix.errors import NotFound
from latentflix.factors.labels import POLES
from latentflix.runs import Run
from latentflix.text.cleaning import WORD_PATTERN

_WORD = re.compile(WORD_PATTERN)
_SCORE = ["auc", "auc_low", "auc_high", "auc_null", "auc_p", "words_auc"]


@dataclass(frozen=True)
class Score:
    """A held-out AUC, its interval, its mean and p under permutation, and the AUC of TF-IDF."""

    auc: float
    low: float
    high: float
    null: float
    p: float
    words: float


@dataclass(frozen=True)
class Pole:
    """One pole of a stable factor. items: titles and scores. score: None if too few items have the label."""

    label: str
    name: str
    terms: tuple[str, ...]
    items: tuple[tuple[str, float], ...]
    genres: tuple[str, ...]
    labelled_items: int
    score: Score | None


@dataclass(frozen=True)
class FactorSummary:
    """A factor. explained: its share of the variance of the predictions. poles: none of an unstable factor."""

    axis: str
    stable: bool
    stability: float
    stability_null: float
    stability_p: float
    explained: float
    poles: tuple[Pole, ...]


def summarise_factors(store: Store, run: Run) -> list[FactorSummary]:
    """Every factor of a run, the one that explains most first. Raises ArtifactError as `Store.read_table` does."""
    axes = store.read_table(run.handle("factors"), "axes")
    scores = store.read_table(run.handle("evaluation"), "labels")
    labels = store.read_table(run.handle("labels"), "labels")
    names = store.read_json(run.handle("names"), "names")
    tables = [store.read_table(run.handle("names"), name) for name in ("terms", "items", "genres")]

    def pole(label: str) -> Pole:
        terms, items, genres = (table[table["label"] == label] for table in tables)
        return Pole(
            label=label,
            name=names[label],
            terms=tuple(terms["term"]),
            items=tuple(zip(items["title"], items["score"].astype(float), strict=True)),
            genres=tuple(genres["genre"]),
            labelled_items=int(labels["items"].get(label, 0)),
            score=Score(*scores.loc[label, _SCORE].astype(float)) if label in scores.index else None,
        )

    return [
        FactorSummary(
            axis=str(axis),
            stable=bool(row["stable"]),
            **{name: float(row[name]) for name in ("stability", "stability_null", "stability_p", "explained")},
            poles=tuple(pole(f"{axis}{sign}") for sign in POLES if f"{axis}{sign}" in names),
        )
        for axis, row in axes.iterrows()
    ]


def choose_factor(factors: Sequence[FactorSummary], asked: str) -> FactorSummary:
    """The factor of this number, with or without a pole. Raises NotFound if there is none."""
    axis = asked.strip().rstrip("".join(POLES))
    by_axis = {factor.axis: factor for factor in factors}
    if axis in by_axis:
        return by_axis[axis]
    expected = f"a number from {factors[0].axis} to {factors[-1].axis}"
    raise NotFound("there is no such factor", found=asked, expected=expected)


@dataclass(frozen=True)
class AxisScore:
    """An item's score on a factor, in standard deviations, and the pole on that side; an unstable one has no name."""

    axis: str
    score: float
    label: str
    name: str
    stable: bool


@dataclass(frozen=True)
class ItemLabel:
    """A label of an item. words: the terms of its pole that the item's reviews use."""

    label: str
    name: str
    strength: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class PredictedLabel:
    """The share of an item's reviews that vote for a label, with and without the most frequent label.

    lift: how many times the share among all reviews it is; None for a label without votes.
    """

    label: str
    name: str
    own: bool
    share: float
    share_without: float | None
    lift: float | None


@dataclass(frozen=True)
class ItemSummary:
    """What a run knows about an item. most_frequent: the label that most reviews of all items vote for.

    scores is empty if the recommender has never seen the item, labels if it has too few ratings or stands far out on no
    factor, and predicted if it has no reviews. Scores and labels begin with the strongest, predicted with the greatest
    lift.
    """

    item_id: int
    title: str
    tconst: str | None
    genres: tuple[str, ...]
    ratings: int
    reviews: int
    scores: tuple[AxisScore, ...]
    labels: tuple[ItemLabel, ...]
    predicted: tuple[PredictedLabel, ...]
    most_frequent: str


def summarise_item(store: Store, run: Run, items: pd.DataFrame, item_id: int) -> ItemSummary:
    """Summarise what a run knows about an item of `items`, the table of its ratings stage. Raises as `read_table`."""

    def read(stage: str, name: str) -> pd.DataFrame:
        table = store.read_table(run.handle(stage), name)
        return table[table["item_id"] == item_id]

    names = store.read_json(run.handle("names"), "names")
    terms = store.read_table(run.handle("names"), "terms")
    reviews, labels = read("reviews", "reviews"), read("labels", "items")
    axes, on_axes = store.read_table(run.handle("factors"), "axes"), store.read_table(run.handle("factors"), "scores")
    scores = on_axes.loc[item_id] if item_id in on_axes.index else pd.Series()
    item = items.loc[item_id]
    return ItemSummary(
        item_id=item_id,
        title=item["title"],
        tconst=item["tconst"] if isinstance(item.get("tconst"), str) else None,
        genres=tuple(item["genres"]),
        ratings=int(item["ratings"]),
        reviews=len(reviews),
        scores=tuple(
            AxisScore(str(axis), float(score), label, names.get(label, ""), bool(axes.loc[axis, "stable"]))
            for axis, score in scores.sort_values(key=abs, ascending=False).items()
            for label in [f"{axis}{POLES[score < 0]}"]
        ),
        labels=tuple(
            ItemLabel(each.label, names.get(each.label, ""), float(each.strength), _used(terms, each.label, reviews))
            for each in labels.itertuples()
        ),
        predicted=tuple(
            PredictedLabel(
                label=each.label,
                name=names.get(each.label, ""),
                own=each.label in set(labels["label"]),
                share=float(each.share),
                share_without=None if pd.isna(each.share_without) else float(each.share_without),
                lift=None if pd.isna(each.lift) else float(each.lift),
            )
            for each in read("histograms", "shares").sort_values("lift", ascending=False, kind="stable").itertuples()
        ),
        most_frequent=store.manifest(run.handle("histograms")).metrics["most_frequent"],
    )


def _used(terms: pd.DataFrame, label: str, reviews: pd.DataFrame) -> tuple[str, ...]:
    """The terms of a label that the reviews use, the most characteristic first."""
    texts = [f" {' '.join(_WORD.findall(text.lower()))} " for text in reviews["text"]]
    return tuple(
        term for term in terms.loc[terms["label"] == label, "term"] if any(f" {term} " in text for text in texts)
    )
