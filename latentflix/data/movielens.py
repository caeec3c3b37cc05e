"""MovieLens as GroupLens publishes it: its three file layouts, in a folder or a zip, and the tables in them.

Source: the README of each set, https://grouplens.org/datasets/movielens/
"""

import csv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from itertools import product
from operator import attrgetter
from pathlib import Path

import pandas as pd

from latentflix.data.csv_records import read_csv
from latentflix.data.files import open_zip
from latentflix.data.tables import Tables
from latentflix.data.tags import read_tag_files
from latentflix.data.users import read_user_file
from latentflix.errors import DataError

# What MovieLens calls the columns of items, and what they are called here.
ITEM_COLUMNS = {"movie_id": "item_id", "movie_title": "title"}
_CSV_COLUMNS = {"userId": "user_id", "movieId": "item_id"}
RATING_TYPES = {"user_id": "int32", "item_id": "int32", "rating": "float32", "timestamp": "int64"}
OFFICIAL_FOLDS = range(1, 6)
# Between the genres of an item, in the items of every source.
GENRE_SEPARATOR = "|"
GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


@dataclass(frozen=True)
class FileLayout:
    """The two files that hold a MovieLens set, and how they are read."""

    ratings: str
    items: str
    read_ratings: Callable[[Traversable], pd.DataFrame]
    read_items: Callable[[Traversable], pd.DataFrame]


def read_movielens(path: Path) -> Tables:
    """Read a MovieLens set of any size, from its zip or from the folder that the zip unpacks to.

    ratings: user_id int32, item_id int32, rating float32, timestamp int64 (seconds since 1970), and if the set has
    official splits official_fold int8 (1 to 5, or 0 for none). items: item_id int32, title str, genres str (names, "|"
    between them), and if known tconst str (nullable). scale: as `rating_scale`. Of a set that has tags also the tables
    of `read_tag_files`, and of one that describes its users that of `read_user_file`.
    Raises DataError if the layout is not known, or if the official splits do not fit the ratings; besides, what
    zipfile and pandas raise if a file cannot be read.
    """
    with _open_root(path) as root:
        layout, folder = find_layout(root)
        ratings = layout.read_ratings(folder / layout.ratings)
        return {
            "ratings": _mark_official_folds(ratings, folder),
            "items": _link(layout.read_items(folder / layout.items), folder),
            # Half stars came in February 2003.
            "scale": rating_scale(1 if (ratings["rating"] % 1 == 0).all() else 0.5, 5),
            **read_tag_files(folder),
            **read_user_file(folder),
        }


def read_movielens_items(path: Path) -> Tables:
    """Read the items of a MovieLens set, but not its ratings; else as `read_movielens`."""
    with _open_root(path) as root:
        layout, folder = find_layout(root)
        return {"items": _link(layout.read_items(folder / layout.items), folder)}


@contextmanager
def _open_root(path: Path) -> Iterator[Traversable]:
    """The folder that a set is in, which may be a zip."""
    if path.is_dir():
        yield path
        return
    with open_zip(path) as archive:
        yield zipfile.Path(archive)


def find_layout(root: Traversable) -> tuple[FileLayout, Traversable]:
    """The layout of MovieLens in a folder or one directly in it, and that folder. Raises DataError if there is none."""
    by_name = attrgetter("name")
    folders = [root, *sorted((entry for entry in root.iterdir() if entry.is_dir()), key=by_name)]
    for folder, layout in product(folders, FILE_LAYOUTS):
        if (folder / layout.ratings).is_file() and (folder / layout.items).is_file():
            return layout, folder
    names = [
        f"{folder.name}/{entry.name}" if folder is not root else entry.name
        for folder in folders
        for entry in sorted(folder.iterdir(), key=by_name)
        if entry.is_file()
    ]
    more = [f"and {len(names) - 12} more"] if len(names) > 12 else []
    expected = [*(f"{layout.ratings} and {layout.items}" for layout in FILE_LAYOUTS), "one csv or parquet file"]
    raise DataError(
        "ratings are in no form that is known",
        where=str(root),
        found=", ".join([*names[:12], *more]) or "no file",
        expected=", or ".join(expected),
        hint="name the folder or the zip of a MovieLens set, or one table of ratings",
    )


def rating_scale(lowest: float, highest: float) -> pd.DataFrame:
    """The scale of ratings as a table: one row, lowest and highest float64."""
    return pd.DataFrame({"lowest": [lowest], "highest": [highest]}, dtype="float64")


def items_of_flags(table: pd.DataFrame) -> pd.DataFrame:
    """The items of MovieLens 100K, whose column for each genre (1 or 0) becomes one column `genres`."""
    # A flag that is missing is not set.
    flags = (table[list(GENRES)] == 1).to_numpy()
    genres = [GENRE_SEPARATOR.join(genre for genre, is_set in zip(GENRES, row, strict=True) if is_set) for row in flags]
    items = pd.DataFrame({"item_id": table["item_id"].astype("int32"), "title": table["title"], "genres": genres})
    # The set has no links of its own; those of this package fit its items and no others.
    if len(items) != 1682 or items["title"].iloc[0] != "Toy Story (1995)":
        return items
    return items.assign(tconst=items["item_id"].map(ml100k_imdb_ids().set_index("item_id")["tconst"]))


