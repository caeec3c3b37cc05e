"""The user's own reviews, in a csv or parquet file whose columns the settings name."""

import hashlib
import logging
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.csv_records import Delimiter, Record, read_records, require_unique_columns, split_by
from latentflix.data.dates import spell_date
from latentflix.data.files import UNREADABLE, unreadable
from latentflix.data.titles import plain_name, split_title
from latentflix.errors import DataError
from latentflix.reviews.sources.protocol import TCONST, Answer, Availability, Film, Review, newest_first

logger = logging.getLogger(__name__)

# Rows named in a message, and characters shown of a cell.
_MAX_NAMED = 10
_MAX_CELL = 60
_FIRST_YEAR, _LAST_YEAR = 1870, 2200
# "surrogateescape" turns bytes that are not of the encoding into these.
_UNDECODED = re.compile("[\udc80-\udcff]")


class FileConfig(StageConfig):
    """Which file, and how its columns are called. A film is identified by its IMDb id, or by title and year."""

    path: Path | None = setting(None, "your own reviews: a csv file, or a parquet file whose name ends in .parquet")
    text_column: str = setting("text", "column of texts")
    tconst_column: str = setting("imdb_id", "column of IMDb ids, as tt0116282")
    item_column: str | None = setting(
        None, "column of the ids that the items' own source gives them, instead of IMDb ids"
    )
    title_column: str = setting("title", "column of titles, used where there is no IMDb id")
    year_column: str = setting("year", "column of years of release, used where there is no IMDb id")
    id_column: str | None = setting(
        None, "column of the reviews' own ids; without one, film and text identify a review"
    )
    rating_column: str | None = setting(None, "column of stars, 1 to 10, if there is one")
    author_column: str | None = setting(None, "column of authors, if there is one")
    date_column: str | None = setting(None, "column of dates, ISO 8601, if there is one")
    url_column: str | None = setting(None, "column of addresses, if there is one")
    delimiter: Delimiter = setting(",", "delimiter of a csv file; \\t is a tab")
    encoding: str = setting("utf-8-sig", "encoding of a csv file")
    strict: bool = setting(False, "refuse the file if any of its rows cannot be used")
    attribution: str | None = setting(None, "attribution shown with each of the texts")
    training_allowed: bool = setting(True, "whether models may learn from the texts")

    @property
    def columns(self) -> dict[str, str]:
        """The column of each field of `Row`, of those that have one."""
        return {
            name.removesuffix("_column"): column
            for name, column in self
            if name.endswith("_column") and column is not None
        }


