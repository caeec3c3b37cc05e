"""The classifiers of reviews, one for each fold of films."""

from latentflix.text.classifier import ClassifierConfig, train_classifiers
from latentflix.text.tokenizer import text_id
from tasks.language_model import read_language_model
from tasks.stage import Artifact, Handle, Store, stage
from tasks.token_corpus import read_token_corpus


@stage("classifier", "classifier-{config.n_folds}-folds")
def train_on_folds(
    artifact: Artifact,
    store: Store,
    reviews: Handle,
    labels: Handle,
    tokens: Handle,
    language_model: Handle,
    *backward: Handle,
    config: ClassifierConfig,
) -> None:
    """Train a classifier for each fold of films, and one on a split over reviews."""
    read = store.read_table(reviews, "reviews")
    model, *others = (read_language_model(store, handle) for handle in (language_model, *backward))
    corpus = read_token_corpus(store, tokens)
    classifiers = train_classifiers(
        read,
        corpus.texts(corpus.rows(map(text_id, read["text"])), len(model.vocabulary), config.max_tokens, config.part),
        store.read_table(labels, "films"),
        list(store.read_table(labels, "labels").index),
        model,
        config,
        *others,
    )
    for name, weights in classifiers.weights.items():
        artifact.write_arrays(f"classifier_{name}", weights)
    artifact.write_json("names", {"labels": classifiers.labels, "classifiers": list(classifiers.weights)})
    artifact.write_table("rare", classifiers.rare)
    artifact.write_table("folds", classifiers.folds.to_frame())
    artifact.write_table("held_out", classifiers.held_out)
    artifact.write_table("history", classifiers.history)
    artifact.metrics.update(classifiers=len(classifiers.weights), rare=classifiers.rare["films"].to_dict())
