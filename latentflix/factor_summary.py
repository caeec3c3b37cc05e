"""What a run found of each factor: how stable it is, what its poles are called, and how far they can be told."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from latentflix.artifacts import Store
from latentflix.errors import UnknownFactor
from latentflix.labels import POLES
from latentflix.runs import Run


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
    films: tuple[tuple[str, float], ...]
    genres: tuple[str, ...]
    labelled_films: int
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
    marks = {name: store.read_table(run.handle("names"), name) for name in ("terms", "films", "genres")}

    def pole(label: str) -> Pole:
        terms, films, genres = (table[table["label"] == label] for table in marks.values())
        return Pole(
            label=label,
            name=names[label],
            terms=tuple(terms["term"]),
            films=tuple(zip(films["title"], films["score"].astype(float), strict=True)),
            genres=tuple(genres["genre"]),
            labelled_films=int(labels["films"].get(label, 0)),
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
    """The factor of this number, with or without a pole. Raises UnknownFactor if there is none."""
    axis = asked.strip().rstrip("".join(POLES))
    for factor in factors:
        if factor.axis == axis:
            return factor
    raise UnknownFactor(
        "there is no such factor", found=asked, expected=f"a number from {factors[0].axis} to {factors[-1].axis}"
    )


def _score(row: pd.Series) -> Score:
    columns = ("auc", "auc_low", "auc_high", "auc_null", "auc_p", "words_auc")
    return Score(*(float(row[column]) for column in columns))