class Row(BaseModel):
    """A usable row."""

    text: str
    item: str | None = None
    tconst: str | None = Field(None, pattern=rf"^{TCONST.pattern}$")
    title: str | None = None
    year: int | None = Field(None, ge=_FIRST_YEAR, le=_LAST_YEAR)
    id: str | None = None
    rating: float | None = Field(None, ge=1, le=10)
    author: str | None = None
    written_at: datetime | None = Field(None, validation_alias="date")
    url: str | None = None

    @field_validator("item", "title", "id", "author", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """In a parquet file, ids and names may be numbers."""
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return value
        if math.isnan(value):
            return None
        return str(int(value) if value % 1 == 0 else value)

    @field_validator("text")
    @classmethod
    def _check_text(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("there is no text")
        return text

    @field_validator("written_at", mode="before")
    @classmethod
    def _spell_date(cls, value: Any) -> Any:
        return spell_date(value)

    @field_validator("written_at")
    @classmethod
    def _in_utc(cls, time: datetime | None) -> datetime | None:
        if time is None:
            return None
        if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
            raise ValueError(f"the year is not from {_FIRST_YEAR} to {_LAST_YEAR}")
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)

    @model_validator(mode="after")
    def _check_film(self) -> Self:
        if self.item is None and self.tconst is None and (self.title is None or self.year is None):
            raise ValueError("there is neither an id nor title and year")
        return self

    @property
    def source_review_id(self) -> str:
        """The review's own id, else a hash of its film and text."""
        if self.id is not None:
            return self.id
        film = self.item or self.tconst or f"{self.title} {self.year}"
        return hashlib.sha256(f"{film}\0{self.text}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Rejected:
    """A row that cannot be used: its first and last line in a csv file, or its number, from 1, in a parquet file."""

    line: int
    last_line: int
    reason: str

    def __str__(self) -> str:
        """Where it is, and why it cannot be used."""
        where = f"line {self.line:,}" if self.line == self.last_line else f"lines {self.line:,} to {self.last_line:,}"
        return f"{where}: {self.reason}"


def read_rows(config: FileConfig) -> tuple[list[Row], list[Rejected]]:
    """Read the usable rows and the others. Raises DataError if the file, or in strict mode a row, cannot be used."""
    rows: list[Row] = []
    rejected: list[Rejected] = []
    lines: dict[str, int] = {}
    for line, last_line, cells in _cells(config):
        try:
            if isinstance(cells, str):
                raise ValueError(cells)
            row = Row.model_validate(cells)
            if row.source_review_id in lines:
                raise ValueError(f"the same review is in line {lines[row.source_review_id]:,}")
        except ValueError as error:
            rejected.append(Rejected(line, last_line, _reason(error, config)))
        else:
            lines[row.source_review_id] = line
            rows.append(row)
    if rejected:
        found = describe(rejected)
        if config.strict:
            hint = "correct these rows, or use only the others by leaving out --sources.file.strict"
            raise DataError("the file has rows that cannot be used", where=str(config.path), found=found, hint=hint)
        logger.warning("%s: %s", config.path, found)
    return rows, rejected


def describe(rejected: Sequence[Rejected]) -> str:
    """Count the rows that cannot be used, and name the first of them."""
    named = "; ".join(map(str, rejected[:_MAX_NAMED]))
    more = f"; and {len(rejected) - _MAX_NAMED:,} more" if len(rejected) > _MAX_NAMED else ""
    return f"{len(rejected):,} rows cannot be used: {named}{more}"


def _reason(error: ValueError, config: FileConfig) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    what = first["msg"].removeprefix("Value error, ")
    column = f"{config.columns[str(first['loc'][0])]}: " if first["loc"] else ""
    return f"{column}{what}, found {str(first['input'])[:_MAX_CELL]!r}" if column else what


# The first and last line of a row, and its cells by field of `Row`, or the reason why it has none.
_Cells = tuple[int, int, dict[str, Any] | str]


def _cells(config: FileConfig) -> Iterator[_Cells]:
    if config.path is None:
        raise DataError("no file of reviews is named", hint="name it with --sources.file.path")
    read = _parquet_cells if config.path.suffix == ".parquet" else _csv_cells
    try:
        yield from read(config.path, config)
    except (*UNREADABLE, OSError) as error:
        expected = f"a csv file encoded in {config.encoding}, or a parquet file whose name ends in .parquet"
        raise unreadable("a file of reviews cannot be read", config.path, error, expected) from error


def _csv_cells(path: Path, config: FileConfig) -> Iterator[_Cells]:
    with path.open(encoding=config.encoding, errors="surrogateescape", newline="") as file:
        records = read_records(file, split_by(config.delimiter))
        header = next(records, Record(1, 1, []))
        if header.fault:
            raise ValueError(header.fault)
        places = _places(header.cells, config)
        for record in records:
            if record.fault:
                # Reading went on with the next line.
                yield record.first, record.first, record.fault
            elif len(record.cells) != len(header.cells) and record.cells:
                reason = f"{len(record.cells)} columns, expected {len(header.cells)}"
                yield record.first, record.last, reason
            elif any(_UNDECODED.search(cell) for cell in record.cells):
                yield record.first, record.last, f"the row is not {config.encoding}"
            elif record.cells:
                cells = {name: record.cells[place] or None for name, place in places.items()}
                yield record.first, record.last, cells


def _parquet_cells(path: Path, config: FileConfig) -> Iterator[_Cells]:
    table = pq.read_table(path)
    places = _places(table.column_names, config)
    rows = table.select(list(places.values())).rename_columns(list(places)).to_pylist()
    yield from ((number, number, cells) for number, cells in enumerate(rows, start=1))


def _places(header: Sequence[str], config: FileConfig) -> dict[str, int]:
    """Find the place of each field's column in the header."""
    require_unique_columns(str(config.path), map(_printable, header))
    places = {name: header.index(column) for name, column in config.columns.items() if column in header}
    # An IMDb id may replace title and year, and the reverse; every other column that is set must be there.
    film = {"tconst", "title", "year"}
    missing = [column for name, column in config.columns.items() if name not in places.keys() | film]
    if not {"tconst", "item"} & places.keys() and not {"title", "year"} <= places.keys():
        missing.append(f"{config.tconst_column}, or {config.title_column} and {config.year_column}")
    if missing:
        raise DataError(
            "a file of reviews lacks columns",
            where=str(config.path),
            found=", ".join(_printable(column[:_MAX_CELL]) for column in header[:_MAX_NAMED]) or "no columns",
            expected="; ".join(missing),
            hint="set the names of the columns, as --sources.file.text-column, and --sources.file.delimiter",
        )
    return places


def _printable(name: str) -> str:
    """The name of a column, which may be of another encoding than the file should be."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


FilmKey = str | tuple[str, int | None]


class FileSource:
    """Answers from the user's file, without network access."""

    name = "file"
    local = True

    def __init__(self, config: FileConfig) -> None:
        self._config = config

    @cached_property
    def _contents(self) -> tuple[dict[FilmKey, list[Row]], list[Rejected]]:
        rows, rejected = read_rows(self._config)
        films: dict[FilmKey, list[Row]] = defaultdict(list)
        for row in rows:
            films[row.item or row.tconst or (plain_name(row.title or ""), row.year)].append(row)
        return films, rejected

    @property
    def rejected(self) -> list[Rejected]:
        """The rows that cannot be used. Raises what `read_rows` raises."""
        return self._contents[1]

    def availability(self) -> Availability:
        """Available if at least one row can be used; in strict mode, if all can."""
        try:
            films, rejected = self._contents
        except DataError as error:
            return Availability(False, str(error))
        return Availability(bool(films), describe(rejected) if rejected else "" if films else "the file has no rows")

    def fetch(self, film: Film, _marker: str) -> Answer:
        """Fetch all reviews of the film, newest first; those without a date come last."""
        tconst = film.tconst or film.imdb_id
        films, _ = self._contents
        names, year = split_title(film.title)
        by_title = ((name, film.year or year) for name in dict.fromkeys(map(plain_name, names)))
        keys: list[FilmKey] = [tconst, *by_title]
        rows = [row for key in keys for row in films.get(key, ())]
        if not rows:
            return Answer("not_covered", reason="the file has no review of the film")
        return Answer("ok", newest_first(self._review(tconst, row) for row in rows))

    def _review(self, tconst: str, row: Row) -> Review:
        cells = row.model_dump(include={"text", "rating", "author", "written_at", "url"})
        licence = self._config.model_dump(include={"attribution", "training_allowed"})
        return Review(tconst=tconst, source=self.name, source_review_id=row.source_review_id, **cells, **licence)
