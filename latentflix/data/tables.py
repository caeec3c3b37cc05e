"""Tables of the user's own, csv or parquet: read and written whole, or a batch of rows at a time."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from latentflix.errors import DataError

# A row has to fit into it.
_CSV_BLOCK = 2**26
# A text; bytes where it is not UTF-8; None where there is none.
MaybeText = str | bytes | None


def read_file(path: Path) -> pd.DataFrame:
    """The table in a csv or parquet file, told by its name. Raises DataError if it cannot be read."""
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def write_file(table: pd.DataFrame, path: Path) -> None:
    """Write a table as csv or parquet, as the file's name says. Raises DataError if it cannot be written."""
    try:
        if path.suffix == ".parquet":
            table.to_parquet(path, index=False)
        else:
            table.to_csv(path, index=False)
    except OSError as error:
        raise _unwritable(path, error) from error


def extend_file(
    source: Path,
    target: Path,
    column: str,
    tell: Callable[[Sequence[MaybeText]], pd.DataFrame],
    batch_rows: int = 2048,
) -> int:
    """Write the table in `source` to `target` with columns more, of which `tell` says what stands in them.

    Both are csv or parquet. Rows are read, told and written a batch at a time, so a table may be larger than memory;
    `target` appears when all is written. column: that of the texts. tell: from texts to one row each, in their order,
    always with the same columns. The other columns stay as they are; of a csv file all are texts. Returns the number
    of rows. Raises DataError if a file cannot be read or written, lacks the column, or has one that would be added.
    """
    added = pa.Schema.from_pandas(tell([]), preserve_index=False).remove_metadata()
    rows = 0
    try:
        with closing(_open(source, batch_rows)) as batches, _complete(target) as partial:
            schema = _check_columns(next(batches), source, column, added)
            whole = pa.schema([*schema, *added], schema.metadata)
            write = pq.ParquetWriter if target.suffix == ".parquet" else pc.CSVWriter
            with write(partial, whole) as file:
                for batch in tqdm(batches, "rows", unit="batch", leave=False, disable=None):
                    told = pa.RecordBatch.from_pandas(tell(_texts(batch[column])), added, preserve_index=False)
                    file.write_batch(pa.RecordBatch.from_arrays([*batch.columns, *told.columns], schema=whole))
                    rows += len(batch)
    except (pa.ArrowException, EOFError) as error:
        raise _unreadable(source, error) from error
    except OSError as error:
        raise (_unwritable(target, error) if source.is_file() else _unreadable(source, error)) from error
    return rows


def _open(path: Path, batch_rows: int) -> Generator[Any]:
    """The schema of the file, then its rows in batches."""
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield file.schema_arrow
            yield from file.iter_batches(batch_rows)
        return
    reading = pc.ReadOptions(block_size=_CSV_BLOCK)
    parsing = pc.ParseOptions(newlines_in_values=True)
    with pc.open_csv(path, reading, parsing, pc.ConvertOptions(check_utf8=False)) as file:
        schema = pa.schema([(name, pa.string()) for name in file.schema.names])
    yield schema
    # What a column of a csv file means is not asked: its cells are kept as they are written.
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
    kind = schema.field(column).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    if not any(matches(kind) for matches in (*kinds, pa.types.is_binary, pa.types.is_large_binary)):
        raise DataError(
            "a column holds no texts", where=f"{source}: {column}", found=str(kind), expected="a column of texts"
        )
    taken = sorted({*schema.names} & {*added.names})
    if taken:
        raise DataError(
            "a table has columns of the names of those to be added",
            where=str(source),
            found=", ".join(taken),
            hint="rename them",
        )
    return schema


def _texts(column: pa.Array) -> list[MaybeText]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    # As bytes, for one text that is not UTF-8 would else hinder all.
    return [decode(raw) for raw in column.cast(pa.large_binary()).to_pylist()]


def decode(raw: bytes | None) -> MaybeText:
    """The text that UTF-8 bytes stand for, the bytes if they stand for none."""
    try:
        return raw if raw is None else raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


@contextmanager
def _complete(target: Path) -> Iterator[Path]:
    """A path to write to: what is there stands at `target` if the body ends well, and nowhere if it does not."""
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        "a table cannot be read",
        where=str(path),
        found=str(error).splitlines()[0],
        expected="a csv file, or a parquet file whose name ends in .parquet",
    )


def _unwritable(path: Path, error: Exception) -> DataError:
    return DataError("a table cannot be written", where=str(path), found=str(error))
