"""Axes that mean the same on every run."""

from latentflix.factors.extraction import FactorConfig, extract_factors
from latentflix.recommender.model import seed_fits
from tasks.collab import read_recommender
from tasks.stage import Artifact, Handle, Store, stage


@stage("factors", "factors-{config.rotation}-{config.n_axes}")
def find_axes(artifact: Artifact, store: Store, ratings: Handle, *collab: Handle, config: FactorConfig) -> None:
    """Turn the item factors of all seeds to their common axes."""
    fits = [fit for group in collab for fit in seed_fits(read_recommender(store, group))]
    factors = extract_factors(fits, store.read_table(ratings, "films")["ratings"], config)
    artifact.write_table("scores", factors.scores)
    artifact.write_table("axes", factors.axes)
    artifact.metrics.update(axes=len(factors.axes), stable=int(factors.axes["stable"].sum()))
