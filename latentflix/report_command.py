"""The command `latentflix report`."""

from pathlib import Path
from typing import Annotated

import typer

from latentflix.console import ArtifactsDir, AsJson, RunKey, print_json


def open_report(
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    run: RunKey = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="open it in the browser")] = True,
    as_json: AsJson = False,
) -> None:
    """Print where the report of the last run is, and open it in the browser."""
    from latentflix.artifacts import Store
    from latentflix.pages import PAGE
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
