"""The user's own ratings or interactions: a file whose columns the settings name, or a MovieLens set."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self, cast

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pandas.api.types import is_integer_dtype
from pydantic import Field, model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.csv_records import Delimiter, read_csv, read_header, require_unique_columns, split_by
from latentflix.data.datasets import LinksName, MovieLensName
from latentflix.data.dates import parse_times
from latentflix.data.files import UNREADABLE, hash_file, members, open_packed, open_zip, require_file, unreadable
from latentflix.data.items import SEPARATOR, read_metadata
from latentflix.data.movielens import GENRE_SEPARATOR, find_layout, rating_scale, read_movielens
from latentflix.data.ratings import COUNT
from latentflix.data.tables import Tables, require_columns
from latentflix.data.tags import LEFT_OUT, TAGS, count_left_out, count_taggers, decode, parse_csv
from latentflix.data.users import USERS
from latentflix.errors import DataError

_WITHOUT_LINKS: tuple[MovieLensName, ...] = ("movielens_1m", "movielens_10m")
_LINK_SETS: tuple[LinksName, ...] = ("movielens_20m_items", "movielens_latest_small")
_TEXT_TABLES = (".csv", ".tsv", ".txt")
_EXPECTED = "a csv or parquet file, or MovieLens as a folder or zip"
_NAME_COLUMNS = "name them with --ratings-source.user-column and the like, and say --ratings-source.delimiter"
# It fits into 64 bits.
_WHOLE_NUMBER = r"-?[1-9]\d{0,17}|0"


class RatingsSource(StageConfig):
    """Which ratings: a MovieLens set that is downloaded, or a file of your own and what its columns are called."""

    data_set: MovieLensName = setting("movielens_100k", "the MovieLens set to fetch, unless a path is given")
    path: Path | None = setting(None, "ratings of your own: a csv or parquet file, or MovieLens as a folder or zip")
    user_column: str = setting("user_id", "the column of users, numbers or names")
    item_column: str = setting("item_id", "the column of items, numbers or names")
    rating_column: str = setting("rating", "the column of ratings; empty: the file holds interactions without stars")
    count_column: str | None = setting(None, "the column of the counts of interactions, if there is one")
    timestamp_column: str | None = setting(None, "the column of times, seconds since 1970 or ISO 8601, if there is one")
    delimiter: Delimiter = setting(",", "what separates the columns of a csv file; \\t is a tab")
    items_path: Path | None = setting(
        None,
        "a csv or parquet file of the items, whose further columns are metadata; without it their ids are their titles",
    )
    item_id_column: str = setting("item_id", "the column of ids in the file of items")
    title_column: str = setting("title", "the column of titles in the file of items")
    genres_column: str | None = setting(None, "the column of genres in the file of items, if there is one")
    genre_separator: str = setting("|", "what separates the genres of an item")
    imdb_column: str | None = setting(None, "the column of IMDb ids in the file of items, if there is one")
    tags_path: Path | None = setting(
        None, "a csv or parquet file of tags, with the columns of items and, if it is known who gave a tag, of users"
    )
    tag_column: str = setting("tag", "the column of tags in the file of tags")
    users_path: Path | None = setting(None, "a csv or parquet file that says who the users are, a row for each")
    user_id_column: str = setting("user_id", "the column of ids in the file of users")
    user_columns: tuple[str, ...] = setting((), "the columns of the file of users that are read; empty: all")
    # What is taken from such a set is an input of its own.
    links: LinksName | None = setting(
        None,
        "the MovieLens set whose links to IMDb are taken over where the ratings have none; not given: for MovieLens 1M "
        "and 10M the first of these two that can be had, for others none",
        exclude=True,
    )

    @property
    def link_sets(self) -> tuple[LinksName, ...]:
        """The sets of which the first that can be had gives the links."""
        if self.links:
            return (self.links,)
        return _LINK_SETS if self.path is None and self.data_set in _WITHOUT_LINKS else ()

    @property
    def interactions(self) -> bool:
        """Whether these are interactions without stars."""
        return not self.rating_column

    @model_validator(mode="after")
    def _check_paths(self) -> Self:
        if self.interactions and not self.path:
            raise ValueError("a MovieLens set has ratings, which --ratings.likes-from turns into likes")
        if self.count_column and not self.interactions:
            raise ValueError("ratings have no counts: for interactions, --ratings-source.rating-column is ''")
        for name in ("items_path", "tags_path", "users_path"):
            if getattr(self, name) and not self.path:
                raise ValueError(f"{name} says more of what is rated in path, and path is not given")
        return self


class RatingsSourceConfig(RatingsSource):
    """Ratings of the user's own, identified by what the files hold: elsewhere they make the same artifact."""

    data_set: MovieLensName = setting("movielens_100k", "not used where there is a path", exclude=True)
    path: Path = Field(exclude=True, description="as in RatingsSource")
    items_path: Path | None = setting(None, "as in RatingsSource", exclude=True)
    tags_path: Path | None = setting(None, "as in RatingsSource", exclude=True)
    users_path: Path | None = setting(None, "as in RatingsSource", exclude=True)
    sha256: str = Field(description="SHA-256 of what the files hold")


