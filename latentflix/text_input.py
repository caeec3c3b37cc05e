"""Texts that a command is given: one as an argument, one a line, or a column of a table."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentflix.errors import InvalidReviews

if TYPE_CHECKING:
    from latentflix.tables import MaybeText

# Texts that are told at once; what comes from a pipe is answered when so many are there.
AT_ONCE = 256
TABLES = (".csv", ".parquet")

Text = Annotated[str | None, typer.Argument(help="a review; - or nothing reads one a line from standard input")]
Source = Annotated[Path | None, typer.Option("--from", help="a csv or parquet file, or a text with a review a line")]
Target = Annotated[Path | None, typer.Option("--to", help="the csv or parquet file to write")]
TextColumn = Annotated[str, typer.Option(help="the column of reviews in a csv or parquet file")]


def check_input(text: str | None, source: Path | None, target: Path | None) -> None:
    """Raise InvalidReviews if texts are given twice or not at all, or a table without a place to write it."""
    is_table = source is not None and source.suffix in TABLES
    if source is not None and text is not None:
        raise InvalidReviews("reviews are given twice", found="a text and a file", expected="one of them")
    if is_table != (target is not None):
        raise InvalidReviews(
            "a table is read from one file and written to another",
            found=f"--from {source}, --to {target}",
            expected="both of them, csv or parquet",
        )
    if source is not None and not source.is_file():
        raise InvalidReviews("there is no such file of reviews", where=str(source))


def read_texts(text: str | None, source: Path | None) -> Iterator[list["MaybeText"]]:
    """The text; or the lines of a file, or of standard input, some at a time."""
    from latentflix.tables import decode

    with ExitStack() as stack:
        if text not in (None, "-"):
            waiting = iter([os.fsencode(str(text))])
        else:
            waiting = stack.enter_context(source.open("rb")) if source else iter(sys.stdin.buffer)
        while some := list(islice(waiting, AT_ONCE)):
            yield [decode(line.rstrip(b"\r\n")) for line in some]
