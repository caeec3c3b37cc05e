"""Reviews of the user's own, in a csv or parquet file whose columns the settings name."""

import csv
import hashlib
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.titles import plain_name, split_title
from latentflix.errors import DataError, LatentflixError
from latentflix.reviews.sources.protocol import TCONST, Answer, Check, Film, Review

logger = logging.getLogger(__name__)

# How many rows a message names, and how much of a cell it shows.
_NAMED = 10
_SHOWN = 60
# What bytes become that are not of the encoding.
_UNDECODED = re.compile("[\udc80-\udcff]")


class FileConfig(StageConfig):
    """Which file, and how its columns are called. A film is named by its IMDb id, or by title and year."""

    path: Path | None = setting(None, "reviews of your own: a csv file, or a parquet file whose name ends in .parquet")
    text_column: str = setting("text", "the column of texts")
    tconst_column: str = setting("imdb_id", "the column of IMDb ids, as tt0116282")
    title_column: str = setting("title", "the column of titles, used where there is no IMDb id")
    year_column: str = setting("year", "the column of years of release, used where there is no IMDb id")
    id_column: str | None = setting(None, "the column of the reviews' own ids; without one their texts tell them apart")
    rating_column: str | None = setting(None, "the column of stars, 1 to 10, if there is one")
    author_column: str | None = setting(None, "the column of authors, if there is one")
    date_column: str | None = setting(None, "the column of dates, ISO 8601, if there is one")
    url_column: str | None = setting(None, "the column of addresses, if there is one")
    delimiter: str = setting(",", "what stands between the columns of a csv file; \\t is a tab")
    encoding: str = setting("utf-8-sig", "how a csv file is encoded")
    strict: bool = setting(False, "refuse the file if any of its rows cannot be used")
    attribution: str | None = setting(None, "the words that stand wherever one of the texts is shown")
    training_allowed: bool = setting(True, "whether models may learn from the texts")

    @property
    def columns(self) -> dict[str, str]:
        """The column of each part of a review."""
        columns = {
            "text": self.text_column,
            "tconst": self.tconst_column,
            "title": self.title_column,
            "year": self.year_column,
            "review_id": self.id_column,
            "rating": self.rating_column,
            "author": self.author_column,
            "written_at": self.date_column,
            "url": self.url_column,
        }
        return {part: column for part, column in columns.items() if column is not None}


