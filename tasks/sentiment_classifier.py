"""Sentiment by the language model's encoder."""

from latentflix.sentiment.classifier import SentimentClassifierConfig, train_sentiment
from tasks.language_model import read_language_model
from tasks.stage import Artifact, Handle, Store, stage
from tasks.token_corpus import read_token_corpus


@stage("sentiment_classifier", "sentiment_classifier-{config.max_tokens}-tokens")
def train_sentiment_classifier(
    artifact: Artifact,
    store: Store,
    reviews: Handle,
    tokens: Handle,
    language_model: Handle,
    *backward: Handle,
    config: SentimentClassifierConfig,
) -> None:
    """Fine-tune the encoder on the train reviews, and say after each step what it says of the others."""
    dealt = store.read_table(reviews, "reviews")
    model, *others = (read_language_model(store, handle) for handle in (language_model, *backward))
    corpus = read_token_corpus(store, tokens)
    read = corpus.texts(corpus.rows(dealt["review_id"]), len(model.vocabulary), config.max_tokens, config.part)
    trained = train_sentiment(dealt, read, model, config, *others)
    for name, weights in trained.weights.items():
        artifact.write_arrays(name, weights)
    artifact.write_json("names", {"classifiers": list(trained.weights), "vocabulary": model.vocabulary})
    artifact.write_table("logits", trained.logits)
    artifact.write_table("history", trained.history)
