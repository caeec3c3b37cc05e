"""TF-IDF and logistic regression on the same split."""

from latentflix.factors.baselines import BaselineConfig, predict_by_words
from tasks.stage import Artifact, Handle, Store, stage


@stage("baseline", "baseline-words")
def predict_all_by_words(
    artifact: Artifact, store: Store, reviews: Handle, labels: Handle, classifier: Handle, *, config: BaselineConfig
) -> None:
    """Predict every review by its words alone."""
    predictions = predict_by_words(
        store.read_table(reviews, "reviews"),
        store.read_table(labels, "films"),
        store.read_json(classifier, "names")["labels"],
        store.read_table(classifier, "held_out"),
        config,
    )
    artifact.write_table("predictions", predictions)
