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
    clean: Annotated[
        bool, typer.Option("--clean", help="only remove what killed runs left in the folder of results")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check what works here: packages, GPU, disk, data sets, results, Prefect server, sources of reviews.

    What is missing is optional or will be fetched; what is broken has to be fixed, and makes the exit code 1.
    """
    if clean:
        _clean(artifacts_dir, as_json=as_json)
        return
    from latentflix.cli.diagnostics import check_all
    from latentflix.data.download import default_cache

    results = list(check_all(artifacts_dir, data_dir, cache_dir or default_cache(), store))
    if as_json:
        print_json(results)
    else:
        print_table(("part", "", "", ""), map(astuple, results))
    if any(result.state == "broken" for result in results):
        raise typer.Exit(1)


def _clean(artifacts_dir: Path, *, as_json: bool) -> None:
    from latentflix.artifacts import Store
    from latentflix.cli.leftovers import sweep

    removed = list(sweep(Store(artifacts_dir), remove=True))
    if as_json:
        print_json(removed)
        return
    if removed:
        print_table(
            ("removed", "bytes", ""), [(str(each.path), f"{each.size:,}", each.why) for each in removed], right=(1,)
        )
    typer.echo(f"removed {len(removed):,} folders, {sum(each.size for each in removed):,} bytes, from {artifacts_dir}")
