"""The classifiers of reviews, one for each fold of films."""

from latentflix.classifier import ClassifierConfig, train_classifiers
from latentflix.language_model import LanguageModel
from tasks.stage import Artifact, Handle, Store, stage


@stage("classifier", "classifier-{config.n_folds}-folds")
def train_on_folds(
    artifact: Artifact,
    store: Store,
    reviews: Handle,
    labels: Handle,
    language_model: Handle,
    *,
    config: ClassifierConfig,
) -> None:
    """Train a classifier for each fold of films, and one on a split over reviews."""
    classifiers = train_classifiers(
        store.read_table(reviews, "reviews"),
        store.read_table(labels, "films"),
        list(store.read_table(labels, "labels").index),
        LanguageModel(store.read_arrays(language_model, "weights"), store.read_json(language_model, "vocabulary")),
        config,
    )
    for name, weights in classifiers.weights.items():
        artifact.write_arrays(f"classifier_{name}", weights)
    artifact.write_table("folds", classifiers.folds.to_frame())
    artifact.write_table("held_out", classifiers.held_out)
    artifact.write_table("history", classifiers.history)
    artifact.metrics["classifiers"] = len(classifiers.weights)
