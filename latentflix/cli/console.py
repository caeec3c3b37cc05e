"""What commands print: tables for people, JSON for programs; and what commands share."""

import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentflix.report.formatting import decimals, visible
from latentflix.system.start import prints_ascii_only

if TYPE_CHECKING:
    from latentflix.artifacts import Store
    from latentflix.runs import Run

# In a pipe or a file, lines are not wrapped.
_PIPE_WIDTH = 240
_BAR = "█"

ArtifactsDir = Annotated[Path, typer.Option(help="where runs keep their results")]
RunKey = Annotated[
    str | None, typer.Option("--run", help="the key of a run, or how it begins; without it, the last run")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON value")]


def open_run(artifacts_dir: Path, key: str | None) -> "tuple[Store, Run]":
    """The store in a folder, and the run chosen by its key. Raises NotFound as `choose_run` does."""
    from latentflix.artifacts import Store
    from latentflix.runs import choose_run

    store = Store(artifacts_dir)
    return store, choose_run(store, key)


def print_json(value: Any) -> None:
    """Print a value, which may hold dataclasses and numpy numbers, as JSON; NaN and infinite become null."""
    typer.echo(_json(value, indent=1))


def print_json_list(values: Iterable[Any]) -> None:
    """Print values as one JSON list, each on a line of its own as soon as it is there."""
    before = "["
    for value in values:
        typer.echo(f"{before}\n{_json(value)}", nl=False)
        before = ","
    typer.echo("[]" if before == "[" else "\n]")


def _json(value: Any, indent: int | None = None) -> str:
    from pydantic_core import to_json

    return to_json(
        value,
        indent=indent,
        ensure_ascii=prints_ascii_only(),
        inf_nan_mode="null",
        fallback=lambda other: other.item(),
    ).decode()


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", right: Sequence[int] = ()
) -> None:
    """Print texts as a table. right: the columns, counted from 0, that are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_edge=False)
    table.show_header = any(columns)
    for place, column in enumerate(columns):
        justify: Literal["right", "left"] = "right" if place in right else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(visible, row))
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    # A title such as "Lost in Space [1998]" is not markup.
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """A score with its interval, as "0.54 [0.50, 0.57]"; a dash if there is none."""
    shown = decimals(value)
    return f"{shown} [{decimals(low)}, {decimals(high)}]" if shown[-1].isdigit() else shown


def bar(share: float, width: int = 12) -> str:
    """A share, 0 to 1, as a bar."""
    return _BAR * round(share * width)


def set_verbosity(*, verbose: bool) -> None:
    """Write the library's warnings, or if verbose everything that it logs, to standard error."""
    logging.basicConfig(format="latentflix: %(message)s", stream=sys.stderr, force=True)
    logging.getLogger("latentflix").setLevel(logging.DEBUG if verbose else logging.WARNING)
