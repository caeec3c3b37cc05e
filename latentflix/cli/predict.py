"""The command `latentflix predict`."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, print_json, print_json_list, print_table
from latentflix.errors import DataError

if TYPE_CHECKING:
    from latentflix.data.tables import MaybeText
    from latentflix.factors.predictor import LabelPredictor

# Texts that are told at once; what comes from a pipe is answered when so many are there.
AT_ONCE = 256
TABLES = (".csv", ".parquet")

Text = Annotated[str | None, typer.Argument(help="a review; - or nothing reads one a line from standard input")]
Source = Annotated[Path | None, typer.Option("--from", help="a csv or parquet file, or a text with a review a line")]
Target = Annotated[Path | None, typer.Option("--to", help="the csv or parquet file to write")]
TextColumn = Annotated[str, typer.Option(help="the column of reviews in a csv or parquet file")]


def check_input(text: str | None, source: Path | None, target: Path | None) -> None:
    """Raise DataError if texts are given twice or not at all, or a table without a place to write it."""
    is_table = source is not None and source.suffix in TABLES
    if source is not None and text is not None:
        raise DataError("reviews are given twice", found="a text and a file", expected="one of them")
    if is_table != (target is not None):
        raise DataError(
            "a table is read from one file and written to another",
            found=f"--from {source}, --to {target}",
            expected="both of them, csv or parquet",
        )
    if source is not None and not source.is_file():
        raise DataError("there is no such file of reviews", where=str(source))


def read_texts(text: str | None, source: Path | None) -> Iterator[list["MaybeText"]]:
    """The text; or the lines of a file, or of standard input, some at a time."""
    from latentflix.data.tables import decode

    with ExitStack() as stack:
        if text not in (None, "-"):
            waiting = iter([os.fsencode(str(text))])
        else:
            waiting = stack.enter_context(source.open("rb")) if source else iter(sys.stdin.buffer)
        while some := list(islice(waiting, AT_ONCE)):
            yield [decode(line.rstrip(b"\r\n")) for line in some]


_LABELS_A_LINE = 5


def predict(
    text: Text = None,
    source: Source = None,
    target: Target = None,
    text_column: TextColumn = "text",
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    top: Annotated[int, typer.Option(min=1, help="labels that are shown of one review")] = 10,
    as_json: AsJson = False,
) -> None:
    """Say which factors a review speaks of: the mean of what the classifiers of all folds of films say.

    A label that is given, because its probability reaches its threshold, stands with a star. A review that cannot be
    read gets a line that says why.
    """
    check_input(text, source, target)

    from latentflix.artifacts import Store
    from latentflix.factors.predictor import LabelPredictor
    from latentflix.runs import choose_run

    store = Store(artifacts_dir)
    teller = LabelPredictor.load(store, choose_run(store, run))
    if source is not None and target is not None:
        rows = teller.predict_file(source, target, text_column)
        print_json({"reviews": rows, "file": str(target)}) if as_json else typer.echo(f"{rows:,} reviews: {target}")
        return
    told = (
        {"labels": teller.describe(row), "note": row["note"]}
        for texts in read_texts(text, source)
        for _, row in teller.predict(texts).iterrows()
    )
    if as_json:
        print_json_list(told)
    elif text in (None, "-"):
        for each in told:
            typer.echo(_text_line(**each))
    else:
        _print_labels(teller, top, **next(told))


def _print_labels(teller: "LabelPredictor", top: int, labels: list[dict[str, Any]], note: str) -> None:
    from latentflix.report.rendering import decimals

    if labels:
        rows = [
            (
                f"{each['label']}{'*' if each['predicted'] else ''}",
                str(each["name"]),
                *(decimals(each[column], 3) for column in ("probability", "threshold", "auc", "auc_p")),
            )
            for each in labels[:top]
        ]
        columns = ("label", "name", "probability", "threshold", "held-out AUC", "p")
        print_table(columns, rows, right=range(2, 6))
        typer.echo(f"The mean of {len(teller.networks)} classifiers, each trained without one fold of films.")
    if note:
        typer.echo(note if labels else f"-  ({note})")


def _text_line(labels: list[dict[str, Any]], note: str) -> str:
    """The most probable labels, with a star on those that are given."""
    because = f"  ({note})" if note else ""
    told = (
        f"{each['label']}{'*' if each['predicted'] else ''} {each['probability']:.3f}"
        for each in labels[:_LABELS_A_LINE]
    )
    return f"{' '.join(told) or '-'}{because}"


def tell_genres(
    plot: Annotated[str | None, typer.Argument(help="a plot; - or nothing reads it from standard input")] = None,
    source: Annotated[Path | None, typer.Option("--from", help="a text, csv or parquet file with plots")] = None,
    target: Annotated[Path | None, typer.Option("--to", help="the csv or parquet file to write")] = None,
    plot_column: Annotated[str, typer.Option(help="the column of plots in a csv or parquet file")] = "plot",
    artifacts_dir: Annotated[Path, typer.Option(help="where python -m flows.genres keeps what it made")] = Path(
        "artifacts"
    ),
    data_dir: Annotated[Path | None, typer.Option(help="a folder with data sets that were fetched by hand")] = None,
    top: Annotated[int, typer.Option(min=1, help="genres that are shown of one plot")] = 10,
    as_json: AsJson = False,
) -> None:
    """Say how probable every genre is, of one plot or of a table of plots.

    A genre that is given, because its probability reaches its threshold, stands with a star.
    """
    is_table = source is not None and source.suffix in (".csv", ".parquet")
    if source is not None and plot is not None:
        raise DataError("a plot is given twice", found="a text and a file", expected="one of them")
    if is_table != (target is not None):
        raise DataError(
            "a table is read from one file and written to another",
            found=f"--from {source}, --to {target}",
            expected="both of them, csv or parquet",
        )
    text = "" if is_table else _read_text(plot, source)

    from latentflix.data.tables import read_file, write_file
    from latentflix.genres.predictor import GenrePredictor

    if source is not None and target is not None:
        table = read_file(source)
        write_file(GenrePredictor.load(artifacts_dir, data_dir).predict_table(table, plot_column), target)
        rows = len(table)
        print_json({"plots": rows, "file": str(target)}) if as_json else typer.echo(f"{rows:,} plots: {target}")
        return
    teller = GenrePredictor.load(artifacts_dir, data_dir)
    told = teller.predict(text)
    given = set(teller.above_threshold(told))
    if as_json:
        print_json({genre: round(probability, 6) for genre, probability in told.items()})
        return
    for genre, probability in list(told.items())[:top]:
        typer.echo(f"{probability:.3f} {'*' if genre in given else ' '} {genre}")


def _read_text(plot: str | None, source: Path | None) -> str:
    if source is None:
        return sys.stdin.read() if plot in (None, "-") else str(plot)
    try:
        return source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("a plot cannot be read", where=str(source), found=str(error)) from error


def tell_sentiment(
    text: Text = None,
    source: Source = None,
    target: Target = None,
    text_column: TextColumn = "text",
    artifacts_dir: Annotated[Path, typer.Option(help="where python -m flows.sentiment keeps what it made")] = Path(
        "artifacts"
    ),
    as_json: AsJson = False,
) -> None:
    """Say whether reviews are positive or negative, and how probable it is that they are positive.

    One line a review, in the order given; a review that cannot be read gets a line that says why.
    """
    check_input(text, source, target)

    from latentflix.sentiment.predictor import SentimentPredictor

    predictor = SentimentPredictor.load(artifacts_dir)
    if source is not None and target is not None:
        rows = predictor.predict_file(source, target, text_column)
        print_json({"reviews": rows, "file": str(target)}) if as_json else typer.echo(f"{rows:,} reviews: {target}")
        return
    told = (row for texts in read_texts(text, source) for row in predictor.predict(texts).to_dict("records"))
    if as_json:
        print_json_list(_value(row) for row in told)
        return
    for row in told:
        typer.echo(_line(**_value(row)))


def _value(row: dict[str, Any]) -> dict[str, Any]:
    told = isinstance(row["label"], str)
    return {
        "label": row["label"] if told else None,
        "probability": round(float(row["probability"]), 6) if told else None,
        "note": row["note"],
    }


def _line(label: str | None, probability: float | None, note: str) -> str:
    because = f"  ({note})" if note else ""
    return f"-{because}" if probability is None else f"{probability:.3f} {label}{because}"
