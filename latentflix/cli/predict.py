"""The commands `latentflix predict`, `sentiment` and `genres`, which read texts."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, open_run, print_json, print_json_list, print_table
from latentflix.errors import DataError
from latentflix.report.formatting import decimals, read_nouns

if TYPE_CHECKING:
    from latentflix.artifacts import Store
    from latentflix.data.tables import MaybeText
    from latentflix.factors.label_predictor import LabelPredictor
    from latentflix.factors.predictor import PositionPredictor
    from latentflix.runs import Run

# Texts that are read at once; what comes from a pipe is answered when so many are there.
AT_ONCE = 256
TABLES = (".csv", ".parquet")
_LABELS_PER_LINE = 5

Review = Annotated[str | None, typer.Argument(help="a review; - or nothing reads one per line from standard input")]
Reviews = Annotated[Path | None, typer.Option("--from", help="a csv or parquet file, or a text with a review per line")]
Target = Annotated[Path | None, typer.Option("--to", help="the csv or parquet file to write")]
TextColumn = Annotated[str, typer.Option(help="the column of reviews in a csv or parquet file")]


def predict(
    text: Review = None,
    source: Reviews = None,
    target: Target = None,
    text_column: TextColumn = "text",
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    top: Annotated[int, typer.Option(min=1, help="factors or labels shown for one review")] = 10,
    network: Annotated[bool, typer.Option("--network", help="labels by the network, instead of positions")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict where a review stands on the factors, and show which of its words speak for that.

    Positions are in standard deviations of single reviews, factors that hold come first (*). With --network: labels,
    by the mean of the classifiers of all folds; a star marks those whose probability reaches their threshold. A review
    that cannot be read gets a line that says why.
    """
    check_input("reviews", text, source, target)

    store, chosen = open_run(artifacts_dir, run)
    predictor = _load_predictor(store, chosen, network=network)
    if source is not None and target is not None:
        _print_written("reviews", predictor.predict_file(source, target, text_column), target, as_json=as_json)
        return
    kind, line = ("labels", _labels_line) if network else ("positions", _positions_line)
    predicted = (
        {kind: predictor.describe(each, row), "note": row["note"]}
        for texts in read_texts(text, source)
        for each, (_, row) in zip(texts, predictor.predict(texts).iterrows(), strict=True)
    )
    if as_json:
        print_json_list(predicted)
    elif text in (None, "-"):
        for described in predicted:
            typer.echo(line(**described))
    elif network:
        _print_labels(top, read_nouns(chosen.config).items, **next(predicted))
    else:
        _print_positions(top, **next(predicted))


def _load_predictor(store: "Store", run: "Run", *, network: bool) -> "LabelPredictor | PositionPredictor":
    if network:
        from latentflix.factors.label_predictor import LabelPredictor

        return LabelPredictor.load(store, run)
    from latentflix.factors.predictor import PositionPredictor

    return PositionPredictor.load(store, run)


def sentiment(
    text: Review = None,
    source: Reviews = None,
    target: Target = None,
    text_column: TextColumn = "text",
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    as_json: AsJson = False,
) -> None:
    """Predict whether reviews are positive or negative, and the probability that they are positive.

    The model is that of the last python -m flows.sentiment. Each review gets a line, in the order given; one that
    cannot be read gets a line that says why.
    """
    check_input("reviews", text, source, target)

    from latentflix.sentiment.predictor import SentimentPredictor

    predictor = SentimentPredictor.load(artifacts_dir)
    if source is not None and target is not None:
        _print_written("reviews", predictor.predict_file(source, target, text_column), target, as_json=as_json)
        return
    predicted = (
        {str(name): value for name, value in row.items()}
        for texts in read_texts(text, source)
        for row in predictor.predict(texts).astype({"probability": float}).round(6).to_dict("records")
    )
    if as_json:
        print_json_list(predicted)
        return
    for each in predicted:
        typer.echo(_sentiment_line(**each))


