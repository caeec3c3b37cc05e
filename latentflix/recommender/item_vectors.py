"""Item vectors of one's own: what any recommender has learned of its items, in a file for each fit."""

import gzip
import hashlib
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pooch
import pyarrow as pa
from pydantic import Field, model_validator
from safetensors import SafetensorError, safe_open

from latentflix.artifacts import Arrays
from latentflix.config import StageConfig, setting
from latentflix.data.items import describe_items, index_table, number_items, plain_ids, require_unique
from latentflix.data.tables import UNREADABLE, read_columns, require_columns
from latentflix.errors import DataError
from latentflix.recommender.latent_factors import ItemFactors

FORMS = (
    "csv, tsv or parquet with a column of ids and columns of numbers; npz; safetensors; or word2vec's text (.txt, .vec)"
)
_NAMED = 10
# The vectors of more items, at a hundred dimensions, do not fit into the memory of most machines several times over.
_MOST_ITEMS = 5_000_000


class ItemFactorsSource(StageConfig):
    """Which item vectors are explained instead of those of a recommender that is trained here."""

    path: tuple[Path, ...] = setting(
        (),
        "item vectors of your own, a file for each fit of the recommender: parquet, csv, npz, safetensors or word2vec",
    )
    id_column: str = setting("item_id", "the column of ids in these files, and in that of the items")
    users_path: tuple[Path, ...] = setting(
        (), "the user vectors of each fit, in the same order: they say how much each direction matters"
    )
    user_id_column: str = setting("user_id", "the column of ids in the files of users")
    items_path: Path | None = setting(
        None,
        "a csv or parquet file of the items: title, and any further columns, as genres, year, ratings (how many users "
        "an item has), categories, numbers, dates",
    )
    title_column: str = setting("title", "the column of titles in the file of items")

    @model_validator(mode="after")
    def _check_paths(self) -> Self:
        if self.users_path and len(self.users_path) != len(self.path):
            raise ValueError(f"{len(self.path)} files of item vectors and {len(self.users_path)} of user vectors")
        if self.items_path and not self.path:
            raise ValueError("items_path says more of the items in path, and path is not given")
        return self


class ItemFactorsConfig(ItemFactorsSource):
    """Item vectors of one's own, identified by what the files hold: elsewhere they make the same artifact."""

    path: tuple[Path, ...] = Field(exclude=True, description="as in ItemFactorsSource")
    users_path: tuple[Path, ...] = setting((), "as in ItemFactorsSource", exclude=True)
    items_path: Path | None = setting(None, "as in ItemFactorsSource", exclude=True)
    sha256: str = Field(description="SHA-256 of what the files hold")


def with_fingerprint(source: ItemFactorsSource) -> ItemFactorsConfig:
    """Add the hash of its files to a source. Raises DataError if one is not there."""
    files = {
        f"{role} {number}": path
        for role, paths in (("items", source.path), ("users", source.users_path), ("table", (source.items_path,)))
        for number, path in enumerate(filter(None, paths))
    }
    for path in files.values():
        _require_file(path)
    lines = [f"{role} {pooch.file_hash(str(path))}\n" for role, path in files.items()]
    return ItemFactorsConfig(**source.model_dump(), sha256=hashlib.sha256("".join(lines).encode()).hexdigest())


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(
            "there is no such file", where=str(path), expected=FORMS, hint="name another with --item-factors.path"
        )


@dataclass(frozen=True)
class Vectors:
    """Vectors by id. dimensions: what the columns are called. values: float32 (ids, dimensions)."""

    ids: list[str]
    dimensions: list[str]
    values: np.ndarray


@dataclass(frozen=True)
class ItemVectors:
    """The item vectors of one or several fits to the same items.

    Attributes:
        numbers: item_id int32 of each item, index its id in the source, in that order.
        item_factors: by the number of the fit, float32 (items, dimensions).
        user_covariances: the same, the covariance of the user vectors, float64 (dimensions, dimensions): the identity
            where there are none, so that all directions count alike.
        dimensions: what the columns of the first fit are called.
    """

    numbers: pd.Series
    item_factors: Arrays
    user_covariances: Arrays
    dimensions: list[str]

    def fits(self) -> list[ItemFactors]:
        """The fits as those of a recommender that is trained here."""
        ids = self.numbers.to_numpy()
        return [ItemFactors(ids, self.item_factors[fit], self.user_covariances[fit]) for fit in self.item_factors]


def load_item_vectors(config: ItemFactorsConfig) -> ItemVectors:
    """Read the vectors of all fits. Raises DataError as `read_vectors` and `align_fits` do."""
    items = [read_vectors(path, config.id_column) for path in config.path]
    users = [read_vectors(path, config.user_id_column) for path in config.users_path]
    return align_fits(items, users, [str(path) for path in config.path])


