"""Data sets and ratings: fetched or read, and checked."""

from typing import Annotated

from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.data.ratings_file import RatingsSourceConfig, load_ratings_source
from tasks.stage import Artifact, Handle, Store, stage


@stage("datasets", "datasets-{config.name}", fetches=True)
def fetch_data_set(artifact: Artifact, _: Store, *, config: DataSetConfig) -> None:
    """Fetch a data set and keep its tables as they are."""
    artifact.write_tables(load_data_set(config))


@stage("ratings_source", "ratings_source")
def read_ratings_file(artifact: Artifact, _: Store, *, config: RatingsSourceConfig) -> None:
    """Read the user's own ratings and items, and keep their tables as they are."""
    artifact.write_tables(load_ratings_source(config))


@stage("ratings", "ratings")
def check_ratings(
    artifact: Artifact,
    store: Store,
    *,
    source: Annotated[Handle, "datasets", "ratings_source"],
    config: RatingsConfig,
) -> None:
    """Check the ratings, and merge the ids that stand for one item."""
    ratings, items, scale = (store.read_table(source, name) for name in ("ratings", "items", "scale"))
    checked = read_ratings(ratings, items, config, scale)
    artifact.write(checked)
    artifact.metrics.update(
        ratings=len(checked.ratings),
        items=len(checked.items),
        users=len(checked.users),
        merged=checked.merged,
        lowest=checked.lowest,
        highest=checked.highest,
    )
