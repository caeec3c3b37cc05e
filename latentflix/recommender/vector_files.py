"""Vectors in files: tables, numpy's and safetensors' archives, and word2vec's text."""

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open

from latentflix.data.files import UNREADABLE, open_zip, require_file, unreadable
from latentflix.data.ids import list_some, plain_ids
from latentflix.data.tables import read_file
from latentflix.errors import DataError

FORMS = (
    "csv, tsv or parquet with a column of ids and columns of numbers; npz; safetensors; or word2vec's text (.txt, .vec)"
)
OPTION = "--item-factors.path"


@dataclass(frozen=True)
class Vectors:
    """Vectors by id. dimensions: what the columns are called. values: float32 (ids, dimensions)."""

    ids: list[str]
    dimensions: list[str]
    values: np.ndarray


def read_vectors(path: Path, id_column: str) -> Vectors:
    """Read vectors by id from a file of any of the FORMS, by its name. Nothing is ever unpickled.

    An npz file has two arrays, of one dimension (the ids) and of two (the vectors). So has a safetensors file, whose
    ids may be a JSON list in its metadata instead, under `ids`.
    Raises DataError if it cannot be read, or is of no such form.
    """
    require_file(path, OPTION, FORMS)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    try:
        match suffixes[-1:]:
            case [".csv" | ".tsv" | ".parquet"]:
                return frame_vectors(read_file(path, [id_column]), id_column, str(path))
            case [".npz"]:
                return _named_arrays(_read_npz(path), {}, path)
            case [".safetensors"]:
                return _read_safetensors(path)
            case [".txt" | ".vec"]:
                return _read_word2vec(path)
    except (*UNREADABLE, OSError, SafetensorError) as error:
        hint = "write the file anew, and name it after its form"
        raise unreadable("vectors cannot be read", path, error, FORMS, hint) from error
    raise DataError("vectors are in no form that is known", where=str(path), found=path.name, expected=FORMS)


def frame_vectors(table: pd.DataFrame, id_column: str, where: str) -> Vectors:
    """Take vectors from a table with a column of ids and columns of numbers. Raises DataError if it has others."""
    if id_column not in table:
        raise DataError(
            "a table of vectors has no column of ids",
            where=where,
            found=list_some(map(str, table.columns)),
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
    with open_zip(path) as archive:
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
