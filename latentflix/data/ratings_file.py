"""Where ratings come from: a MovieLens set, or a file of the user's own whose columns the settings name."""

import gzip
import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from latentflix.data.datasets import UNREADABLE, MovieLensName
from latentflix.data.movielens import GENRE_SEPARATOR, Tables, find_layout, read_movielens
from latentflix.errors import DataError

_TEXT_TABLES = (".csv", ".tsv", ".txt")


class RatingsSource(StageConfig):
    """Which ratings: a MovieLens set that is fetched, or what lies at a path, and how its columns are called."""

    data_set: MovieLensName = setting("movielens_100k", "the MovieLens set to fetch, unless a path is given")
    path: Path | None = setting(None, "ratings of your own: a csv or parquet file, or MovieLens as a folder or zip")
    user_column: str = setting("user_id", "the column of users, numbers or names")
    item_column: str = setting("item_id", "the column of rated items, numbers or names")
    rating_column: str = setting("rating", "the column of ratings")
    timestamp_column: str | None = setting(None, "the column of times, seconds since 1970 or ISO 8601, if there is one")
    delimiter: str = setting(",", "what stands between the columns of a csv file; \\t is a tab")
    items_path: Path | None = setting(None, "a csv or parquet file of the items; without it their ids are their titles")
    item_id_column: str = setting("item_id", "the column of ids in the file of items")
    title_column: str = setting("title", "the column of titles in the file of items")
    genres_column: str | None = setting(None, "the column of genres in the file of items, if there is one")
    genre_separator: str = setting("|", "what stands between the genres of an item")
    imdb_column: str | None = setting(None, "the column of IMDb ids in the file of items, if there is one")

    @model_validator(mode="after")
    def _check_paths(self) -> Self:
        if self.items_path and not self.path:
            raise ValueError("items_path says what is rated in path, and path is not given")
        return self


class RatingsSourceConfig(RatingsSource):
    """What lies at a path, known by what it holds: the same files elsewhere make no other artifact."""

    data_set: MovieLensName = Field("movielens_100k", exclude=True, description="of no use where there is a path")
    path: Path = Field(exclude=True, description="as in RatingsSource")
    items_path: Path | None = Field(None, exclude=True, description="as in RatingsSource")
    sha256: str = Field(description="SHA-256 of what the files hold")


def with_fingerprint(source: RatingsSource) -> RatingsSourceConfig:
    """The source with the hash of what lies at its path.

    Raises DataError if nothing is there, or a folder that is no MovieLens set.
    """
    if source.path is None:
        raise ValueError("only a source with a path can be identified")
    for path in filter(None, (source.path, source.items_path)):
        if not path.exists():
            raise DataError(
                "there is no such file or folder",
                where=str(path),
                expected="a csv or parquet file, or MovieLens as a folder or zip",
                hint="name another with --ratings-source.path or --ratings-source.items-path",
            )
    digest = hashlib.sha256()
    for role, file in _files(source.path, source.items_path):
        digest.update(f"{role} {pooch.file_hash(file)}\n".encode())
    return RatingsSourceConfig(**source.model_dump(), sha256=digest.hexdigest())


def _files(path: Path, items_path: Path | None) -> Iterator[tuple[str, str]]:
    """What each file is to the source, and where it is. The name of a file counts only in a folder."""
    if path.is_dir():
        entries = sorted(find_layout(path)[1].iterdir(), key=lambda entry: entry.name)
        yield from ((entry.name, str(entry)) for entry in entries if entry.is_file())
    else:
        yield "ratings", str(path)
    if items_path:
        yield "items", str(items_path)


def load_ratings_source(config: RatingsSourceConfig) -> Tables:
    """The tables `ratings`, `items` and `scale` of what lies at the path, in the columns of `read_movielens`.

    A MovieLens set is as that gives it. Of any other table: ids are int32 where all are such numbers, else
    categories of str; without a column of times timestamp is 0; without items the id is the title; scale is the least
    and the greatest rating. Raises DataError if the form is not known, a column is missing, or a file cannot be
    read.
    """
    try:
        return read_movielens(config.path) if _is_movielens(config.path) else _read_own(config)
    except (*UNREADABLE, OSError) as error:
        raise DataError(
            "ratings cannot be read",
            where=str(config.path),
            found=str(error),
            expected="a csv or parquet file, or MovieLens as a folder or zip",
            hint="check the file, and --ratings-source.delimiter",
        ) from error


