"""Encoders side by side."""

from latentflix.factors.comparison import OURS, EncoderComparison, EncoderConfig, compare_encoders
from tasks.stage import Artifact, Handle, Store, stage


@stage("encoders", "encoders")
def compare_all_encoders(
    artifact: Artifact,
    store: Store,
    reviews: Handle,
    labels: Handle,
    classifier: Handle,
    predictions: Handle,
    *others: Handle,
    config: EncoderConfig,
) -> None:
    """Score what each encoder says of films never read about, and give labels by thresholds."""
    said = {handle.stage: store.read_table(handle, "predictions") for handle in others}
    comparison = compare_encoders(
        {OURS: store.read_table(predictions, "predictions"), **said},
        store.read_table(reviews, "reviews").set_index("review_id")["movie_id"],
        store.read_table(classifier, "folds")["fold"],
        store.read_table(labels, "films"),
        store.read_json(classifier, "names")["labels"],
        config,
    )
    artifact.write_table("encoders", comparison.encoders)
    artifact.write_table("labels", comparison.labels)
    artifact.write_table("rare", store.read_table(classifier, "rare"))


def read_comparison(store: Store, handle: Handle) -> EncoderComparison:
    """The comparison of an encoders artifact."""
    return EncoderComparison(store.read_table(handle, "encoders"), store.read_table(handle, "labels"))
