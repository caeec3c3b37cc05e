"""How far the predictions are to be believed."""

from latentflix.factors.evaluation import EvaluationConfig, evaluate
from tasks.stage import Artifact, Handle, Store, stage


@stage("evaluation", "evaluation-{config.permutations}-permutations")
def score_predictions(
    artifact: Artifact,
    store: Store,
    predictions: Handle,
    baseline: Handle,
    reviews: Handle,
    classifier: Handle,
    labels: Handle,
    factors: Handle,
    *,
    config: EvaluationConfig,
) -> None:
    """Score the predictions of films never read about."""
    evaluation = evaluate(
        store.read_table(predictions, "predictions"),
        store.read_table(baseline, "predictions"),
        store.read_table(reviews, "reviews").set_index("review_id")["movie_id"],
        store.read_table(classifier, "folds")["fold"],
        store.read_table(labels, "films"),
        store.read_json(classifier, "names")["labels"],
        store.read_table(factors, "scores"),
        config,
    )
    artifact.write_table("labels", evaluation.labels)
    artifact.write_table("axes", evaluation.axes)
    artifact.metrics.update(evaluation.overall)
