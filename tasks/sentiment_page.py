"""The page about sentiment."""

from latentflix.report.sentiment import SentimentFindings, SentimentPageConfig, build_sentiment_page
from tasks.sentiment_evaluation import read_evaluation
from tasks.stage import Artifact, Handle, Store, stage


@stage("sentiment_page", "sentiment_page")
def write_sentiment_page(
    artifact: Artifact,
    store: Store,
    source: Handle,
    reviews: Handle,
    tokens: Handle,
    classifier: Handle,
    words: Handle,
    sentiment: Handle,
    evaluation: Handle,
    *language_models: Handle,
    config: SentimentPageConfig,
) -> None:
    """Build the page from what the stages left."""
    stages = (source, reviews, tokens, *language_models, classifier, words, sentiment, evaluation)
    findings = SentimentFindings(
        evaluation=read_evaluation(store, evaluation),
        predictor=store.manifest(sentiment).metrics["predictor"],
        trials=store.read_table(sentiment, "trials"),
        word_trials=store.read_table(words, "trials"),
        reviews=store.read_table(reviews, "reviews").set_index("review_id"),
        left_out=store.read_table(reviews, "left_out"),
        manifests=[store.manifest(handle) for handle in stages],
    )
    artifact.metrics.update(build_sentiment_page(artifact.folder, findings, config))
