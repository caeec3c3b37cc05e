"""The recommender, fitted from several seeds."""

from latentflix.collab import CollabConfig, fit_seeds, pack_fits
from tasks.stage import Artifact, Handle, Store, stage


@stage("collab", "collab-{config.n_factors}x{config.n_seeds}")
def fit_collab(artifact: Artifact, store: Store, ratings: Handle, *, config: CollabConfig) -> None:
    """Fit the recommender from several seeds."""
    fits = fit_seeds(store.read_table(ratings, "ratings"), config)
    artifact.write_arrays("fits", pack_fits(fits))
    artifact.metrics["valid_loss"] = [fit.valid_loss for fit in fits]
