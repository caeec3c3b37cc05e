"""The classifiers of factors: trained for each fold of items, and what they predict of held-out reviews."""

from typing import Annotated

from latentflix.factors.classifiers import (
    ClassifierConfig,
    Classifiers,
    FoldConfig,
    PredictionConfig,
    choose_reviews,
    merge_classifiers,
    predict_held_out,
    train_classifiers,
)
from latentflix.factors.documents import Documents
from latentflix.factors.labels import Labels
from latentflix.text.cleaning import text_id
from latentflix.text.language_model import LanguageModel
from latentflix.text.token_corpus import TokenCorpus
from tasks.stage import Artifact, Handle, Store, stage


@stage("fold", "classifier-{config.classifier}")
def train_fold(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Handle,
    labels: Handle,
    documents: Handle,
    token_corpus: Handle,
    language_models: Annotated[tuple[Handle, ...], "language_model"],
    config: FoldConfig,
) -> None:
    """Train the classifier of reviews from which a fold of items, or a part of the reviews, is held out."""
    read = choose_reviews(store.read_table(reviews, "reviews"), store.read_field(labels, Labels, "item_ids"), config)
    model, *backward = (store.read(handle, LanguageModel) for handle in language_models)
    corpus = TokenCorpus.load(store, token_corpus)
    classifiers = train_classifiers(
        read,
        corpus.texts(corpus.rows(map(text_id, read["text"])), len(model.vocabulary), config.max_tokens, config.part),
        store.read_table(labels, "items"),
        list(store.read_table(labels, "labels").index),
        store.read_field(documents, Documents, "items")["group"],
        model,
        config,
        next(iter(backward), None),
        [config.classifier],
    )
    artifact.write(classifiers)
    artifact.metrics["rare"] = classifiers.rare["items"].to_dict()


@stage("classifier", "classifier-{config.n_folds}-folds")
def merge_folds(
    artifact: Artifact, store: Store, *, folds: Annotated[tuple[Handle, ...], "fold"], config: ClassifierConfig
) -> None:
    """Put the classifiers of all folds together."""
    classifiers = merge_classifiers([store.read(handle, Classifiers) for handle in folds])
    artifact.write(classifiers)
    artifact.metrics.update(
        folds=config.n_folds, classifiers=len(classifiers.weights), rare=classifiers.rare["items"].to_dict()
    )


@stage("predictions", "predictions-{config.batch_size}")
def predict(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Handle,
    token_corpus: Handle,
    language_model: Handle,
    classifier: Handle,
    config: PredictionConfig,
) -> None:
    """Predict every review with the classifier that has not read about its item."""
    vocabulary = store.read_field(language_model, LanguageModel, "vocabulary")
    classifiers = store.read(classifier, Classifiers)
    read = store.read_table(reviews, "reviews")
    read = read[read["review_id"].isin(classifiers.held_out.index)]
    trained = ClassifierConfig.model_validate(store.manifest(classifier).config)
    corpus = TokenCorpus.load(store, token_corpus)
    predictions = predict_held_out(
        classifiers,
        classifiers.held_out,
        read["review_id"],
        corpus.texts(corpus.rows(map(text_id, read["text"])), len(vocabulary), trained.max_tokens, trained.part),
        vocabulary,
        trained,
        config,
    )
    artifact.write_table("predictions", predictions)
    artifact.metrics["predictions"] = len(predictions)
