"""Sentiment: the predictor that is best on validation."""

from latentflix.sentiment.classifier import NETWORK, SentimentClassifierConfig
from latentflix.sentiment.model import SentimentConfig, SentimentModel, choose_predictor
from latentflix.text.tfidf import restore_words
from tasks.stage import Artifact, Handle, Store, stage


@stage("sentiment", "sentiment")
def choose_sentiment_predictor(
    artifact: Artifact, store: Store, reviews: Handle, classifier: Handle, words: Handle, *, config: SentimentConfig
) -> None:
    """Weigh network and words on the validation reviews, choose among them, and keep all that telling needs."""
    logits = store.read_table(words, "logits").assign(**{NETWORK: store.read_table(classifier, "logits").iloc[:, -1]})
    known = store.read_table(reviews, "reviews").set_index("review_id")
    chosen = choose_predictor(logits, known, config)
    names = store.read_json(classifier, "names")
    model = SentimentModel(
        predictor=chosen.predictor,
        mixture=chosen.mixtures[chosen.predictor],
        vocabulary=names["vocabulary"],
        classifiers={name: store.read_arrays(classifier, name) for name in names["classifiers"]},
        unfreezing=SentimentClassifierConfig.model_validate(store.manifest(classifier).config),
        words=restore_words(store.read_arrays(words, "words"), store.read_json(words, "words"), 1),
    )
    artifact.write_arrays("model", model.arrays())
    artifact.write_json("model", model.names())
    artifact.write_table("trials", chosen.trials)
    artifact.write_table("probabilities", chosen.probabilities)
    artifact.metrics.update(predictor=chosen.predictor, mixture=model.mixture.tolist())
