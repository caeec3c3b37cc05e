"""The user's own ratings or interactions: a file whose columns the settings name, or a MovieLens set."""

import gzip
import hashlib
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Self, cast

import numpy as np
import pandas as pd
import pooch
import pyarrow.parquet as pq
from pandas.api.types import is_integer_dtype, is_numeric_dtype
from pydantic import Field, model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.datasets import LinksName, MovieLensName
from latentflix.data.items import SEPARATOR, read_metadata
from latentflix.data.movielens import GENRE_SEPARATOR, find_layout, rating_scale, read_movielens
from latentflix.data.ratings import COUNT
from latentflix.data.tables import UNREADABLE, Tables, require_columns
from latentflix.data.tags import LEFT_OUT, TAGS, count_left_out, count_taggers, decode, parse_csv
from latentflix.data.users import USERS
from latentflix.errors import DataError

_WITHOUT_LINKS: tuple[MovieLensName, ...] = ("movielens_1m", "movielens_10m")
_LINK_SETS: tuple[LinksName, ...] = ("movielens_20m_items", "movielens_latest_small")
_TEXT_TABLES = (".csv", ".tsv", ".txt")


class RatingsSource(StageConfig):
    """Which ratings: a MovieLens set that is downloaded, or a file of your own and what its columns are called."""

    data_set: MovieLensName = setting("movielens_100k", "the MovieLens set to fetch, unless a path is given")
    path: Path | None = setting(None, "ratings of your own: a csv or parquet file, or MovieLens as a folder or zip")
    user_column: str = setting("user_id", "the column of users, numbers or names")
    item_column: str = setting("item_id", "the column of items, numbers or names")
    rating_column: str = setting("rating", "the column of ratings; empty: the file holds interactions without stars")
    count_column: str | None = setting(None, "the column of the counts of interactions, if there is one")
    timestamp_column: str | None = setting(None, "the column of times, seconds since 1970 or ISO 8601, if there is one")
    delimiter: str = setting(",", "what separates the columns of a csv file; \\t is a tab")
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
    for path in (source.path, *more.values()):
        if not path.exists():
            raise DataError(
                "there is no such file or folder",
                where=str(path),
                expected="a csv or parquet file, or MovieLens as a folder or zip",
                hint="name another with --ratings-source.path, .items-path, .tags-path or .users-path",
            )
    files = {"ratings": source.path}
    if source.path.is_dir():
        # Only in a folder does the name of a file count.
        entries = sorted(cast("Path", find_layout(source.path)[1]).iterdir())
        files = {entry.name: entry for entry in entries if entry.is_file()}
    lines = [f"{role} {pooch.file_hash(str(file))}\n" for role, file in (files | more).items()]
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
        is_movielens = path.is_dir() or (path.suffix == ".zip" and len(_members(path)) != 1)
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
        raise DataError(
            "ratings cannot be read",
            where=str(path),
            found=str(error),
            expected="a csv or parquet file, or MovieLens as a folder or zip",
            hint="check the file, and --ratings-source.delimiter",
        ) from error


def _members(path: Path) -> list[str]:
    """The files in a zip, without those that macOS adds."""
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]


def _read_own(config: RatingsSourceConfig) -> Tables:
    value = COUNT if config.interactions else "rating"
    columns = {
        config.user_column: "user_id",
        config.item_column: "item_id",
        (config.count_column if config.interactions else config.rating_column): value,
        config.timestamp_column: "timestamp",
    }
    ratings = _read_table(config.path, columns, config)
    if config.items_path:
        items = _read_items(config.items_path, config)
    else:
        unique = pd.Series(ratings["item_id"].dropna().unique())
        items = pd.DataFrame({"item_id": unique, "title": unique.astype("str"), "genres": ""})
    if not config.timestamp_column:
        ratings["timestamp"] = 0
    elif not is_numeric_dtype(ratings["timestamp"]):
        times = pd.to_datetime(ratings["timestamp"], utc=True, format="ISO8601")
        ratings["timestamp"] = (times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
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
    table = _read_table(path, columns, config, text=("title", "genres", "tconst"), rest=True)
    items = table[[name for column, name in columns.items() if column]].copy()
    genres = None
    if config.genres_column:
        genres = items["genres"].str.replace(config.genre_separator, SEPARATOR, regex=False)
    categories, numbers = read_metadata(table.drop(columns=list(items)), genres)
    items["genres"] = [GENRE_SEPARATOR.join(names) for names in categories]
    items = items.assign(**numbers)
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
            require_columns(str(path), table.columns, [config.item_column, config.tag_column])
            given = table[[name for name in columns if name in table]].rename(columns=columns).astype("str")
        else:
            given = parse_csv(decode(file.read()), str(path), columns, left_out)
    tags = count_taggers(given, left_out, named=isinstance(item_id.dtype, pd.CategoricalDtype))
    return {TAGS: tags, LEFT_OUT: count_left_out(left_out)}


def _read_users(path: Path, config: RatingsSourceConfig) -> pd.DataFrame:
    separator = config.delimiter.replace("\\t", "\t")
    with _open_table(path) as (suffix, file):
        table = pd.read_parquet(file) if suffix == ".parquet" else pd.read_csv(file, sep=separator)
    wanted = config.user_columns or [name for name in table.columns if name != config.user_id_column]
    hint = "name them with --ratings-source.user-id-column and .user-columns, and say --ratings-source.delimiter"
    require_columns(str(path), table.columns, [config.user_id_column, *wanted], hint)
    return table[[config.user_id_column, *wanted]].rename(columns={config.user_id_column: "user_id"})


def _read_table(
    path: Path,
    names: Mapping[str | None, str],
    config: RatingsSourceConfig,
    text: Sequence[str] = (),
    *,
    rest: bool = False,
) -> pd.DataFrame:
    """The columns that are set, under their new names, those of `text` as str. rest: all others as they are, too."""
    columns = {column: name for column, name in names.items() if column}
    types = {column: "str" for column, name in columns.items() if name in text}
    hint = "name them with --ratings-source.user-column and the like, and say --ratings-source.delimiter"
    if "rating" in columns.values():
        hint += "; of interactions without stars, --ratings-source.rating-column is ''"
    separator = config.delimiter.replace("\\t", "\t")
    with _open_table(path) as (suffix, file):
        is_parquet = suffix == ".parquet"
        found = pq.read_schema(file).names if is_parquet else pd.read_csv(file, sep=separator, nrows=0).columns
        require_columns(str(path), found, columns, hint)
        file.seek(0)
        if is_parquet:
            table = pd.read_parquet(file, columns=None if rest else list(columns)).astype(types)
        else:
            table = pd.read_csv(file, sep=separator, usecols=None if rest else list(columns), dtype=types)
    return (table if rest else table[list(columns)]).rename(columns=columns)


@contextmanager
def _open_table(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The suffix and the content of a table, which may be in a zip of its own or under gzip."""
    with ExitStack() as stack:
        if path.suffix == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(path))
            (name,) = _members(path)
            file: IO[bytes] = stack.enter_context(archive.open(name))
        elif path.suffix == ".gz":
            name, file = path.stem, cast("IO[bytes]", stack.enter_context(gzip.open(path)))
        else:
            name, file = path.name, stack.enter_context(path.open("rb"))
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
