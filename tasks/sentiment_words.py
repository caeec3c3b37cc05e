"""Sentiment by words and phrases."""

from latentflix.sentiment.tfidf import SentimentWordConfig, train_sentiment_words
from tasks.stage import Artifact, Handle, Store, stage


@stage("sentiment_words", "sentiment_words")
def train_words_of_sentiment(artifact: Artifact, store: Store, reviews: Handle, *, config: SentimentWordConfig) -> None:
    """Learn which words tell sentiment, and say what they say of the reviews that were not learned from."""
    trained = train_sentiment_words(store.read_table(reviews, "reviews"), config)
    artifact.write_arrays("words", trained.words.arrays)
    artifact.write_json("words", trained.words.names())
    artifact.write_table("trials", trained.trials)
    artifact.write_table("logits", trained.logits)
    artifact.metrics.update(words=len(trained.words.vocabulary))
