"""Labels from the vectors of reviews."""

from latentflix.factors.baselines import VectorConfig, predict_by_vectors
from tasks.embeddings import read_embeddings
from tasks.stage import Artifact, Handle, Store, stage


@stage("vectors", "vectors")
def predict_all_by_vectors(
    artifact: Artifact,
    store: Store,
    reviews: Handle,
    embeddings: Handle,
    labels: Handle,
    classifier: Handle,
    *,
    config: VectorConfig,
) -> None:
    """Predict every review by its vector alone."""
    predictions = predict_by_vectors(
        store.read_table(reviews, "reviews"),
        read_embeddings(store, embeddings).features(),
        store.read_table(labels, "films"),
        store.read_json(classifier, "names")["labels"],
        store.read_table(classifier, "held_out"),
        config,
    )
    artifact.write_table("predictions", predictions)
