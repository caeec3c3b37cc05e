"""Records of csv files and the lines that they span: an unclosed quote costs one line, not the rest of the file."""

import csv
import io
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Annotated, cast

import pandas as pd
from pydantic import AfterValidator

from latentflix.errors import DataError

# A record of more lines has most likely lost its closing quote; csv itself allows a field 131,072 characters.
MAX_LINES = 1_000
_OPEN = "unexpected end of data"
_MAX_NAME = 60


@dataclass(frozen=True)
class Record:
    """A record of a csv file.

    Attributes:
        first: its first line, from 1.
        last: its last line; of a record with a fault, the line in which that shows.
        cells: none in a blank line, or if there is a fault.
        fault: why it cannot be read, if it cannot.
    """

    first: int
    last: int
    cells: list[str]
    fault: str = ""


class _Lines(Iterator[str]):
    """Lines that can be read again from the start of the current record.

    Attributes:
        first: the line that the record begins with, from 1.
        taken: its lines so far.
        limit: how many it may have.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._rest = iter(lines)
        self._again: deque[str] = deque()
        self.first = 1
        self.taken: list[str] = []
        self.limit = MAX_LINES

    def __next__(self) -> str:
        if len(self.taken) == self.limit:
            raise StopIteration
        line = self._again.popleft() if self._again else next(self._rest)
        self.taken.append(line)
        return line

    def move_on(self, lines: int) -> None:
        """Start the next record after the first `lines` lines of this one."""
        self._again.extendleft(reversed(self.taken[lines:]))
        self.taken.clear()
        self.first += lines


def read_records(lines: Iterable[str], delimiter: str) -> Iterator[Record]:
    """Read the records of a csv file, as RFC 4180 writes them.

    One that cannot be read costs its first line alone: reading goes on with the next one. No line is part of more than
    three attempts, so the time is linear in the lines.
    """
    source = _Lines(lines)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    # Up to this line, a record that does not end with its first line fails where an earlier one did.
    fails_at = 0
    while True:
        source.limit = MAX_LINES if source.first >= fails_at else 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = source.first + len(source.taken) - 1
            is_open = str(error) == _OPEN
            fails_at = max(last, fails_at)
            last = fails_at if is_open else last
            fault = "a quote is not closed" if is_open else str(error)
            more = f": a quote opens a text in this line that goes on to line {last:,}" if last > source.first else ""
            yield Record(source.first, last, [], fault + more)
            source.move_on(1)
        else:
            taken = len(source.taken)
            yield Record(source.first, source.first + taken - 1, cells)
            source.move_on(taken)


def read_csv(file: IO[bytes], where: str, delimiter: str = ",", **options: object) -> pd.DataFrame:
    """Read a csv file with pandas, once its quotes and the names of its columns are known to be in order.

    pandas takes all rows up to the next quote as one cell if a quote is not closed.

    Args:
        file: at its start, and with random access.
        where: what errors call it.
        delimiter: a character.
        options: of `pandas.read_csv`.

    Raises:
        DataError: a quote is not closed, or two columns have the same name. It also raises what pandas raises.
    """
    require_closed_quotes(file, where, delimiter)
    require_unique_columns(where, filter(None, read_header(file, delimiter)))
    return pd.read_csv(file, sep=delimiter, **options)


def read_header(file: IO[bytes], delimiter: str) -> list[str]:
    """Read the names of the columns of a csv file, and go back to its start. Raises ValueError or csv.Error if none."""
    text = _open_text(file)
    header = next((cells for cells in csv.reader(text, delimiter=delimiter) if cells), None)
    if header is None:
        raise ValueError("the file is empty")
    _close_text(text)
    return header


def require_unique_columns(where: str, names: Iterable[str]) -> None:
    """Raise DataError if two columns have the same name."""
    repeated = [name[:_MAX_NAME] for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            "two columns have the same name",
            where=where,
            found=", ".join(repeated[:10]),
            expected="a name of its own for each column",
            hint="rename them",
        )


def require_closed_quotes(file: IO[bytes], where: str, delimiter: str) -> None:
    """Raise DataError, naming the line, if a quote in a csv file is not closed; else go back to its start."""
    has_quotes = any(b'"' in chunk for chunk in iter(lambda: file.read(2**20), b""))
    file.seek(0)
    if not has_quotes:
        return
    text = _open_text(file)
    source = _Lines(text)
    # Like pandas, it accepts quotes within a cell.
    reader = csv.reader(source, delimiter=delimiter)
    while True:
        try:
            next(reader)
            fault = _strict_fault(source.taken, delimiter) if len(source.taken) > 1 else ""
        except StopIteration:
            break
        except csv.Error as error:
            # A cell may have any length unless its quote is still open at the end of the line.
            fault = str(error) if sum(line.count('"') for line in source.taken) % 2 else ""
        if fault:
            raise DataError(
                "a quote is not closed",
                where=f"{where}, line {source.first:,}",
                found=f"a record that goes on to line {source.first + len(source.taken) - 1:,}: {fault}",
                expected=f"a record of at most {MAX_LINES:,} lines and cells of at most 131,072 characters, in which a "
                "cell with a quote in it is in quotes, its own quotes doubled",
                hint="correct this line; longer texts can be in a parquet file",
            )
        source.move_on(len(source.taken))
    _close_text(text)


def _strict_fault(lines: list[str], delimiter: str) -> str:
    try:
        next(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return str(error)
    return ""


def _open_text(file: IO[bytes]) -> io.TextIOWrapper:
    # Names of columns are shown in errors, which have to be printable.
    return io.TextIOWrapper(file, "utf-8-sig", errors="backslashreplace", newline="")


def _close_text(text: io.TextIOWrapper) -> None:
    """Leave the file open, at its start."""
    file = text.detach()
    cast("IO[bytes]", file).seek(0)


def split_by(delimiter: str) -> str:
    r"""The delimiter that a setting names, in which \t is a tab."""
    return delimiter.replace("\\t", "\t")


def _check_delimiter(delimiter: str) -> str:
    if len(split_by(delimiter)) != 1 or split_by(delimiter) in '\r\n"\0':
        raise ValueError(r"a delimiter is one character, or \t for a tab, but neither a quote nor the end of a line")
    return delimiter


Delimiter = Annotated[str, AfterValidator(_check_delimiter)]
