"""The commands `latentflix run`, which starts the full flow, and `runs` and `report`, about finished runs."""

import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, interval, open_run, print_json, print_table
from latentflix.report.formatting import PAGE, decimals, figure, read_nouns

if TYPE_CHECKING:
    from latentflix.runs import Run

app = typer.Typer(help="List and compare the runs of the full flow.")

# For commands that leave all options to a flow, which reads them itself.
PASSTHROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
_KEY_SHOWN = 8


def run(context: typer.Context) -> None:
    """Learn factors, find out what they mean, and write the report, with the settings of python -m flows.full."""
    start_flow("flows.full", context.args)


def start_flow(module: str, arguments: list[str]) -> None:
    """Become the process that runs a flow, so that signals and the exit code are the flow's own.

    The flow is named, not imported, for it imports the library. With -P, a folder of the same name in the working
    directory is not mistaken for it.
    """
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606


@app.command("list")
def list_all(artifacts_dir: ArtifactsDir = Path("artifacts"), as_json: AsJson = False) -> None:
    """List the runs, the last one first."""
    from latentflix.artifacts import Store
    from latentflix.runs import list_runs

    runs = list_runs(Store(artifacts_dir))
    if as_json:
        print_json([{"key": run.key, "made_at": run.made_at, **run.figures} for run in runs])
        return
    if not runs:
        typer.echo("no run has finished yet")
        return
    nouns = read_nouns(runs[0].config)
    columns = (
        "run",
        "made at",
        nouns.items,
        nouns.texts,
        "factors",
        "stable",
        "hold",
        "mean rho",
        "network",
        "names that hold",
    )
    counts = ("items", "reviews", "factors", "stable_factors", "factors_that_hold")
    rows = [
        (
            *(run.key[:_KEY_SHOWN], run.made_at, *(_count(run, name) for name in counts)),
            interval(*(run.figures.get(f"mean_rho{end}") for end in ("", "_low", "_high"))),
            decimals(run.figures.get("mean_rho_network")),
            " of ".join(_count(run, name) for name in ("names_that_hold", "names_tested")),
        )
        for run in runs
    ]
    print_table(columns, rows, right=range(2, 10))


def _count(run: "Run", name: str) -> str:
    """A count of a run; a dash if an earlier version made the run without it."""
    return f"{run.figures[name]:,}" if name in run.figures else "–"


@app.command()
def compare(
    first: Annotated[
        str | None, typer.Argument(help="the key of a run, or how it begins; without it, the run before the last")
    ] = None,
    second: Annotated[str | None, typer.Argument(help="the same of another; without it, the last run")] = None,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    as_json: AsJson = False,
) -> None:
    """Show the settings and metrics in which two runs differ."""
    from latentflix.artifacts import Store
    from latentflix.runs import choose_run, compare_runs

    store = Store(artifacts_dir)
    runs = choose_run(store, first, before_last=1), choose_run(store, second)
    differences = compare_runs(store, *runs)
    if as_json:
        print_json({"first": runs[0].key, "second": runs[1].key, "differences": differences})
        return
    heads = [f"{run.key[:_KEY_SHOWN]} of {run.made_at}" for run in runs]
    for title, table in differences.items():
        rows = [(f"{each.stage}.{each.name}", _shown(each.first), _shown(each.second)) for each in table]
        print_table(("", *heads), rows or [("none differ", "", "")], title=title.capitalize(), right=(1, 2))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return figure(value) if value is None or isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def open_report(
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="open it in the browser")] = True,
    as_json: AsJson = False,
) -> None:
    """Print where the report of the last run is, and open it in the browser."""
    store, chosen = open_run(artifacts_dir, run)
    page = store.file(chosen.report, PAGE).resolve()
    if as_json:
        print_json({"run": chosen.key, "made_at": chosen.made_at, "report": str(page), "figures": chosen.figures})
    else:
        typer.echo(page)
    if show:
        webbrowser.open(page.as_uri())