def ml100k_imdb_ids() -> pd.DataFrame:
    """Which IMDb title each MovieLens 100K item is: item_id int64, tconst str, matched_by str."""
    with as_file(files("latentflix.data") / "ml100k_imdb_ids.csv") as path:
        return pd.read_csv(path).rename(columns=ITEM_COLUMNS)


def _read_tabbed_ratings(path: Traversable) -> pd.DataFrame:
    with path.open("rb") as file:
        return pd.read_csv(file, sep="\t", names=list(RATING_TYPES), dtype=RATING_TYPES)


def _read_items_with_flags(path: Traversable) -> pd.DataFrame:
    columns = ["item_id", "title", "release_date", "video_release_date", "IMDb_URL", *GENRES]
    with path.open("rb") as file:
        return items_of_flags(pd.read_csv(file, sep="|", names=columns, encoding="latin-1", quoting=csv.QUOTE_NONE))


def _read_double_colon_ratings(path: Traversable) -> pd.DataFrame:
    # pandas is many times faster with a separator of one character; an empty column is then between two colons.
    first, *rest = RATING_TYPES
    columns = [first, *(name for column in rest for name in (f"before {column}", column))]
    with path.open("rb") as file:
        return pd.read_csv(file, sep=":", names=columns, usecols=list(RATING_TYPES), dtype=RATING_TYPES)


def _read_double_colon_items(path: Traversable) -> pd.DataFrame:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # MovieLens 1M is older than the others.
        text = content.decode("latin-1")
    lines = pd.Series(text.replace("\r", "").rstrip("\n").split("\n"))
    return _tidy(lines.str.extract("^(?P<item_id>[0-9]+)::(?P<title>.*)::(?P<genres>.*)$"))


def _read_csv(path: Traversable, *names: str) -> pd.DataFrame:
    columns = {name: _CSV_COLUMNS.get(name, name) for name in names}
    types = {name: RATING_TYPES[column] for name, column in columns.items() if column in RATING_TYPES}
    with path.open("rb") as file:
        # If all columns are numbers, pandas itself refuses an unclosed quote.
        read = pd.read_csv if len(types) == len(names) else partial(read_csv, where=str(path))
        return read(file, usecols=list(names), dtype=types)[list(names)].rename(columns=columns)


def _tidy(items: pd.DataFrame) -> pd.DataFrame:
    genres = items["genres"].where(items["genres"] != "(no genres listed)", "")
    return items.assign(item_id=items["item_id"].astype("int32"), genres=genres)


def _link(items: pd.DataFrame, folder: Traversable) -> pd.DataFrame:
    """The items with the IMDb title that `links.csv` names for each, if it is there."""
    path = folder / "links.csv"
    if not path.is_file():
        return items
    with path.open("rb") as file:
        links = read_csv(file, str(path), usecols=["movieId", "imdbId"], dtype={"movieId": "int32", "imdbId": "str"})
    # IMDb's numbers have seven digits or more; the file leaves out leading zeros.
    tconst = ("tt" + links["imdbId"].str.zfill(7)).set_axis(links["movieId"])
    return items.assign(tconst=items["item_id"].map(tconst))


def _mark_official_folds(ratings: pd.DataFrame, folder: Traversable) -> pd.DataFrame:
    """The ratings with `official_fold`, if the folder has official splits: f where `u<f>.test` holds the rating."""
    tests = [
        _read_tabbed_ratings(folder / f"u{fold}.test").assign(official_fold=fold)
        for fold in OFFICIAL_FOLDS
        if (folder / f"u{fold}.test").is_file()
    ]
    if not tests:
        return ratings
    pair = ["user_id", "item_id"]
    held_out = pd.concat(tests)[[*pair, "official_fold"]]
    once = held_out.drop_duplicates(pair)
    # A pair that occurs many times in both would be joined with itself as many times.
    marked = ratings.merge(once, on=pair, how="left")
    found = int(marked["official_fold"].notna().sum())
    if not len(held_out) == len(once) == found:
        raise DataError(
            "the official splits do not fit the ratings",
            where=f"{folder}/u*.test",
            found=f"{len(held_out):,} rows, {found:,} of them among the ratings",
            expected="rows of the ratings, each in one split",
            hint="unpack the data set again",
        )
    return marked.assign(official_fold=marked["official_fold"].fillna(0).astype("int8"))


FILE_LAYOUTS = (
    FileLayout("u.data", "u.item", _read_tabbed_ratings, _read_items_with_flags),
    FileLayout("ratings.dat", "movies.dat", _read_double_colon_ratings, _read_double_colon_items),
    FileLayout(
        "ratings.csv",
        "movies.csv",
        lambda path: _read_csv(path, "userId", "movieId", "rating", "timestamp"),
        lambda path: _tidy(_read_csv(path, "movieId", "title", "genres")),
    ),
)
