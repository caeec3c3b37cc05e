"""The recommender, fitted from several seeds."""

from latentflix.recommender.fit import fit_and_score
from latentflix.recommender.model import CollabConfig, Recommender, pack_recommender, unpack_recommender
from tasks.stage import Artifact, Handle, Store, stage


@stage("collab", "collab-{config.model}-seed-{config.seed}-and-on")
def fit_collab(artifact: Artifact, store: Store, ratings: Handle, *, config: CollabConfig) -> None:
    """Fit the recommender from several seeds side by side."""
    recommender, scores = fit_and_score(store.read_table(ratings, "ratings"), config)
    artifact.write_arrays("recommender", pack_recommender(recommender))
    artifact.metrics.update(scores)


def read_recommender(store: Store, handle: Handle) -> Recommender:
    """The recommender of a collab artifact."""
    config = CollabConfig.model_validate(store.manifest(handle).config)
    return unpack_recommender(store.read_arrays(handle, "recommender"), config)