def genres(
    plot: Annotated[str | None, typer.Argument(help="a plot; - or nothing reads one from standard input")] = None,
    source: Annotated[Path | None, typer.Option("--from", help="a csv or parquet file, or a text with a plot")] = None,
    target: Target = None,
    plot_column: Annotated[str, typer.Option(help="the column of plots in a csv or parquet file")] = "plot",
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    data_dir: Annotated[Path | None, typer.Option(help="a folder with data sets that were fetched by hand")] = None,
    top: Annotated[int, typer.Option(min=1, help="genres shown for one plot")] = 10,
    as_json: AsJson = False,
) -> None:
    """Predict the genres of a plot, or of every plot in a table. A star marks genres above their threshold.

    The model is that of the last python -m flows.genres.
    """
    check_input("plots", plot, source, target)
    text = "" if target else _read_plot(plot, source)

    from latentflix.genres.predictor import GenrePredictor

    predictor = GenrePredictor.load(artifacts_dir, data_dir)
    if source is not None and target is not None:
        _print_written("plots", predictor.predict_file(source, target, plot_column), target, as_json=as_json)
        return
    probabilities = predictor.predict(text)
    reached = set(predictor.above_threshold(probabilities))
    if as_json:
        print_json({genre: round(probability, 6) for genre, probability in probabilities.items()})
        return
    for genre, probability in list(probabilities.items())[:top]:
        typer.echo(f"{probability:.3f} {'*' if genre in reached else ' '} {genre}")


def check_input(kind: str, text: str | None, source: Path | None, target: Path | None) -> None:
    """Raise DataError if texts of this kind come from two places or from no file, or a table has no place to go."""
    is_table = source is not None and source.suffix in TABLES
    if source is not None and text is not None:
        raise DataError(f"{kind} come from two places", found="a text and a file", expected="one of them")
    if is_table != (target is not None):
        raise DataError(
            "a table is read from one file and written to another",
            found=f"--from {source}, --to {target}",
            expected="both of them, csv or parquet",
        )
    if source is not None and not source.is_file():
        raise DataError(f"there is no such file of {kind}", where=str(source))


def read_texts(text: str | None, source: Path | None) -> Iterator[list["MaybeText"]]:
    """The text; or the lines of a file, or of standard input, some at a time."""
    from latentflix.data.tables import decode

    with ExitStack() as stack:
        if text not in (None, "-"):
            lines = iter([os.fsencode(str(text))])
        else:
            lines = stack.enter_context(source.open("rb")) if source else iter(sys.stdin.buffer)
        while some := list(islice(lines, AT_ONCE)):
            yield [decode(line.rstrip(b"\r\n")) for line in some]


def _read_plot(plot: str | None, source: Path | None) -> str:
    if plot not in (None, "-"):
        return str(plot)
    try:
        return (source.read_bytes() if source else sys.stdin.buffer.read()).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("a plot cannot be read", where=str(source or "standard input"), found=str(error)) from error


def _print_written(kind: str, rows: int, target: Path, *, as_json: bool) -> None:
    print_json({kind: rows, "file": str(target)}) if as_json else typer.echo(f"{rows:,} {kind}: {target}")


def _print_positions(top: int, positions: list[dict[str, Any]], note: str) -> None:
    rows = [
        (
            f"{each['label']}{'*' if each['holds'] else ''}",
            each["name"],
            decimals(abs(each["position"])),
            decimals(each["rho"]),
            ", ".join(each["words"]),
        )
        for each in positions[:top]
    ]
    if rows:
        print_table(("pole", "name", "deviations", "held-out rho", "words that speak for it"), rows, right=(2, 3))
    if note:
        typer.echo(f"-  ({note})")


def _positions_line(positions: list[dict[str, Any]], note: str) -> str:
    shown = (
        f"{each['label']}{'*' if each['holds'] else ''} {abs(each['position']):.1f}"
        for each in positions[:_LABELS_PER_LINE]
    )
    return f"{' '.join(shown) or '-'}{_because(note)}"


def _print_labels(top: int, items: str, labels: list[dict[str, Any]], note: str) -> None:
    if labels:
        rows = [
            (
                _starred(each),
                str(each["name"]),
                *(decimals(each[column], 3) for column in ("probability", "threshold", "auc", "auc_p")),
            )
            for each in labels[:top]
        ]
        columns = ("label", "name", "probability", "threshold", "held-out AUC", "p")
        print_table(columns, rows, right=range(2, 6))
        typer.echo(f"The mean of the classifiers of all folds, each trained without the {items} of one.")
    if note:
        typer.echo(note if labels else f"-  ({note})")


def _labels_line(labels: list[dict[str, Any]], note: str) -> str:
    shown = (f"{_starred(each)} {each['probability']:.3f}" for each in labels[:_LABELS_PER_LINE])
    return f"{' '.join(shown) or '-'}{_because(note)}"


def _starred(label: dict[str, Any]) -> str:
    return f"{label['label']}{'*' if label['predicted'] else ''}"


def _sentiment_line(label: str, probability: float, note: str) -> str:
    return f"-{_because(note)}" if isnan(probability) else f"{probability:.3f} {label}{_because(note)}"


def _because(note: str) -> str:
    return f"  ({note})" if note else ""
