"""Ratings and films, checked and with one id a film."""

from latentflix.data.ratings import RatingsConfig, read_ratings
from tasks.stage import Artifact, Handle, Store, stage


@stage("ratings", "ratings")
def check_ratings(artifact: Artifact, store: Store, source: Handle, *, config: RatingsConfig) -> None:
    """Check the ratings and merge the ids that stand for one film."""
    ratings, items, scale = (store.read_table(source, name) for name in ("ratings", "items", "scale"))
    read = read_ratings(ratings, items, config, scale)
    artifact.write_table("ratings", read.ratings)
    artifact.write_table("films", read.films)
    artifact.write_table("users", read.users)
    artifact.metrics.update(
        ratings=len(read.ratings),
        films=len(read.films),
        users=len(read.users),
        merged=read.merged,
        lowest=read.lowest,
        highest=read.highest,
    )
