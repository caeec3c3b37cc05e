"""Tables in files, csv or parquet: read and written whole, or a batch of rows at a time."""

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from latentflix.data.csv_records import read_csv, require_closed_quotes, require_unique_columns
from latentflix.data.files import UNREADABLE, open_packed, unreadable
from latentflix.errors import DataError
from latentflix.system.disk import whole_file

# By name.
Tables = dict[str, pd.DataFrame]
# A text; bytes if it is not UTF-8; None if it is missing.
MaybeText = str | bytes | None
_TABLE = "a csv file, or a parquet file whose name ends in .parquet"
_TEXT_TYPES = (pa.string(), pa.large_string(), pa.string_view(), pa.null(), pa.binary(), pa.large_binary())
# Bytes; every row has to fit into one block.
_CSV_BLOCK = 2**26


def read_file(path: Path, text: Collection[str] = ()) -> pd.DataFrame:
    """Read a csv, tsv or parquet file, which may be gzipped or alone in a zip; the columns of `text` as they stand.

    An id such as "007" keeps its zeros in a csv file, too. Raises DataError if the file cannot be read, if a quote in a
    csv file is not closed, or if two columns have the same name.
    """
    try:
        with open_packed(path) as (name, file):
            suffixes = [suffix.lower() for suffix in Path(name).suffixes]
            if ".parquet" in suffixes:
                require_unique_columns(str(path), pq.read_schema(file).names)
                return pd.read_parquet(file)
            separator = "\t" if ".tsv" in suffixes else ","
            # The digits that a float was written with give the float back.
            types = dict.fromkeys(text, "str")
            return read_csv(file, str(path), separator, dtype=types, float_precision="round_trip")
    except (*UNREADABLE, OSError) as error:
        raise unreadable("a table cannot be read", path, error, _TABLE) from error


def write_file(table: pd.DataFrame, path: Path) -> None:
    """Write a parquet file if its name ends in .parquet, else a csv file. Raises DataError if it cannot be written."""
    try:
        if path.suffix == ".parquet":
            table.to_parquet(path, index=False)
        else:
            table.to_csv(path, index=False)
    except OSError as error:
        raise _unwritable(path, error) from error


def append_columns(
    source: Path,
    target: Path,
    column: str,
    predict: Callable[[Sequence[MaybeText]], pd.DataFrame],
    batch_rows: int = 2048,
) -> int:
    """Copy a csv or parquet file with the columns added that are predicted from one of its columns.

    Rows are read, predicted and written a batch at a time, so a table may be larger than memory; `target` appears when
    all is written. The other columns stay as they are; those of a csv file are copied as text. `predict` returns a row
    for each text, in their order, and always the same columns. Returns the number of rows.
    Raises DataError if a file cannot be read or written, lacks the column of texts, or has one that would be added.
    """
    added = pa.Schema.from_pandas(predict([]), preserve_index=False).remove_metadata()
    rows = 0
    try:
        with closing(_open(source, batch_rows)) as batches, whole_file(target) as partial:
            schema = _check_columns(next(batches), source, column, added)
            whole = pa.schema([*schema, *added], schema.metadata)
            write = pq.ParquetWriter if target.suffix == ".parquet" else pc.CSVWriter
            with write(partial, whole) as file:
                for batch in tqdm(batches, "rows", unit="batch", leave=False, disable=None):
                    texts = batch[column]
                    texts = texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts
                    # As bytes, because one text that is not UTF-8 would otherwise fail the whole batch.
                    predicted = predict([decode(raw) for raw in texts.cast(pa.large_binary()).to_pylist()])
                    more = pa.RecordBatch.from_pandas(predicted, added, preserve_index=False)
                    file.write_batch(pa.RecordBatch.from_arrays([*batch.columns, *more.columns], schema=whole))
                    rows += len(batch)
    except OSError as error:
        raise _unwritable(target, error) from error
    return rows


def require_columns(what: str, found: Iterable[Any], expected: Iterable[str], hint: str = "") -> None:
    """Raise DataError if columns that are expected are not among those found."""
    names, expected = list(map(str, found)), list(expected)
    missing = [column for column in expected if column not in names]
    if missing:
        raise DataError(
            f"columns are missing from {what}",
            where=", ".join(missing),
            found=", ".join(names),
            expected=", ".join(expected),
            hint=hint,
        )


def _open(path: Path, batch_rows: int) -> Generator[Any]:
    """The schema of the file, then its rows in batches. Raises DataError if it cannot be read."""
    try:
        yield from _open_batches(path, batch_rows)
    except (*UNREADABLE, OSError) as error:
        raise unreadable("a table cannot be read", path, error, _TABLE) from error


def _open_batches(path: Path, batch_rows: int) -> Generator[Any]:
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield file.schema_arrow
            yield from file.iter_batches(batch_rows)
        return
    with open_packed(path) as (_, content):
        require_closed_quotes(content, str(path), ",")
    reading = pc.ReadOptions(block_size=_CSV_BLOCK)
    parsing = pc.ParseOptions(newlines_in_values=True)
    with pc.open_csv(path, reading, parsing, pc.ConvertOptions(check_utf8=False)) as file:
        schema = pa.schema([(name, pa.string()) for name in file.schema.names])
    yield schema
    # Cells of a csv file are copied as they are written, whatever type they look like.
    converting = pc.ConvertOptions(check_utf8=False, column_types=schema)
    with pc.open_csv(path, reading, parsing, converting) as file:
        for block in file:
            yield from (block.slice(start, batch_rows) for start in range(0, len(block), batch_rows))


def _check_columns(schema: pa.Schema, source: Path, column: str, added: pa.Schema) -> pa.Schema:
    if column not in schema.names:
        raise DataError(
            "a table has no such column",
            where=f"{source}: {column}",
            found=", ".join(schema.names),
            expected="the column of texts",
        )
    require_unique_columns(str(source), schema.names)
    kind = schema.field(column).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if kind not in _TEXT_TYPES:
        raise DataError(
            "a column holds no texts", where=f"{source}: {column}", found=str(kind), expected="a column of texts"
        )
    taken = sorted({*schema.names} & {*added.names})
    if taken:
        raise DataError(
            "a table already has columns of the names to be added",
            where=str(source),
            found=", ".join(taken),
            hint="rename them",
        )
    return schema


def decode(raw: bytes | None) -> MaybeText:
    """Decode UTF-8; bytes that are not UTF-8, and None, stay as they are."""
    try:
        return raw if raw is None else raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def _unwritable(path: Path, error: Exception) -> DataError:
    return DataError("a table cannot be written", where=str(path), found=str(error))
