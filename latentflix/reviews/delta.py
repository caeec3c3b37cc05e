"""Delta tables whose errors are explained in one line."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import disk_usage
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Schema, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from latentflix.errors import LatentflixError, StoreConflict, StoreError

# Small row groups, so that a few films are read without their neighbours.
LAYOUT = WriterProperties(compression="LZ4", max_row_group_size=1024)
# Writers of other rows do not conflict: the commit is only tried again after theirs.
COMMIT = CommitProperties(max_commit_retries=30)
# Free bytes without which no table is written: more than a batch takes, with the files that it rewrites. deltalake may
# wait forever for a writer of its own that found the disk full.
MIN_FREE = 256 * 2**20

Result = TypeVar("Result")


@dataclass(frozen=True)
class Table:
    """A Delta table in a folder, or at an address such as s3://bucket/folder.

    A table of an earlier release may lack the columns `added`; it gets them with the first rows that are appended.
    deltalake reads `storage_options` that are missing from the environment, as AWS_ENDPOINT_URL.
    """

    uri: str
    schema: pa.Schema
    partition_by: tuple[str, ...] = ()
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    added: tuple[str, ...] = ()

    def open(self, version: int | None = None) -> DeltaTable:
        """Open the newest version, or an older one. A table that does not exist is created.

        Raises StoreError if the table cannot be read, has other columns, or never had such a version.
        """
        options = dict(self.storage_options)
        with read_errors(self.uri):
            try:
                table = DeltaTable(self.uri, storage_options=options)
            except TableNotFoundError:
                if version is not None:
                    raise
                columns = list(self.partition_by)
                table = DeltaTable.create(self.uri, self.schema, "ignore", columns, storage_options=options)
        self._check_schema(table)
        if version is None:
            return table
        newest = table.version()
        if not 0 <= version <= newest:
            raise StoreError(
                "a table has no such version",
                where=self.uri,
                found=f"version {version}",
                expected=f"0 to {newest}",
                hint="name one of these, or none for the newest",
            )
        with read_errors(self.uri):
            table.load_as_version(version)
        return table

    def exists(self) -> bool:
        """Whether the table was ever created."""
        with read_errors(self.uri):
            return DeltaTable.is_deltatable(self.uri, dict(self.storage_options))

    def with_newest(self, action: Callable[[DeltaTable], Result]) -> Result:
        """Return what an action makes of the newest version, which it reads or changes.

        If the action raises StoreError, and the table has a newer version meanwhile, whose writer may have replaced and
        removed files that the action was reading, it is repeated with that one.
        """
        table = self.open()
        while True:
            try:
                return action(table)
            except StoreConflict:
                raise
            except StoreError:
                newest = self.open()
                if newest.version() == table.version():
                    raise
                table = newest

    def append(self, rows: pa.Table) -> None:
        """Add rows. Raises StoreError or StoreConflict."""
        with write_errors(self.uri):
            write_deltalake(self.open(), rows, mode="append", schema_mode="merge", commit_properties=COMMIT)

    def _check_schema(self, table: DeltaTable) -> None:
        # Delta has one type of string where arrow has two, so Delta's schemas are compared.
        schemas = table.schema(), Schema.from_arrow(self.schema)
        found, expected = ({each.name: str(each.type) for each in schema.fields} for schema in schemas)
        expected = {name: each for name, each in expected.items() if name in found or name not in self.added}
        names = sorted(name for name in found | expected if found.get(name) != expected.get(name))
        if names:
            raise StoreError(
                "a table has other columns",
                where=self.uri,
                found="; ".join(f"{name}: {found.get(name, 'missing')}" for name in names),
                expected="; ".join(f"{name}: {expected.get(name, 'missing')}" for name in names),
                hint="name another folder; this one was written by another program or another release",
            )


def select(table: DeltaTable, columns: Sequence[str], condition: str = "true") -> pa.Table:
    """Read columns of the rows for which an SQL condition holds, in no order. Raises StoreError."""
    statement = f"SELECT {', '.join(columns)} FROM rows WHERE {condition}"  # noqa: S608 - all values are quoted
    with read_errors(table.table_uri):
        return pa.table(QueryBuilder().register("rows", table).execute(statement).read_all())


def one_of(column: str, values: Iterable[str]) -> str:
    """Make the SQL condition that a column of strings holds one of the values, of which there is at least one."""
    quoted = ("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({', '.join(quoted)})"


@contextmanager
def read_errors(uri: str) -> Iterator[None]:
    """Raise StoreError for whatever fails in reading a table."""
    try:
        yield
    except Exception as error:
        # DataFusion raises a plain Exception.
        raise StoreError(
            "a table cannot be read",
            where=uri,
            found=_first_line(error),
            expected="a Delta table with all its files",
            hint="put the missing files back, read an earlier version, or start a new store in another folder",
        ) from error


@contextmanager
def write_errors(uri: str) -> Iterator[None]:
    """Raise StoreConflict if another writer changed the same rows, and StoreError for whatever else fails.

    Nothing is tried on a disk that is nearly full.
    """
    _require_space(uri)
    try:
        yield
    except CommitFailedError as error:
        raise StoreConflict("another writer changed the same films", where=uri, found=_first_line(error)) from error
    except LatentflixError:
        raise
    except Exception as error:
        raise StoreError("a table cannot be written", where=uri, found=_first_line(error)) from error


def _require_space(uri: str) -> None:
    address = urlsplit(uri)
    if address.scheme not in ("", "file"):
        return
    folder = Path(unquote(address.path) if address.scheme else uri).absolute()
    free = disk_usage(next(parent for parent in (folder, *folder.parents) if parent.exists())).free
    if free < MIN_FREE:
        raise StoreError(
            "a table cannot be written, because its disk is nearly full",
            where=uri,
            found=f"{free // 2**20:,} MiB free",
            expected=f"at least {MIN_FREE / 2**20:,.0f}",
            hint="free some space; what is stored stays as it is",
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
