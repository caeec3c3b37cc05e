"""The factors of every review."""

from latentflix.text.classifier import ClassifierConfig
from latentflix.text.predictions import PredictionConfig, predict_held_out
from latentflix.text.tokenizer import text_id
from tasks.stage import Artifact, Handle, Store, stage
from tasks.token_corpus import read_token_corpus


@stage("predictions", "predictions-{config.batch_size}")
def predict_all_reviews(
    artifact: Artifact,
    store: Store,
    reviews: Handle,
    tokens: Handle,
    language_model: Handle,
    classifier: Handle,
    *,
    config: PredictionConfig,
) -> None:
    """Predict every review with the classifier that has not read about its film."""
    read = store.read_table(reviews, "reviews")
    vocabulary = store.read_json(language_model, "vocabulary")
    names = store.read_json(classifier, "names")
    trained_as = ClassifierConfig.model_validate(store.manifest(classifier).config)
    corpus = read_token_corpus(store, tokens)
    predictions = predict_held_out(
        {name: store.read_arrays(classifier, f"classifier_{name}") for name in names["classifiers"]},
        store.read_table(classifier, "held_out"),
        read["review_id"],
        corpus.texts(corpus.rows(map(text_id, read["text"])), len(vocabulary), trained_as.max_tokens, trained_as.part),
        vocabulary,
        names["labels"],
        trained_as,
        config,
    )
    artifact.write_table("predictions", predictions)
    artifact.metrics["predictions"] = len(predictions)
