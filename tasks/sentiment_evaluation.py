"""How well sentiment is told."""

from latentflix.sentiment.evaluation import SentimentEvaluation, SentimentEvaluationConfig, evaluate_sentiment
from tasks.stage import Artifact, Handle, Store, stage


@stage("sentiment_evaluation", "sentiment_evaluation")
def score_sentiment(
    artifact: Artifact,
    store: Store,
    reviews: Handle,
    classifier: Handle,
    sentiment: Handle,
    *,
    config: SentimentEvaluationConfig,
) -> None:
    """Score the test reviews' sentiment by each predictor and after each step of unfreezing."""
    evaluation = evaluate_sentiment(
        store.read_table(sentiment, "probabilities"),
        store.manifest(sentiment).metrics["predictor"],
        store.read_table(classifier, "logits"),
        store.read_table(reviews, "reviews").set_index("review_id"),
        config,
    )
    artifact.write_table_fields(evaluation)
    artifact.metrics.update(evaluation.scores.set_index("predictor")["accuracy"].to_dict())


def read_evaluation(store: Store, handle: Handle) -> SentimentEvaluation:
    """The evaluation of a sentiment_evaluation artifact."""
    return SentimentEvaluation(**store.read_table_fields(handle, SentimentEvaluation))
