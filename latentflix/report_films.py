"""The section of the films: what is predicted of each, drawn and beside its own labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from tqdm.auto import tqdm

from latentflix.findings import Findings, ReportConfig
from latentflix.histogram_pictures import Histogram, draw_histograms, draw_poster
from latentflix.pages import render_section

_TEMPLATE = "films.html"
_PICTURES, _POSTER = "films", "films.png"


@dataclass(frozen=True)
class ReportedFilm:
    """A film that has reviews, with how many, its own labels, strongest first, and what is predicted of it."""

    movie_id: int
    title: str
    ratings: int
    reviews: int
    labels: Sequence[str]
    histogram: Histogram


def write_films(folder: Path, findings: Findings, config: ReportConfig) -> Markup:
    """The section "Films", whose pictures and poster are written into `folder`. The most reviewed film comes first."""
    labels = _told_labels(findings)
    films = reported_films(findings, config)
    (folder / _PICTURES).mkdir()
    bar = tqdm(films, "histograms", leave=False, disable=None)
    pictures = ((folder / _PICTURES / f"{film.movie_id}.png", film.histogram) for film in bar)
    draw_histograms(pictures, labels, findings.dominating)
    poster = draw_poster([film.histogram for film in films], labels, findings.dominating, folder / _POSTER)
    return render_section(
        _TEMPLATE,
        films=films,
        dominating=findings.dominating,
        names=findings.names,
        rare=list(findings.rare.index),
        poster=_POSTER,
        poster_size=poster,
        pictures=_PICTURES,
    )


def _told_labels(findings: Findings) -> list[str]:
    """The labels that the classifier tells: all but the rare."""
    return [label for label in findings.labels.index if label not in findings.rare.index]


def reported_films(findings: Findings, config: ReportConfig) -> list[ReportedFilm]:
    """The films with enough reviews, those with most of them first."""
    labels = _told_labels(findings)
    counts = findings.reviews["movie_id"].value_counts()
    own = findings.film_labels.groupby("movie_id")["label"].agg(list)
    before, after = (
        findings.shares.pivot(index="movie_id", columns="label", values=column)[labels]
        for column in ("share", "share_without")
    )
    chosen = [movie_id for movie_id in before.index if counts[movie_id] >= config.min_reviews]
    films = [
        ReportedFilm(
            movie_id=int(movie_id),
            title=str(findings.films.loc[movie_id, "title"]),
            ratings=int(findings.films.loc[movie_id, "ratings"]),
            reviews=int(counts[movie_id]),
            labels=own[movie_id],
            histogram=Histogram(
                title=str(findings.films.loc[movie_id, "title"]),
                before=before.loc[movie_id].to_numpy(float),
                after=after.loc[movie_id].to_numpy(float),
                own=before.columns.isin(own[movie_id]),
            ),
        )
        for movie_id in chosen
    ]
    return sorted(films, key=lambda film: (-film.reviews, film.title))
