"""How often each factor is predicted over a film's reviews."""

from latentflix.factors.histograms import HistogramConfig, count_predictions
from tasks.stage import Artifact, Handle, Store, stage


@stage("histograms", "histograms-top{config.top_k}")
def count_all_predictions(
    artifact: Artifact, store: Store, predictions: Handle, reviews: Handle, *, config: HistogramConfig
) -> None:
    """Count each film's predicted factors, with and without the most frequent one."""
    said = store.read_table(predictions, "predictions")
    shares, dominating = count_predictions(
        said,
        store.read_table(reviews, "reviews").set_index("review_id")["movie_id"],
        list(said.columns.drop(["classifier", "review_id"])),
        config,
    )
    artifact.write_table("shares", shares)
    artifact.metrics["dominating"] = dominating
