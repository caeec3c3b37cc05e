"""Which films reviews are asked for: those of the last report, all that are linked to IMDb, or a list."""

from collections.abc import Sequence

import pandas as pd

from latentflix.artifacts import Store
from latentflix.review_source import Film
from latentflix.runs import Run
from latentflix.titles import split_title


def films_of_report(store: Store, run: Run) -> list[Film]:
    """The films whose histograms the report shows, if they have an IMDb id. Raises as `Store.read_table`."""
    films = store.read_table(run.handles["ratings"], "films")
    shown = store.read_table(run.handles["histograms"], "shares")["movie_id"].unique()
    return linked_films(films.loc[films.index.intersection(shown)])


def chosen_films(films: pd.DataFrame, tconsts: Sequence[str]) -> list[Film]:
    """The films of these IMDb ids, with title and year where they are known. films: as in `linked_films`."""
    known = {film.tconst: film for film in linked_films(films)}
    return [known.get(tconst, Film("", None, tconst)) for tconst in tconsts]


def linked_films(films: pd.DataFrame) -> list[Film]:
    """The films whose IMDb id is known. films: `title` with the year, and `tconst` (nullable) if any is known."""
    known = films.reindex(columns=["title", "tconst"]).dropna().astype("str")
    return [
        Film(names[0], year, tconst)
        for tconst, (names, year) in zip(known["tconst"], known["title"].map(split_title), strict=True)
    ]
