"""The commands `latentflix run`, which starts the full flow, and `latentflix runs`, which tells of those that ended."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, RunKey, interval, print_json, print_table

app = typer.Typer(help="Tell of the runs of the full flow.")

# What a command passes on to a flow, which reads its own options.
PASSTHROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
_KEY_SHOWN = 8


def run(context: typer.Context) -> None:
    """Learn factors, find out what they mean, and write the report: the settings of python -m flows.full."""
    start_flow("flows.full", context.args)


def start_flow(module: str, arguments: list[str]) -> None:
    """Become the process that runs a flow, so that every signal and the exit code are its own.

    The flow is named, not imported, for it imports the library. -P: a folder of that name where the user stands is not
    taken for it.
    """
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606


@app.command("list")
def list_all(artifacts_dir: ArtifactsDir = Path("artifacts"), as_json: AsJson = False) -> None:
    """List the runs, the last one first."""
    from latentflix.artifacts import Store
    from latentflix.report.rendering import decimals
    from latentflix.runs import list_runs

    runs = list_runs(Store(artifacts_dir))
    if as_json:
        print_json([{"key": run.key, "made_at": run.made_at, **run.figures} for run in runs])
        return
    if not runs:
        typer.echo("no run has finished yet")
        return
    print_table(
        ("run", "made at", "items", "reviews", "factors", "stable", "AUC", "p", "words AUC"),
        [
            (
                run.key[:_KEY_SHOWN],
                run.made_at,
                f"{run.figures['items']:,}",
                f"{run.figures['reviews']:,}",
                str(run.figures["factors"]),
                str(run.figures["stable_factors"]),
                interval(run.figures["auc"], run.figures["auc_low"], run.figures["auc_high"]),
                decimals(run.figures["auc_p"], 3),
                decimals(run.figures["words_auc"]),
            )
            for run in runs
        ],
        right=range(2, 9),
    )


@app.command()
def compare(
    one: Annotated[
        str | None, typer.Argument(help="the key of a run, or how it begins; without it, the run before the last")
    ] = None,
    other: Annotated[str | None, typer.Argument(help="that of another; without it, the last run")] = None,
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    as_json: AsJson = False,
) -> None:
    """Say in which settings and metrics two runs differ."""
    from latentflix.artifacts import Store
    from latentflix.runs import choose_run, compare_runs

    store = Store(artifacts_dir)
    runs = choose_run(store, one, before_last=1), choose_run(store, other)
    comparison = compare_runs(store, *runs)
    if as_json:
        print_json({"one": runs[0].key, "other": runs[1].key, "differences": comparison})
        return
    heads = [f"{run.key[:_KEY_SHOWN]} of {run.made_at}" for run in runs]
    for title, differences in (("Settings", comparison.settings), ("Metrics", comparison.metrics)):
        rows = [(f"{each.stage}.{each.name}", _shown(each.one), _shown(each.other)) for each in differences]
        print_table(("", *heads), rows or [("none differs", "", "")], title=title, right=(1, 2))


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def open_report(
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="open it in the browser")] = True,
    as_json: AsJson = False,
) -> None:
    """Print where the report of the last run is, and open it in the browser."""
    from latentflix.artifacts import Store
    from latentflix.report.rendering import PAGE
    from latentflix.runs import choose_run

    store = Store(artifacts_dir)
    chosen = choose_run(store, run)
    page = store.file(chosen.report, PAGE).resolve()
    if as_json:
        print_json({"run": chosen.key, "made_at": chosen.made_at, "report": str(page), "figures": chosen.figures})
    else:
        typer.echo(page)
    if show:
        import webbrowser

        webbrowser.open(page.as_uri())
