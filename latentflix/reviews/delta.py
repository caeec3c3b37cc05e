"""Delta tables, opened so that whatever is wrong with one is said in a line.

Source: https://delta-io.github.io/delta-rs/
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Schema, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from latentflix.errors import LatentflixError, StoreConflict, StoreError

# Small groups of rows, so that a few films are read without their neighbours.
LAYOUT = WriterProperties(compression="LZ4", max_row_group_size=1024)
# What another writer did meanwhile elsewhere in the table stops nobody; the log is then only written to again.
COMMIT = CommitProperties(max_commit_retries=30)


@dataclass(frozen=True)
class Table:
    """A Delta table. uri: a folder, or what `storage_options` reach, as s3://bucket/folder.

    storage_options: as deltalake takes them; what they leave out is read from the environment, as AWS_ENDPOINT_URL.
    """

    uri: str
    schema: pa.Schema
    partition_by: tuple[str, ...] = ()
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def open(self, version: int | None = None) -> DeltaTable:
        """The table as it is, made if it is not there, or as it was at a version.

        Raises StoreError if the table cannot be read, is another table, or never had such a version.
        """
        options = dict(self.storage_options)
        with readable(self.uri):
            try:
                table = DeltaTable(self.uri, storage_options=options)
            except TableNotFoundError:
                if version is not None:
                    raise
                table = DeltaTable.create(
                    self.uri, self.schema, "ignore", list(self.partition_by), storage_options=options
                )
        self._check_schema(table)
        newest = table.version()
        if version is not None and not 0 <= version <= newest:
            raise StoreError(
                "a table has no such version",
                where=self.uri,
                found=f"version {version}",
                expected=f"0 to {newest}",
                hint="name one of these, or none for the newest",
            )
        if version is not None:
            with readable(self.uri):
                table.load_as_version(version)
        return table

    def exists(self) -> bool:
        """Whether anything was ever written here."""
        with readable(self.uri):
            return DeltaTable.is_deltatable(self.uri, dict(self.storage_options))

    def append(self, rows: pa.Table) -> None:
        """Add rows. Raises StoreError as `open` does, StoreConflict as `committed` does."""
        with committed(self.uri):
            write_deltalake(self.open(), rows, mode="append", commit_properties=COMMIT)

    def _check_schema(self, table: DeltaTable) -> None:
        # The arrow schema says large strings where Delta knows but one kind of string.
        found, expected = (
            {f.name: str(f.type) for f in each.fields} for each in (table.schema(), self._delta_schema())
        )
        if found != expected:
            names = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
            raise StoreError(
                "a table has other columns",
                where=self.uri,
                found="; ".join(f"{name}: {found.get(name, 'not there')}" for name in names),
                expected="; ".join(f"{name}: {expected.get(name, 'not there')}" for name in names),
                hint="name another folder; this one was written by something else or another release",
            )

    def _delta_schema(self) -> Schema:
        return Schema.from_arrow(self.schema)


def select(table: DeltaTable, columns: Sequence[str], condition: str = "true") -> pa.Table:
    """Columns of the rows for which an SQL condition holds, in no order. Raises StoreError if a file cannot be read."""
    statement = f"SELECT {', '.join(columns)} FROM rows WHERE {condition}"  # noqa: S608 - all values are quoted
    with readable(table.table_uri):
        return pa.table(QueryBuilder().register("rows", table).execute(statement).read_all())


def one_of(column: str, values: Iterable[str]) -> str:
    """The SQL condition that a column of text holds one of the values, of which there is at least one."""
    quoted = ("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({', '.join(quoted)})"


@contextmanager
def readable(uri: str) -> Iterator[None]:
    """Say in one line that a table cannot be read."""
    try:
        yield
    except Exception as error:
        # What fails below DataFusion is raised as a plain Exception.
        raise StoreError(
            "a table cannot be read",
            where=uri,
            found=_first_line(error),
            expected="a Delta table with all its files",
            hint="put the missing files back, read an earlier version, or start a new store in another folder",
        ) from error


@contextmanager
def committed(uri: str) -> Iterator[None]:
    """Say in one line that a write was refused. Raises StoreConflict if another writer changed the same rows."""
    try:
        yield
    except CommitFailedError as error:
        raise StoreConflict("another writer changed the same films", where=uri, found=_first_line(error)) from error
    except LatentflixError:
        raise
    except Exception as error:
        raise StoreError("a table cannot be written", where=uri, found=_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