def _is_movielens(path: Path) -> bool:
    return path.is_dir() or (path.suffix == ".zip" and len(_members(path)) != 1)


def _members(path: Path) -> list[str]:
    """The files in a zip, without those that macOS adds."""
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]


def _read_own(config: RatingsSourceConfig) -> Tables:
    named = {config.user_column: "user_id", config.item_column: "item_id", config.rating_column: "rating"}
    if config.timestamp_column:
        named[config.timestamp_column] = "timestamp"
    ratings = _read_table(config.path, named, config)
    items = _read_items(config.items_path, config) if config.items_path else _name_by_id(ratings["item_id"])
    ratings["timestamp"] = _seconds(ratings["timestamp"]) if config.timestamp_column else 0
    (ratings["user_id"],) = _ids(ratings["user_id"])
    ratings["item_id"], items["item_id"] = _ids(ratings["item_id"], items["item_id"])
    rating = pd.to_numeric(ratings["rating"], errors="coerce")
    scale = pd.DataFrame({"lowest": [rating.min()], "highest": [rating.max()]}, dtype="float64")
    return {"ratings": ratings, "items": items, "scale": scale}


def _name_by_id(item_id: pd.Series) -> pd.DataFrame:
    unique = pd.Series(item_id.dropna().unique())
    return pd.DataFrame({"item_id": unique, "title": unique.astype("str"), "genres": ""})


def _read_items(path: Path, config: RatingsSourceConfig) -> pd.DataFrame:
    named = {config.item_id_column: "item_id", config.title_column: "title"}
    if config.genres_column:
        named[config.genres_column] = "genres"
    if config.imdb_column:
        named[config.imdb_column] = "tconst"
    items = _read_table(path, named, config, text=("title", "genres", "tconst"))
    genres = items["genres"] if config.genres_column else pd.Series("", items.index)
    items["genres"] = genres.fillna("").str.replace(config.genre_separator, GENRE_SEPARATOR, regex=False)
    if config.imdb_column:
        # A column of numbers of which one is missing is written with decimals.
        items["tconst"] = "tt" + items["tconst"].str.extract(r"^(?:tt)?(\d+)(?:\.0)?$")[0].str.zfill(7)
    return items


def _read_table(
    path: Path, named: Mapping[str, str], config: RatingsSourceConfig, text: Sequence[str] = ()
) -> pd.DataFrame:
    """The columns that `named` names, under the names it gives them; those of `text` as str."""
    types = {column: "str" for column, name in named.items() if name in text}
    with _open_table(path) as (suffix, file):
        if suffix == ".parquet":
            _require_columns(pq.read_schema(file).names, named, path)
            file.seek(0)
            table = pd.read_parquet(file, columns=list(named)).astype(types)
        else:
            separator = config.delimiter.replace("\\t", "\t")
            _require_columns(pd.read_csv(file, sep=separator, nrows=0).columns, named, path)
            file.seek(0)
            table = pd.read_csv(file, sep=separator, usecols=list(named), dtype=types)
    return table[list(named)].rename(columns=named)


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


def _require_columns(found: Iterable[str], expected: Iterable[str], path: Path) -> None:
    found = list(found)
    missing = [column for column in expected if column not in found]
    if missing:
        raise DataError(
            "a table lacks columns",
            where=f"{path}: {', '.join(missing)}",
            found=", ".join(found),
            expected=", ".join(expected),
            hint="name them with --ratings-source.user-column and the like, and say --ratings-source.delimiter",
        )


def _ids(*columns: pd.Series) -> list[pd.Series]:
    """Columns of ids of one kind: int32 if all of all are such numbers, else categories of str."""
    bounds = np.iinfo(np.int32)
    if all(is_integer_dtype(column) and column.between(bounds.min, bounds.max).all() for column in columns):
        return [column.astype("int32") for column in columns]
    return [column.astype("str").astype("category") for column in columns]


def _seconds(times: pd.Series) -> pd.Series:
    """Times as seconds since 1970; what is no date stays as it is."""
    if is_numeric_dtype(times):
        return times
    moments = pd.to_datetime(times, utc=True, format="ISO8601")
    return (moments - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