def load_items(numbers: pd.Series, config: ItemFactorsConfig) -> pd.DataFrame:
    """Read what is known of the items of vectors, as `describe_items` returns it. Raises DataError as that does."""
    if config.items_path is None:
        return describe_items(numbers, None)
    where = str(config.items_path)
    table = read_columns(config.items_path, [config.id_column])
    require_columns(where, table.columns, [config.id_column], "name it with --item-factors.id-column")
    table = index_table(table, config.id_column, where).rename(columns={config.title_column: "title"})
    return describe_items(numbers, table, where)


def align_fits(items: Sequence[Vectors], users: Sequence[Vectors], where: Sequence[str]) -> ItemVectors:
    """Check the vectors of one or several fits, and bring their items into one order.

    Args:
        items: of each fit, its item vectors.
        users: of each fit, its user vectors; none if they are not known.
        where: what errors call the item vectors of each fit.

    Raises:
        DataError: vectors are of no use, or two fits are of different items.
    """
    for vectors, name in zip(items, where, strict=True):
        _check_vectors(vectors, name)
    numbers = number_items(items[0].ids)
    factors, covariances = {}, {}
    for fit, (vectors, name) in enumerate(zip(items, where, strict=True)):
        rows = pd.Index(vectors.ids).get_indexer(numbers.index)
        if len(vectors.ids) != len(numbers) or (rows < 0).any():
            raise DataError(
                "two fits are not of the same items",
                where=f"{where[0]} and {name}",
                found=f"only in the first: {_some(set(items[0].ids) - set(vectors.ids))}; "
                f"only in the second: {_some(set(vectors.ids) - set(items[0].ids))}",
                expected="a vector of every item in every fit",
                hint="leave out items that not every fit knows",
            )
        factors[str(fit)] = np.ascontiguousarray(vectors.values[rows], np.float32)
        size = vectors.values.shape[1]
        covariances[str(fit)] = np.eye(size)
        if users:
            _check_users(users[fit], vectors, name)
            covariances[str(fit)] = np.cov(users[fit].values.astype(np.float64), rowvar=False).reshape(size, size)
    return ItemVectors(numbers, factors, covariances, items[0].dimensions)


def _check_vectors(vectors: Vectors, where: str) -> None:
    n_items, size = vectors.values.shape
    if n_items < 2:
        raise DataError("there is only one item", where=where, found=f"{n_items:,} items", expected="at least 2")
    if n_items > _MOST_ITEMS:
        raise DataError(
            "there are more items than can be read at once",
            where=where,
            found=f"{n_items:,} items",
            expected=f"at most {_MOST_ITEMS:,}",
            hint="keep the items that have texts, or the most popular ones",
        )
    require_unique(vectors.ids, where)
    wrong = ~np.isfinite(vectors.values).all(1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            "a vector has a value that is missing or not finite",
            where=f"{where}, item {vectors.ids[row]}; {int(wrong.sum()):,} such items",
            found=", ".join(f"{value:g}" for value in vectors.values[row][:_NAMED]),
            expected="a number in every dimension",
            hint="leave these items out",
        )
    if size > n_items:
        raise DataError(
            "there are more dimensions than items",
            where=where,
            found=f"{n_items:,} items of {size:,} dimensions",
            expected="more items than dimensions",
            hint="is the table transposed? Rows are items",
        )
    if (vectors.values == vectors.values[0]).all():
        raise DataError(
            "all items have the same vector",
            where=where,
            found=f"{n_items:,} times {', '.join(f'{value:g}' for value in vectors.values[0][:_NAMED])}",
            expected="vectors that differ",
        )


def _check_users(users: Vectors, items: Vectors, where: str) -> None:
    if users.values.shape[1] != items.values.shape[1]:
        raise DataError(
            "the vectors of users and of items are not of the same length",
            where=where,
            found=f"{items.values.shape[1]:,} dimensions of items, {users.values.shape[1]:,} of users",
            expected="the same number",
        )
    if len(users.values) < 2 or not np.isfinite(users.values).all():
        raise DataError(
            "the vectors of users are of no use",
            where=f"the users of {where}",
            found=f"{len(users.values):,} users" + "" * len(users.values),
            expected="at least 2 users, with a number in every dimension",
        )


