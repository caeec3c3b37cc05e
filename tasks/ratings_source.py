"""Ratings of the user's own."""

from latentflix.data.ratings_file import RatingsSourceConfig, load_ratings_source
from tasks.stage import Artifact, Store, stage


@stage("ratings_source", "ratings_source")
def read_ratings_source(artifact: Artifact, _: Store, *, config: RatingsSourceConfig) -> None:
    """Read ratings and items from where the user has them, and keep their tables as they come."""
    artifact.write_tables(load_ratings_source(config))
