"""Labelled reviews, dealt by film."""

from latentflix.reviews.join import review_links
from latentflix.sentiment.dataset import SentimentReviewConfig, prepare_sentiment
from tasks.stage import Artifact, Handle, Store, stage


@stage("sentiment_reviews", "sentiment_reviews-seed-{config.seed}")
def deal_labelled_reviews(artifact: Artifact, store: Store, corpus: Handle, *, config: SentimentReviewConfig) -> None:
    """Deal the films of labelled reviews into what is learned from, chosen on and scored."""
    prepared = prepare_sentiment(store.read_table(corpus, "reviews"), review_links(), config)
    artifact.write_table_fields(prepared)
    artifact.metrics.update(
        parts=prepared.counts(), left_out=len(prepared.left_out), shared_films=prepared.shared_films
    )