class Row(BaseModel):
    """A row that can be used."""

    text: str
    tconst: str | None = Field(None, pattern=rf"^{TCONST.pattern}$")
    title: str | None = None
    year: int | None = Field(None, ge=1870, le=2200)
    review_id: str | None = None
    rating: float | None = Field(None, ge=1, le=10)
    author: str | None = None
    written_at: datetime | None = None
    url: str | None = None

    @field_validator("text")
    @classmethod
    def _check_text(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("there is no text")
        return text

    @field_validator("written_at")
    @classmethod
    def _in_utc(cls, time: datetime | None) -> datetime | None:
        if time is None:
            return None
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)

    @model_validator(mode="after")
    def _check_film(self) -> Self:
        if self.tconst is None and (self.title is None or self.year is None):
            raise ValueError("there is neither an IMDb id nor title and year")
        return self

    @property
    def source_review_id(self) -> str:
        """The review's own id, or one made of its film and text."""
        if self.review_id is not None:
            return self.review_id
        film = self.tconst or f"{self.title} {self.year}"
        return hashlib.sha256(f"{film}\0{self.text}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Rejected:
    """A row that cannot be used. line: in a csv file, the header's being 1; in a parquet file the row, from 1."""

    line: int
    reason: str


def read_rows(config: FileConfig) -> tuple[list[Row], list[Rejected]]:
    """The rows that can be used, and those that cannot.

    Raises DataError if the file cannot be read or lacks a column, DataError if a row cannot be used and the
    mode is strict.
    """
    rows: list[Row] = []
    rejected: list[Rejected] = []
    lines: dict[str, int] = {}
    for line, cells in _cells(config):
        try:
            if isinstance(cells, str):
                raise ValueError(cells)
            row = Row.model_validate(cells)
            if row.source_review_id in lines:
                raise ValueError(f"the same review stands in line {lines[row.source_review_id]:,}")
        except ValidationError as error:
            rejected.append(Rejected(line, _complaint(error, config)))
        except ValueError as error:
            rejected.append(Rejected(line, str(error)))
        else:
            lines[row.source_review_id] = line
            rows.append(row)
    if rejected and config.strict:
        raise DataError(
            "the file has rows that cannot be used",
            where=str(config.path),
            found=describe(rejected),
            hint="mend these rows, or take the others alone without strict",
        )
    if rejected:
        logger.warning("%s: %s", config.path, describe(rejected))
    return rows, rejected


def describe(rejected: Sequence[Rejected]) -> str:
    """How many rows cannot be used, and the first of them."""
    named = "; ".join(f"line {row.line:,}: {row.reason}" for row in rejected[:_NAMED])
    more = f"; and {len(rejected) - _NAMED:,} more" if len(rejected) > _NAMED else ""
    return f"{len(rejected):,} rows cannot be used: {named}{more}"


def _complaint(error: ValidationError, config: FileConfig) -> str:
    first = error.errors(include_url=False)[0]
    what = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return what
    return f"{config.columns[str(first['loc'][0])]}: {what}, found {str(first['input'])[:_SHOWN]!r}"


def _cells(config: FileConfig) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The line and the cells of each row, by the part of a review that they are; or why there are none."""
    if config.path is None:
        raise DataError("no file of reviews is named", hint="name it with --sources.file.path")
    try:
        yield from (
            _parquet_cells(config.path, config) if config.path.suffix == ".parquet" else _csv_cells(config.path, config)
        )
    except (OSError, LookupError, UnicodeError, csv.Error, pa.ArrowException) as error:
        raise DataError(
            "a file of reviews cannot be read",
            where=str(config.path),
            found=str(error).partition("\n")[0] or type(error).__name__,
            expected="a csv file of the encoding that is set, or a parquet file whose name ends in .parquet",
        ) from error


def _csv_cells(path: Path, config: FileConfig) -> Iterator[tuple[int, dict[str, Any] | str]]:
    delimiter = config.delimiter.replace("\\t", "\t")
    with path.open(encoding=config.encoding, errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = next(reader, [])
        parts = _parts(header, config)
        while True:
            # A row may go over several lines; it is named by its first.
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, str(error)
                continue
            if not row:
                continue
            if len(row) != len(header):
                yield line, f"{len(row)} columns, expected {len(header)}"
            elif any(_UNDECODED.search(cell) for cell in row):
                yield line, f"the row is not {config.encoding}"
            else:
                yield line, {part: row[place] or None for part, place in parts.items()}


def _parquet_cells(path: Path, config: FileConfig) -> Iterator[tuple[int, dict[str, Any] | str]]:
    table = pq.read_table(path)
    parts = _parts(table.column_names, config)
    columns = {part: table.column(place).to_pylist() for part, place in parts.items()}
    for place in range(table.num_rows):
        yield place + 1, {part: cells[place] for part, cells in columns.items()}


def _parts(header: Sequence[str], config: FileConfig) -> dict[str, int]:
    """Where the parts of a review stand."""
    parts = {part: header.index(column) for part, column in config.columns.items() if column in header}
    # The columns of the film stand in for each other; the others are needed if they are named.
    needed = config.columns.keys() - {"tconst", "title", "year"}
    film = parts.keys() & {"tconst", "title", "year"}
    missing = [config.columns[part] for part in config.columns if part in needed - parts.keys()]
    if "tconst" not in film and film != {"title", "year"}:
        missing.append(f"{config.tconst_column}, or {config.title_column} and {config.year_column}")
    if missing:
        raise DataError(
            "a file of reviews lacks columns",
            where=str(config.path),
            found=", ".join(column[:_SHOWN] for column in header[:_NAMED]) or "no columns",
            expected="; ".join(missing),
            hint="name the columns with --sources.file.text-column and the like, and what stands between them with "
            "--sources.file.delimiter",
        )
    return parts


FilmKey = str | tuple[str, int | None]


class FileSource:
    """Answers from the user's file, without any network."""

    name = "file"

    def __init__(self, config: FileConfig) -> None:
        """Read the file when it is first needed."""
        self._config = config

    @cached_property
    def _read(self) -> tuple[dict[FilmKey, list[Row]], tuple[Rejected, ...]]:
        rows, rejected = read_rows(self._config)
        films: dict[FilmKey, list[Row]] = defaultdict(list)
        for row in rows:
            films[row.tconst or (plain_name(row.title or ""), row.year)].append(row)
        return films, tuple(rejected)

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The rows that cannot be used. Raises what `read_rows` raises."""
        return self._read[1]

    def check(self) -> Check:
        """It works where at least one row can be used, in strict mode only where all can."""
        try:
            films, rejected = self._read
        except LatentflixError as error:
            return Check(False, str(error))
        return Check(bool(films), describe(rejected) if rejected else "" if films else "the file has no rows")

    def fetch(self, film: Film, since: datetime | None, limit: int) -> Answer:
        """The film's reviews, newest first; those without a date last, and whatever `since` is."""
        if film.tconst is None:
            return Answer("not_covered", reason="the film's IMDb id is not known")
        films, _ = self._read
        rows = [row for key in (film.tconst, *_title_keys(film)) for row in films.get(key, ())]
        if not rows:
            return Answer("not_covered", reason="the file has no review of the film")
        first = datetime.min.replace(tzinfo=UTC)
        rows.sort(key=lambda row: row.written_at or first, reverse=True)
        new = [row for row in rows if since is None or row.written_at is None or row.written_at > since]
        return Answer("ok", tuple(self._review(film.tconst, row) for row in new[:limit]))

    def _review(self, tconst: str, row: Row) -> Review:
        return Review(
            tconst=tconst,
            source=self.name,
            source_review_id=row.source_review_id,
            text=row.text,
            rating=row.rating,
            author=row.author,
            written_at=row.written_at,
            url=row.url,
            attribution=self._config.attribution,
            training_allowed=self._config.training_allowed,
        )


def _title_keys(film: Film) -> list[FilmKey]:
    """The names that a title holds, each with the year that is given or else in the title."""
    names, year = split_title(film.title)
    return [(name, film.year or year) for name in dict.fromkeys(map(plain_name, names))]
