"""What a run found of each factor: how stable it is, what its poles are called, and how far they can be told."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from latentflix.artifacts import Store
from latentflix.errors import NotFound
from latentflix.factors.labels import POLES
from latentflix.runs import Run
from latentflix.text.cleaning import WORD_PATTERN


@dataclass(frozen=True)
class Score:
    """A held-out AUC, its interval, the share of permutations that reach it, and that of words alone."""

    auc: float
    low: float
    high: float
    null: float
    p: float
    words: float


@dataclass(frozen=True)
class Pole:
    """One end of a stable factor. films: titles with their scores, the farthest out first. genres: over-represented.

    score: None of a label that too few films carry to be told.
    """

    label: str
    name: str
    terms: tuple[str, ...]
    items: tuple[tuple[str, float], ...]
    genres: tuple[str, ...]
    labelled_items: int
    score: Score | None


@dataclass(frozen=True)
class FactorSummary:
    """explained: share of the variance of the predictions. stability: |r| between groups of seeds, its null and p.

    poles: those that have a name; none of an unstable factor.
    """

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
    marks = {name: store.read_table(run.handle("names"), name) for name in ("terms", "items", "genres")}

    def pole(label: str) -> Pole:
        terms, items, genres = (table[table["label"] == label] for table in marks.values())
        return Pole(
            label=label,
            name=names[label],
            terms=tuple(terms["term"]),
            items=tuple(zip(items["title"], items["score"].astype(float), strict=True)),
            genres=tuple(genres["genre"]),
            labelled_items=int(labels["items"].get(label, 0)),
            score=_score(scores.loc[label]) if label in scores.index else None,
        )

    return [
        FactorSummary(
            axis=str(axis),
            stable=bool(row["stable"]),
            stability=float(row["stability"]),
            stability_null=float(row["stability_null"]),
            stability_p=float(row["stability_p"]),
            explained=float(row["explained"]),
            poles=tuple(pole(f"{axis}{sign}") for sign in POLES if f"{axis}{sign}" in names),
        )
        for axis, row in axes.iterrows()
    ]


def choose_factor(factors: Sequence[FactorSummary], asked: str) -> FactorSummary:
    """The factor of this number, with or without a pole. Raises NotFound if there is none."""
    axis = asked.strip().rstrip("".join(POLES))
    for factor in factors:
        if factor.axis == axis:
            return factor
    raise NotFound(
        "there is no such factor", found=asked, expected=f"a number from {factors[0].axis} to {factors[-1].axis}"
    )


def _score(row: pd.Series) -> Score:
    columns = ("auc", "auc_low", "auc_high", "auc_null", "auc_p", "words_auc")
    return Score(*(float(row[column]) for column in columns))


# What counts as a word where poles are named.
_WORD = re.compile(WORD_PATTERN)


@dataclass(frozen=True)
class AxisScore:
    """Where a film stands on a factor, in standard deviations; label, name: of the pole that lies that way.

    name: empty if the factor is not stable.
    """

    axis: str
    score: float
    label: str
    name: str
    stable: bool


@dataclass(frozen=True)
class ItemLabel:
    """A label that stands for a film, its strongest first. words: the terms of its pole that the film's reviews use."""

    label: str
    name: str
    strength: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class PredictedLabel:
    """The share of a film's reviews that vote for a label, and the same without the most_frequent label; in its order."""

    label: str
    name: str
    own: bool
    share: float
    share_without: float | None


@dataclass(frozen=True)
class ItemSummary:
    """ratings, reviews: how many. most_frequent: the label that most reviews of all films vote for.

    scores: the strongest first; none of a film that the recommender has never seen. labels: none of a film with too
    few ratings. predicted: none of a film without reviews.
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
    """What a run knows of a film. films: as the ratings stage gives them. Raises ArtifactError as `read_table` does."""
    names = store.read_json(run.handle("names"), "names")
    reviews = store.read_table(run.handle("reviews"), "reviews")
    reviews = reviews[reviews["item_id"] == item_id]
    labels = _of_item(store.read_table(run.handle("labels"), "items"), item_id)
    terms = store.read_table(run.handle("names"), "terms")
    shares = _of_item(store.read_table(run.handle("histograms"), "shares"), item_id)
    item = items.loc[item_id]
    tconst = item.get("tconst")
    return ItemSummary(
        item_id=item_id,
        title=item["title"],
        tconst=tconst if isinstance(tconst, str) else None,
        genres=tuple(item["genres"]),
        ratings=int(item["ratings"]),
        reviews=len(reviews),
        scores=_axis_scores(store, run, item_id, names),
        labels=tuple(
            ItemLabel(
                row.label, names.get(row.label, ""), float(row.strength), _used(terms, row.label, reviews["text"])
            )
            for row in labels.itertuples()
        ),
        predicted=tuple(
            PredictedLabel(
                label=row.label,
                name=names.get(row.label, ""),
                own=row.label in set(labels["label"]),
                share=float(row.share),
                share_without=None if pd.isna(row.share_without) else float(row.share_without),
            )
            for row in shares.itertuples()
        ),
        most_frequent=store.manifest(run.handle("histograms")).metrics["most_frequent"],
    )


def _of_item(table: pd.DataFrame, item_id: int) -> pd.DataFrame:
    return table[table["item_id"] == item_id]


def _axis_scores(store: Store, run: Run, item_id: int, names: Mapping[str, str]) -> tuple[AxisScore, ...]:
    scores = store.read_table(run.handle("factors"), "scores")
    stable = store.read_table(run.handle("factors"), "axes")["stable"]
    if item_id not in scores.index:
        return ()
    item = scores.loc[item_id].sort_values(key=abs, ascending=False)
    poles = {axis: f"{axis}{POLES[score < 0]}" for axis, score in item.items()}
    return tuple(
        AxisScore(str(axis), float(score), poles[axis], names.get(poles[axis], ""), bool(stable[axis]))
        for axis, score in item.items()
    )


def _used(terms: pd.DataFrame, label: str, texts: pd.Series) -> tuple[str, ...]:
    """The terms of a label that stand in a text, those first that mark the label most."""
    read = [f" {' '.join(_WORD.findall(text))} " for text in texts]
    return tuple(
        term for term in terms.loc[terms["label"] == label, "term"] if any(f" {term} " in text for text in read)
    )
