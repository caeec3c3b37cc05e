"""The command `latentflix doctor`."""

from dataclasses import astuple
from pathlib import Path
from typing import Annotated

import typer

from latentflix.cli.console import ArtifactsDir, AsJson, print_json, print_table
from latentflix.cli.reviews import StoreUri


def doctor(
    artifacts_dir: ArtifactsDir = Path("artifacts"),
    data_dir: Annotated[Path | None, typer.Option(help="a folder with data sets that were fetched by hand")] = None,
    cache_dir: Annotated[Path | None, typer.Option(help="where downloads are kept")] = None,
    store: StoreUri = "reviews",
    as_json: AsJson = False,
) -> None:
    """Say what works here and what does not: packages, GPU, disk, data sets, Prefect server, sources of reviews.

    What is missing can be done without or will be fetched; what is broken has to be mended, and makes the exit code 1.
    """
    from latentflix.cli.diagnostics import Paths, default_cache, examine

    findings = list(examine(Paths(artifacts_dir, data_dir, cache_dir or default_cache(), store)))
    if as_json:
        print_json(findings)
    else:
        print_table(("part", "", "", ""), map(astuple, findings))
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)