def with_fingerprint(source: RatingsSource) -> RatingsSourceConfig:
    """Add the hash of what is at the path. Raises DataError if nothing is, or a folder that is not a MovieLens set."""
    if source.path is None:
        raise ValueError("only a source with a path has a fingerprint")
    others = {"items": source.items_path, "tags": source.tags_path, "users": source.users_path}
    more = {role: path for role, path in others.items() if path}
    for role, path in more.items():
        require_file(path, f"--ratings-source.{role}-path")
    try:
        is_folder = source.path.is_dir()
        # Only in a folder does the name of a file count.
        entries = sorted(cast("Path", find_layout(source.path)[1]).iterdir()) if is_folder else []
        files = {entry.name: entry for entry in entries if entry.is_file()}
    except OSError as error:
        raise unreadable("ratings cannot be read", source.path, error, _EXPECTED) from error
    if not is_folder:
        require_file(source.path, "--ratings-source.path", _EXPECTED)
        files = {"ratings": source.path}
    lines = [f"{role} {hash_file(file)}\n" for role, file in (files | more).items()]
    return RatingsSourceConfig(**source.model_dump(), sha256=hashlib.sha256("".join(lines).encode()).hexdigest())


def load_ratings_source(config: RatingsSourceConfig) -> Tables:
    """Load the tables `ratings`, `items` and `scale` of what is at the path, with the columns of `read_movielens`.

    Interactions have a column `count` (1 unless there is a column of counts) instead of `rating`, and no scale: its
    table has no row.
    In any other table than MovieLens ids are int32 if all are such numbers, else categories of str; without a column
    of times timestamp is 0; without items the id is the title; scale is the lowest and the highest rating. With a file
    of tags also the tables `tags` and `tags_left_out` of `read_movielens`, ids as str if those of items are categories;
    with a file of users the table `users`, user_id and its other columns.
    Raises DataError if the form is not known, a column is missing, or a file cannot be read.
    """
    path = config.path
    try:
        is_movielens = path.is_dir() or (path.suffix == ".zip" and _holds_several(path))
        if is_movielens and config.interactions:
            raise DataError(
                "a MovieLens set has ratings",
                where=str(path),
                expected="a csv or parquet file of interactions",
                hint="turn ratings into likes with --ratings.likes-from, and leave out --ratings-source.rating-column",
            )
        tables = read_movielens(path) if is_movielens else _read_own(config)
        if config.tags_path:
            tables |= _read_tags(config.tags_path, tables["items"]["item_id"], config)
        if config.users_path:
            path = config.users_path
            tables[USERS] = _read_users(path, config)
            both = (tables["ratings"]["user_id"], tables[USERS]["user_id"])
            tables["ratings"]["user_id"], tables[USERS]["user_id"] = _ids(*both)
        return tables
    except (*UNREADABLE, OSError) as error:
        hint = "check the file, and --ratings-source.delimiter"
        raise unreadable("ratings cannot be read", path, error, _EXPECTED, hint) from error


def _holds_several(path: Path) -> bool:
    with open_zip(path) as archive:
        return len(members(archive)) != 1


def _read_own(config: RatingsSourceConfig) -> Tables:
    value = COUNT if config.interactions else "rating"
    columns = {
        config.user_column: "user_id",
        config.item_column: "item_id",
        (config.count_column if config.interactions else config.rating_column): value,
        config.timestamp_column: "timestamp",
    }
    hint = _NAME_COLUMNS
    if value == "rating":
        hint += "; of interactions without stars, --ratings-source.rating-column is ''"
    ratings = _read_table(config.path, columns, config, hint, ids=("user_id", "item_id"))
    if config.items_path:
        items = _read_items(config.items_path, config)
    else:
        unique = pd.Series(ratings["item_id"].dropna().unique())
        items = pd.DataFrame({"item_id": unique, "title": unique.astype("str"), "genres": ""})
    if not config.timestamp_column:
        ratings["timestamp"] = 0
    else:
        ratings["timestamp"] = parse_times(ratings["timestamp"])
    (ratings["user_id"],) = _ids(ratings["user_id"])
    ratings["item_id"], items["item_id"] = _ids(ratings["item_id"], items["item_id"])
    if config.interactions:
        counted = ratings if config.count_column else ratings.assign(**{COUNT: 1})
        return {"ratings": counted, "items": items, "scale": rating_scale(0, 0).head(0)}
    rating = pd.to_numeric(ratings["rating"], errors="coerce")
    return {"ratings": ratings, "items": items, "scale": rating_scale(rating.min(), rating.max())}


