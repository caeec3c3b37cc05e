"""The commands `latentflix reviews`: what the review store holds, new reviews for it, and its maintenance."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentflix.cli.console import AsJson, print_json, print_table
from latentflix.cli.runs import PASSTHROUGH, start_flow
from latentflix.errors import StoreError

if TYPE_CHECKING:
    from latentflix.reviews.store import ReviewStore

app = typer.Typer(help="Fill, inspect and maintain the review store.")

StoreUri = Annotated[str, typer.Option("--store", help="the review store: a folder, or s3://bucket/folder")]


@app.command()
def coverage(
    store: StoreUri = "reviews",
    target: Annotated[
        Path | None, typer.Option("--to", help="a csv or parquet file for the counts of each film")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count the films and reviews of the store, by source and kind."""
    counts = _open(store).count()
    if target is not None:
        from latentflix.data.tables import write_file

        write_file(counts, target)
    grouped = counts.groupby(["source", "kind"]).agg(
        films=("tconst", "nunique"), reviews=("reviews", "sum"), newest=("newest", "max")
    )
    films, reviews = counts["tconst"].nunique(), int(counts["reviews"].sum())
    if as_json:
        print_json({"films": films, "reviews": reviews, "sources": grouped.reset_index().to_dict("records")})
        return
    rows = [
        (source, kind, f"{row.films:,}", f"{row.reviews:,}", f"{row.newest:%Y-%m-%d}")
        for (source, kind), row in grouped.iterrows()
    ]
    print_table(("source", "kind", "films", "reviews", "newest"), rows, right=(2, 3))
    typer.echo(f"{films:,} films, {reviews:,} reviews")


@app.command()
def compact(
    store: StoreUri = "reviews",
    keep_days: Annotated[
        float, typer.Option(min=0, help="older versions that were replaced longer ago can no longer be read")
    ] = 30,
    nothing_else_runs: Annotated[
        bool, typer.Option("--nothing-else-runs", help="allow --keep-days below 7, as no run or refresh uses the store")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Merge small files, and remove those that only old versions need."""
    from latentflix.reviews.store import check_retention

    check_retention(keep_days, nothing_else_runs=nothing_else_runs)
    opened = _open(store)
    merged, removed = opened.compact(), opened.vacuum(keep_days, nothing_else_runs=nothing_else_runs)
    version = opened.version()
    if as_json:
        print_json({"merged": merged, "removed": removed, "version": version})
    else:
        typer.echo(f"{merged:,} files merged, {removed:,} removed; version {version:,}")


@app.command(context_settings=PASSTHROUGH)
def refresh(context: typer.Context) -> None:
    """Query the sources for new reviews: the same as python -m flows.refresh_reviews, with the same options."""
    start_flow("flows.refresh_reviews", context.args)


def _open(uri: str) -> "ReviewStore":
    from latentflix.reviews.store import ReviewStore

    store = ReviewStore(uri)
    if not store.reviews.exists():
        raise StoreError("there is no review store", where=uri, hint="fill one with latentflix reviews refresh")
    return store
