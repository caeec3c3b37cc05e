"""The command `latentflix genres`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from latentflix.console import AsJson, print_json
from latentflix.errors import InvalidPlots


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
        raise InvalidPlots("a plot is given twice", found="a text and a file", expected="one of them")
    if is_table != (target is not None):
        raise InvalidPlots(
            "a table is read from one file and written to another",
            found=f"--from {source}, --to {target}",
            expected="both of them, csv or parquet",
        )
    text = "" if is_table else _read_text(plot, source)

    from latentflix.genre_teller import GenreTeller
    from latentflix.tables import read_file, write_file

    if source is not None and target is not None:
        table = read_file(source)
        write_file(GenreTeller.open(artifacts_dir, data_dir).tell_table(table, plot_column), target)
        rows = len(table)
        print_json({"plots": rows, "file": str(target)}) if as_json else typer.echo(f"{rows:,} plots: {target}")
        return
    teller = GenreTeller.open(artifacts_dir, data_dir)
    told = teller.tell(text)
    given = set(teller.given(told))
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
        raise InvalidPlots("a plot cannot be read", where=str(source), found=str(error)) from error
