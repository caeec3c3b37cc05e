"""The command `latentflix sentiment`."""

import json
import os
import sys
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from latentflix.errors import InvalidReviews

# Texts that are told at once; what comes from a pipe is answered when so many are there.
_AT_ONCE = 256


def tell_sentiment(
    text: Annotated[
        str | None, typer.Argument(help="a review; - or nothing reads one a line from standard input")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="a csv or parquet file, or a text with a review a line")
    ] = None,
    target: Annotated[Path | None, typer.Option("--to", help="the csv or parquet file to write")] = None,
    text_column: Annotated[str, typer.Option(help="the column of reviews in a csv or parquet file")] = "text",
    artifacts_dir: Annotated[Path, typer.Option(help="where python -m flows.sentiment keeps what it made")] = Path(
        "artifacts"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON object a review")] = False,
) -> None:
    """Say whether reviews are positive or negative, and how probable it is that they are positive.

    One line a review, in the order given; a review that cannot be read gets a line that says why.
    """
    is_table = source is not None and source.suffix in (".csv", ".parquet")
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

    from latentflix.sentiment_teller import SentimentTeller
    from latentflix.tables import decode

    teller = SentimentTeller.open(artifacts_dir)
    if source is not None and target is not None:
        typer.echo(f"{teller.tell_file(source, target, text_column):,} reviews: {target}")
        return
    with ExitStack() as stack:
        if text not in (None, "-"):
            waiting = iter([os.fsencode(str(text))])
        else:
            waiting = stack.enter_context(source.open("rb")) if source else iter(sys.stdin.buffer)
        while some := list(islice(waiting, _AT_ONCE)):
            told = teller.tell([decode(line.rstrip(b"\r\n")) for line in some])
            typer.echo("\n".join(_line(row, as_json=as_json) for row in told.to_dict("records")))


def _line(row: dict[str, Any], *, as_json: bool) -> str:
    told = isinstance(row["label"], str)
    probability = round(float(row["probability"]), 6) if told else None
    if as_json:
        return json.dumps({"label": row["label"] if told else None, "probability": probability, "note": row["note"]})
    note = f"  ({row['note']})" if row["note"] else ""
    return f"{probability:.3f} {row['label']}{note}" if told else f"-{note}"
