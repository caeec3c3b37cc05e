"""The factors of every review."""

from latentflix.classifier import ClassifierConfig
from latentflix.predictions import PredictionConfig, predict_held_out
from tasks.stage import Artifact, Handle, Store, stage


@stage("predictions", "predictions-{config.batch_size}")
def predict_all_reviews(
    artifact: Artifact,
    store: Store,
    reviews: Handle,
    labels: Handle,
    language_model: Handle,
    classifier: Handle,
    *,
    config: PredictionConfig,
) -> None:
    """Predict every review with the classifier that has not read about its film."""
    held_out = store.read_table(classifier, "held_out")
    predictions = predict_held_out(
        {name: store.read_arrays(classifier, f"classifier_{name}") for name in held_out},
        held_out,
        store.read_table(reviews, "reviews"),
        store.read_json(language_model, "vocabulary"),
        list(store.read_table(labels, "labels").index),
        ClassifierConfig.model_validate(store.manifest(classifier).config),
        config,
    )
    artifact.write_table("predictions", predictions)
    artifact.metrics["predictions"] = len(predictions)
