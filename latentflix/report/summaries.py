"""What a run found about each factor and each item, for commands: nothing heavy is imported here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from latentflix.artifacts import Store
from latentflix.data.items import are_counted
from latentflix.errors import NotFound
from latentflix.factors.labels import POLES
from latentflix.runs import Run
from latentflix.text.cleaning import WORD_PATTERN

_WORD = re.compile(WORD_PATTERN)
_NOTHING = pd.DataFrame()
_SCORE = ["rho", "rho_low", "rho_high", "null", "null_sd", "p", "q"]
_MEASURED = ("explained", "stability", "stability_null", "stability_p", "people", "people_full")
_ENDS = ("", "_low", "_high")
# A score and the ends of its interval.
Interval = tuple[float, float, float]


@dataclass(frozen=True)
class Score:
    """A rank correlation on unseen items with its interval, what chance gives, and p, which q corrects for all tested.

    holds: whether q is small enough.
    """

    rho: float
    low: float
    high: float
    null: float
    null_sd: float
    p: float
    q: float
    holds: bool


@dataclass(frozen=True)
class ReaderScore:
    """What a reader reaches, and how far all readers of words together are ahead of it; None for those themselves."""

    reader: str
    rho: float
    lead: float | None
    lead_low: float | None
    lead_high: float | None


@dataclass(frozen=True)
class Pole:
    """One pole of a stable factor. items: titles and scores. test: of its name; None without words, or untested.

    tags: none if the ratings came without any. confirmed: the terms that are also among them.
    """

    label: str
    name: str
    terms: tuple[str, ...]
    tags: tuple[str, ...]
    confirmed: tuple[str, ...]
    items: tuple[tuple[str, float], ...]
    genres: tuple[str, ...]
    labelled_items: int
    test: Score | None


@dataclass(frozen=True)
class FactorSummary:
    """A factor. explained: its share of the variance of the predictions. poles: none of an unstable factor.

    stability: |r| between groups of seeds, with the mean of chance. people: |r| between halves of the users, and what
    it would be between groups as large as all users. beyond: its score after genres, year and popularity are taken out.
    tags: how well tags predict it. agreement: of what tags and reviews predict. None if few items have both.
    """

    axis: str
    explained: float
    score: Score | None
    beyond: Interval | None
    tags: Interval | None
    agreement: Interval | None
    readers: tuple[ReaderScore, ...]
    stable: bool
    stability: float
    stability_null: float
    stability_p: float
    shared: bool
    people: float
    people_full: float
    poles: tuple[Pole, ...]


def summarise_factors(store: Store, run: Run) -> list[FactorSummary]:
    """Every factor of a run, the one that explains most first. Raises ArtifactError as `Store.read_table` does."""
    axes = store.read_table(run.handle("factors"), "axes")
    scores, readers = (store.read_table(run.handle("evaluation"), name) for name in ("axes", "readers"))
    labels = store.read_table(run.handle("labels"), "labels")
    names = store.read_json(run.handle("names"), "names")
    tables = [store.read_table(run.handle("names"), name) for name in ("terms", "items", "genres")]
    tests = store.read_table(run.handle("names"), "tests")
    tagged = store.read_tables(run.handles["tags"], ("tags", "axes", "confirmed")) if "tags" in run.handles else {}

    def of_label(name: str, column: str, label: str) -> tuple[str, ...]:
        return tuple(tagged[name].loc[tagged[name]["label"] == label, column]) if tagged else ()

    def pole(label: str) -> Pole:
        terms, items, genres = (table[table["label"] == label] for table in tables)
        return Pole(
            label=label,
            name=names[label],
            terms=tuple(terms["term"]),
            tags=of_label("tags", "tag", label),
            confirmed=of_label("confirmed", "term", label),
            items=tuple(zip(items["title"], items["score"].astype(float), strict=True)),
            genres=tuple(genres["genre"]),
            labelled_items=int(labels["items"].get(label, 0)),
            test=_score(tests, label),
        )

    return [
        FactorSummary(
            axis=str(axis),
            score=_score(scores, axis),
            beyond=_interval(scores, axis, "beyond"),
            tags=_interval(tagged.get("axes", _NOTHING), axis, "tags"),
            agreement=_interval(tagged.get("axes", _NOTHING), axis, "agreement"),
            readers=_reader_scores(scores.loc[axis], readers.index) if axis in scores.index else (),
            stable=bool(row["stable"]),
            shared=bool(row["shared"]),
            **{name: float(row[name]) for name in _MEASURED},
            poles=tuple(pole(f"{axis}{sign}") for sign in POLES if f"{axis}{sign}" in names),
        )
        for axis, row in axes.iterrows()
    ]


def _interval(scores: pd.DataFrame, axis: Any, name: str) -> Interval | None:
    """A score and its interval, if the axis has one."""
    if axis not in scores.index:
        return None
    value, low, high = scores.loc[axis, [f"{name}{end}" for end in _ENDS]].astype(float)
    return value, low, high


def _score(scores: pd.DataFrame, name: str) -> Score | None:
    """A row as a score, if there is one."""
    if name not in scores.index:
        return None
    rho, low, high, null, null_sd, p, q = scores.loc[name, _SCORE].astype(float)
    return Score(rho, low, high, null, null_sd, p, q, holds=bool(scores.loc[name, "holds"]))


def _reader_scores(score: pd.Series, readers: Sequence[str]) -> tuple[ReaderScore, ...]:
    judge, *others = readers
    return (
        ReaderScore(judge, float(score["rho"]), None, None, None),
        *(
            ReaderScore(name, float(score[f"rho_{name}"]), *(float(score[f"difference_{name}{end}"]) for end in _ENDS))
            for name in others
        ),
    )


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
    ratings: int | None
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
        ratings=int(item["ratings"]) if are_counted(items) else None,
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
