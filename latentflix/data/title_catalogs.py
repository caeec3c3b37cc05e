"""Where IMDb ids are looked up: in the table of this package, a newer MovieLens set, cinemagoer's database."""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.files import UNREADABLE, unreadable
from latentflix.data.movielens import read_movielens
from latentflix.data.titles import Catalog, split_title
from latentflix.errors import DataError

# What cinemagoer calls the kinds of titles that MovieLens has.
_KINDS = "('movie', 'tvMovie', 'video', 'short', 'tv short', 'tv mini series')"
_QUERY = f"""
    SELECT {{name}}, startYear, tconst FROM title_basics {{join}}
    WHERE titleType IN {_KINDS} AND startYear BETWEEN :first AND :last
"""  # noqa: S608 - nothing in it comes from outside
_NAMES = [_QUERY.format(name=name, join="") for name in ("primaryTitle", "originalTitle")]
_OTHER_NAMES = _QUERY.format(name="title_akas.title", join="JOIN title_akas ON titleId = tconst")


class TitleConfig(StageConfig):
    """Where to look up IMDb ids that the source of the ratings does not have."""

    links_path: Path | None = setting(None, "a newer MovieLens set, as a folder or zip with movies.csv and links.csv")
    cinemagoer_path: Path | None = setting(
        None, "cinemagoer's local database: the SQLite file that its own tool makes of IMDb's data files"
    )


def open_catalogs(
    config: TitleConfig, titles: Collection[str], data_dir: Path | None = None, cache_dir: Path | None = None
) -> list[Catalog]:
    """Open the catalogs in the order in which they are asked. Raises DataError if one cannot be read."""
    shipped = load_data_set(DataSetConfig(name="movielens_100k", data_dir=data_dir, cache_dir=cache_dir))
    catalogs = [catalog_of_items("latentflix", shipped["items"])]
    if config.links_path:
        catalogs.append(catalog_of_links(config.links_path))
    years = [year for title in titles for year in split_title(title)[1:] if isinstance(year, int)]
    if config.cinemagoer_path and years:
        catalogs.append(catalog_of_cinemagoer(config.cinemagoer_path, min(years) - 1, max(years) + 1))
    return catalogs


def catalog_of_items(name: str, items: pd.DataFrame) -> Catalog:
    """The titles of MovieLens items under all their names. items: title, and tconst (nullable)."""
    linked = items.reindex(columns=["title", "tconst"]).dropna().astype("str").itertuples(index=False)
    split = ((*split_title(title), tconst) for title, tconst in linked)
    return Catalog(name, ((name, year, tconst) for names, year, tconst in split if year is not None for name in names))


def catalog_of_links(path: Path) -> Catalog:
    """The titles of a MovieLens set with `links.csv`. Raises DataError if that is missing, or it is no such set."""
    try:
        items = read_movielens(path)["items"]
    except (*UNREADABLE, OSError) as error:
        expected, hint = "a folder or zip with movies.csv and links.csv", "name another with --titles.links-path"
        raise unreadable("a MovieLens set cannot be read", path, error, expected, hint) from error
    if "tconst" not in items:
        raise DataError(
            "a MovieLens set has no links to IMDb", where=str(path), expected="links.csv next to movies.csv"
        )
    return catalog_of_items("links.csv", items)


def catalog_of_cinemagoer(path: Path, first: int, last: int) -> Catalog:
    """The films of these years, under all their names, in the local database that cinemagoer builds.

    Raises DataError if there is no such database. Source: cinemagoer `parser.s3.importer`.
    """
    if not path.is_file():
        raise DataError("there is no such database", where=str(path), hint="build it with cinemagoer's own tool")
    years = {"first": first, "last": last}
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            rows = [row for query in _NAMES for row in database.execute(query, years)]
            # This table may be left out to save space.
            if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'title_akas'").fetchone():
                rows += database.execute(_OTHER_NAMES, years).fetchall()
    except sqlite3.Error as error:
        raise DataError(
            "cinemagoer's database cannot be read",
            where=str(path),
            found=str(error),
            expected="an SQLite file with the table title_basics",
            hint="rebuild it with cinemagoer's own tool",
        ) from error
    return Catalog("cinemagoer", ((name, year, f"tt{number:07d}") for name, year, number in rows if name))
