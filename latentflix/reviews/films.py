"""The films that a refresh of the review store may be about."""

from collections.abc import Sequence

import pandas as pd

from latentflix.artifacts import Store
from latentflix.data.titles import split_title
from latentflix.reviews.join import own_links
from latentflix.reviews.sources.protocol import Film
from latentflix.runs import Run


def films_in_report(store: Store, run: Run) -> list[Film]:
    """List the films whose histograms a report shows, of those with an IMDb id. Raises ArtifactError."""
    items = store.read_table(run.handles["ratings"], "items")
    shown = store.read_table(run.handles["histograms"], "shares")["item_id"].unique()
    return films_with_imdb_id(items.loc[items.index.intersection(shown)])


def films_by_id(items: pd.DataFrame, tconsts: Sequence[str]) -> list[Film]:
    """List the films with these IMDb ids, with title and year if `films_with_imdb_id(items)` knows them."""
    known = {film.tconst: film for film in films_with_imdb_id(items)}
    return [known.get(tconst, Film("", None, tconst)) for tconst in tconsts]


def films_of_own(items: pd.DataFrame) -> list[Film]:
    """List all items as films, with the ids that their own source gives them instead of IMDb ids."""
    links = own_links(items).set_index("item_id")["tconst"]
    return [Film(title, None, str(links[item_id])) for item_id, title in items["title"].astype("str").items()]


def films_with_imdb_id(items: pd.DataFrame) -> list[Film]:
    """List the films whose IMDb id is known. The columns are `title`, with the year, and optionally `tconst`."""
    known = items.reindex(columns=["title", "tconst"]).dropna().astype("str")
    return [
        Film(names[0], year, tconst)
        for tconst, (names, year) in zip(known["tconst"], known["title"].map(split_title), strict=True)
    ]