def _read_items(path: Path, config: RatingsSourceConfig) -> pd.DataFrame:
    columns = {
        config.item_id_column: "item_id",
        config.title_column: "title",
        config.genres_column: "genres",
        config.imdb_column: "tconst",
    }
    text = ("title", "genres", "tconst")
    table = _read_table(path, columns, config, _NAME_COLUMNS, ids=("item_id",), text=text, rest=True)
    items = table[[name for column, name in columns.items() if column]].copy()
    genres = None
    if config.genres_column:
        genres = items["genres"].str.replace(config.genre_separator, SEPARATOR, regex=False)
    categories, numbers = read_metadata(table.drop(columns=list(items)), genres)
    items["genres"] = [GENRE_SEPARATOR.join(names) for names in categories]
    items = pd.concat([items, pd.DataFrame(numbers, items.index)], axis="columns")
    if config.imdb_column:
        # A column of numbers, one of them missing, is written with decimals.
        items["tconst"] = "tt" + items["tconst"].str.extract(r"^(?:tt)?(\d+)(?:\.0)?$")[0].str.zfill(7)
    return items


def _read_tags(path: Path, item_id: pd.Series, config: RatingsSourceConfig) -> Tables:
    columns = {config.user_column: "user_id", config.item_column: "item_id", config.tag_column: "tag"}
    left_out: Counter[str] = Counter()
    with _open_table(path) as (suffix, file):
        if suffix == ".parquet":
            table = pd.read_parquet(file)
            require_unique_columns(str(path), map(str, table.columns))
            require_columns(str(path), table.columns, [config.item_column, config.tag_column])
            given = table[[name for name in columns if name in table]].rename(columns=columns).astype("str")
        else:
            given = parse_csv(decode(file.read()), str(path), columns, left_out)
    tags = count_taggers(given, left_out, named=isinstance(item_id.dtype, pd.CategoricalDtype))
    return {TAGS: tags, LEFT_OUT: count_left_out(left_out)}


def _read_users(path: Path, config: RatingsSourceConfig) -> pd.DataFrame:
    name = config.user_id_column
    hint = "name them with --ratings-source.user-id-column and .user-columns, and say --ratings-source.delimiter"
    table = _read_table(path, {name: name}, config, hint, ids=(name,), rest=True)
    wanted = config.user_columns or [column for column in table.columns if column != name]
    require_columns(str(path), table.columns, wanted, hint)
    return table[[name, *wanted]].rename(columns={name: "user_id"})


def _read_table(
    path: Path,
    names: Mapping[str | None, str],
    config: RatingsSourceConfig,
    hint: str,
    ids: Sequence[str],
    text: Sequence[str] = (),
    *,
    rest: bool = False,
) -> pd.DataFrame:
    """Read the columns that are set, under their new names.

    ids: the columns of ids, which in a csv file are whole numbers only if all are written as such ("7", not "007"), and
    else categories of str. text: the columns that are read as str. rest: whether all others are read, too, as they are.
    """
    columns = {column: name for column, name in names.items() if column}
    types = {column: "str" for column, name in columns.items() if name in text}
    as_written = {column: "str" for column, name in columns.items() if name in ids}
    delimiter = split_by(config.delimiter)
    with _open_table(path) as (suffix, file):
        is_parquet = suffix == ".parquet"
        found = pq.read_schema(file).names if is_parquet else read_header(file, delimiter)
        require_columns(str(path), found, columns, hint)
        require_unique_columns(str(path), found)
        file.seek(0)
        wanted = None if rest else list(columns)
        if is_parquet:
            table = pd.read_parquet(file, columns=wanted).astype(types)
        else:
            table = read_csv(file, str(path), delimiter, usecols=wanted, dtype=types | as_written)
            table = table.assign(**{column: _numbers_or_names(table[column]) for column in as_written})
    return (table if rest else table[list(columns)]).rename(columns=columns)


def _numbers_or_names(column: pd.Series) -> pd.Series:
    """Ids as categories of str, or int64 if all of them are numbers as numbers are written."""
    column = column.astype("category")
    names = column.cat.categories.astype("str").str.strip()
    if len(names) and column.notna().all() and names.str.fullmatch(_WHOLE_NUMBER).all():
        return pd.Series(names.astype("int64").to_numpy()[column.cat.codes], column.index)
    # A code of -1, the last place, stands for a missing id.
    places, unique = pd.factorize(names.where(names != ""), sort=True)
    return pd.Series(pd.Categorical.from_codes(np.append(places, -1)[column.cat.codes], unique), column.index)


@contextmanager
def _open_table(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The suffix and the content of a table, which may be in a zip of its own or under gzip."""
    with open_packed(path) as (name, file):
        suffix = Path(name).suffix.lower()
        if suffix not in (*_TEXT_TABLES, ".parquet"):
            raise DataError(
                "ratings are in no form that is known",
                where=str(path),
                found=name,
                expected=f"a name that ends in {', '.join(_TEXT_TABLES)} or .parquet, or in these and .gz or .zip",
                hint="name the file after its form",
            )
        yield suffix, file


def _ids(*columns: pd.Series) -> list[pd.Series]:
    """Columns of one kind of ids: int32 if all values of all are such numbers, else categories of str."""
    bounds = np.iinfo(np.int32)
    if all(is_integer_dtype(column) and column.between(bounds.min, bounds.max).all() for column in columns):
        return [column.astype("int32") for column in columns]
    return [column.astype("str").astype("category") for column in columns]
