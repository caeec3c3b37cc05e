"""Ratings and films, checked and with one id a film."""

from latentflix.ratings import RatingsConfig, read_ratings
from tasks.stage import Artifact, Handle, Store, stage


@stage("ratings", "ratings-{config.lowest:g}-to-{config.highest:g}")
def check_ratings(artifact: Artifact, store: Store, movielens: Handle, *, config: RatingsConfig) -> None:
    """Check the ratings and merge the ids that stand for one film."""
    ratings = read_ratings(store.read_table(movielens, "ratings"), store.read_table(movielens, "items"), config)
    artifact.write_table("ratings", ratings.ratings)
    artifact.write_table("films", ratings.films)
    artifact.metrics.update(ratings=len(ratings.ratings), films=len(ratings.films), merged=ratings.merged)
