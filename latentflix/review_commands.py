"""The commands `latentflix reviews`: what the review store holds, fresh reviews for it, and its upkeep."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentflix.errors import StoreError

if TYPE_CHECKING:
    from latentflix.review_store import ReviewStore

app = typer.Typer(no_args_is_help=True, help="See to the review store.")

StorePlace = Annotated[str, typer.Option("--store", help="the review store: a folder, or s3://bucket/folder")]


@app.command()
def coverage(
    store: StorePlace = "reviews",
    target: Annotated[
        Path | None, typer.Option("--to", help="a csv or parquet file for the counts of each film")
    ] = None,
) -> None:
    """Say how many films and reviews the store has, by source and kind."""
    counts = _open(store).count()
    if target is not None:
        from latentflix.tables import write_file

        write_file(counts, target)
    grouped = counts.groupby(["source", "kind"])
    for (source, kind), films, reviews, newest in grouped.agg(
        films=("tconst", "nunique"), reviews=("reviews", "sum"), newest=("newest", "max")
    ).itertuples():
        typer.echo(f"{source:12} {kind:10} {films:>9,} films {reviews:>11,} reviews, the newest of {newest:%Y-%m-%d}")
    typer.echo(f"{counts['tconst'].nunique():,} films, {counts['reviews'].sum():,} reviews")


@app.command()
def compact(
    store: StorePlace = "reviews",
    keep_days: Annotated[float, typer.Option(min=0, help="versions that ended longer ago can be read no more")] = 30,
) -> None:
    """Put small files together, and remove those that only old versions need."""
    place = _open(store)
    replaced, removed = place.compact(), place.vacuum(keep_days)
    typer.echo(f"{replaced:,} files put together, {removed:,} removed; version {place.version():,}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def refresh(context: typer.Context) -> None:
    """Ask the sources for new reviews: the same as python -m flows.refresh_reviews, with the same options."""
    raise typer.Exit(subprocess.call([sys.executable, "-m", "flows.refresh_reviews", *context.args]))


def _open(uri: str) -> "ReviewStore":
    from latentflix.review_store import ReviewStore

    store = ReviewStore(uri)
    if not store.reviews.exists():
        raise StoreError("there is no review store", where=uri, remedy="fill one with latentflix reviews refresh")
    return store
