"""What a run found of each factor: how stable it is, what its poles are called, and how far they can be told."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from latentflix.artifacts import Store
from latentflix.errors import UnknownFactor
from latentflix.factors.labels import POLES
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


# What counts as a word where poles are named.
_WORD = re.compile(r"\b[a-z]{3,}\b")


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
class FilmLabel:
    """A label that stands for a film, its strongest first. words: the terms of its pole that the film's reviews use."""

    label: str
    name: str
    strength: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class PredictedLabel:
    """The share of a film's reviews that vote for a label, and the same without the dominating label; in its order."""

    label: str
    name: str
    own: bool
    share: float
    share_without: float | None


@dataclass(frozen=True)
class FilmSummary:
    """ratings, reviews: how many. dominating: the label that most reviews of all films vote for.

    scores: the strongest first; none of a film that the recommender has never seen. labels: none of a film with too
    few ratings. predicted: none of a film without reviews.
    """

    movie_id: int
    title: str
    tconst: str | None
    genres: tuple[str, ...]
    ratings: int
    reviews: int
    scores: tuple[AxisScore, ...]
    labels: tuple[FilmLabel, ...]
    predicted: tuple[PredictedLabel, ...]
    dominating: str


def summarise_film(store: Store, run: Run, films: pd.DataFrame, movie_id: int) -> FilmSummary:
    """What a run knows of a film. films: as the ratings stage gives them. Raises ArtifactError as `read_table` does."""
    names = store.read_json(run.handle("names"), "names")
    reviews = store.read_table(run.handle("reviews"), "reviews")
    reviews = reviews[reviews["movie_id"] == movie_id]
    labels = _of_film(store.read_table(run.handle("labels"), "films"), movie_id)
    terms = store.read_table(run.handle("names"), "terms")
    shares = _of_film(store.read_table(run.handle("histograms"), "shares"), movie_id)
    film = films.loc[movie_id]
    tconst = film.get("tconst")
    return FilmSummary(
        movie_id=movie_id,
        title=film["title"],
        tconst=tconst if isinstance(tconst, str) else None,
        genres=tuple(film["genres"]),
        ratings=int(film["ratings"]),
        reviews=len(reviews),
        scores=_axis_scores(store, run, movie_id, names),
        labels=tuple(
            FilmLabel(
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
        dominating=store.manifest(run.handle("histograms")).metrics["dominating"],
    )


def _of_film(table: pd.DataFrame, movie_id: int) -> pd.DataFrame:
    return table[table["movie_id"] == movie_id]


def _axis_scores(store: Store, run: Run, movie_id: int, names: Mapping[str, str]) -> tuple[AxisScore, ...]:
    scores = store.read_table(run.handle("factors"), "scores")
    stable = store.read_table(run.handle("factors"), "axes")["stable"]
    if movie_id not in scores.index:
        return ()
    film = scores.loc[movie_id].sort_values(key=abs, ascending=False)
    poles = {axis: f"{axis}{POLES[score < 0]}" for axis, score in film.items()}
    return tuple(
        AxisScore(str(axis), float(score), poles[axis], names.get(poles[axis], ""), bool(stable[axis]))
        for axis, score in film.items()
    )


def _used(terms: pd.DataFrame, label: str, texts: pd.Series) -> tuple[str, ...]:
    """The terms of a label that stand in a text, those first that mark the label most."""
    read = [f" {' '.join(_WORD.findall(text))} " for text in texts]
    return tuple(
        term for term in terms.loc[terms["label"] == label, "term"] if any(f" {term} " in text for text in read)
    )