def read_vectors(path: Path, id_column: str) -> Vectors:
    """Read vectors by id from a file of any of the FORMS, by its name. Nothing is ever unpickled.

    An npz file has two arrays, of one dimension (the ids) and of two (the vectors); a safetensors file the same, or the
    ids as a JSON list in its metadata, under `ids`.
    Raises DataError if it cannot be read, or is of no such form.
    """
    _require_file(path)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    try:
        match suffixes[-1:]:
            case [".csv" | ".tsv" | ".parquet"]:
                return frame_vectors(read_columns(path, [id_column]), id_column, str(path))
            case [".npz"]:
                return _named_arrays(_read_npz(path), {}, path)
            case [".safetensors"]:
                return _read_safetensors(path)
            case [".txt" | ".vec"]:
                return _read_word2vec(path)
    except (*UNREADABLE, OSError, pa.ArrowException, SafetensorError) as error:
        raise DataError(
            "vectors cannot be read",
            where=str(path),
            found=str(error).partition("\n")[0] or type(error).__name__,
            expected=FORMS,
            hint="write the file anew, and name it after its form",
        ) from error
    raise DataError("vectors are in no form that is known", where=str(path), found=path.name, expected=FORMS)


def frame_vectors(table: pd.DataFrame, id_column: str, where: str) -> Vectors:
    """Take vectors from a table with a column of ids and columns of numbers. Raises DataError if it has others."""
    if id_column not in table:
        raise DataError(
            "a table of vectors has no column of ids",
            where=where,
            found=_some(map(str, table.columns)),
            expected=id_column,
            hint="name it with --item-factors.id-column",
        )
    numbers = table.drop(columns=id_column)
    texts = [str(name) for name in numbers if not pd.api.types.is_numeric_dtype(numbers[name])]
    if texts or numbers.empty:
        raise DataError(
            "a vector consists of numbers alone",
            where=f"{where}, column {texts[0]}" if texts else where,
            found=repr(numbers[texts[0]].iloc[0]) if texts and len(numbers) else "no column of numbers",
            expected=f"the column {id_column}, and a column of numbers for each dimension",
            hint="leave other columns to the table of items",
        )
    with np.errstate(over="ignore"):
        values = numbers.to_numpy(np.float64, na_value=np.nan).astype(np.float32)
    return Vectors(plain_ids(table[id_column], where), [_plain_name(name) for name in numbers.columns], values)


def _plain_name(name: Any) -> str:
    return "_".join(str(name).split())


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file, read without what could build objects."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                arrays[name.removesuffix(".npy")] = np.lib.format.read_array(file, allow_pickle=False)
    return arrays


def _read_safetensors(path: Path) -> Vectors:
    with safe_open(path, "numpy") as file:
        return _named_arrays({name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}, path)  # noqa: SIM118


def _named_arrays(arrays: dict[str, np.ndarray], notes: dict[str, str], path: Path) -> Vectors:
    """Vectors from the only array of two dimensions, and ids from that of one, or from the notes."""
    matrices = [array for array in arrays.values() if array.ndim == 2]
    ids: list[Any] = [array for array in arrays.values() if array.ndim == 1]
    if not ids and "ids" in notes:
        ids = [json.loads(notes["ids"])]
    if len(matrices) != 1 or len(ids) != 1 or len(matrices[0]) != len(ids[0]):
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(
            "an archive of vectors does not hold ids and vectors",
            where=str(path),
            found=found or "no arrays",
            expected="an array of ids (items) and an array of vectors (items, dimensions)",
        )
    (values,) = matrices
    if values.dtype.kind not in "fiu":
        raise DataError(
            "a vector consists of numbers alone", where=str(path), found=str(values.dtype), expected="numbers"
        )
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    return Vectors(plain_ids(_as_text(ids[0]), str(path)), _count_dimensions(values), values)


def _as_text(ids: Iterable[Any]) -> list[Any]:
    return [each.decode() if isinstance(each, bytes) else each for each in ids]


def _count_dimensions(values: np.ndarray) -> list[str]:
    return [str(number) for number in range(values.shape[1])]


def _read_word2vec(path: Path) -> Vectors:
    """Vectors as word2vec writes them: a line of their number and length, then an id and numbers in each line."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    ids: list[str] = []
    rows: list[np.ndarray] = []
    with opener(path, "rt", encoding="utf-8") as file:
        n_items, size = (int(number) for number in file.readline().split())
        for number, line in enumerate(file, start=2):
            name, *numbers = line.rstrip("\n ").rsplit(" ", size)
            if len(numbers) != size:
                raise DataError(
                    "vectors are not of the same length",
                    where=f"{path}, line {number}",
                    found=f"{len(line.split()) - 1} numbers",
                    expected=f"an id and {size} numbers, as its first line says",
                )
            ids.append(name)
            rows.append(np.array(numbers, np.float32))
    if len(ids) != n_items:
        raise DataError("vectors are missing", where=str(path), found=f"{len(ids):,}", expected=f"{n_items:,}")
    values = np.stack(rows) if rows else np.zeros((0, size), np.float32)
    return Vectors(plain_ids(ids, str(path)), _count_dimensions(values), values)


def _some(values: Iterable[str]) -> str:
    ordered = sorted(values)
    return ", ".join(ordered[:_NAMED]) + (", …" if len(ordered) > _NAMED else "") or "none"
