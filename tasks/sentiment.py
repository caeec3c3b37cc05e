"""Sentiment of reviews: split by film, predicted by classifier and TF-IDF, scored, and shown."""

from typing import Annotated

from latentflix.data.large_movie import review_links
from latentflix.report.sentiment import SentimentPageConfig, build_sentiment_page
from latentflix.sentiment.classifier import SentimentClassifier, SentimentClassifierConfig, train_sentiment
from latentflix.sentiment.dataset import (
    SentimentReviewConfig,
    SentimentReviews,
    SentimentSourceConfig,
    load_sentiment_source,
    prepare_sentiment,
)
from latentflix.sentiment.evaluation import SentimentEvaluation, SentimentEvaluationConfig, evaluate_sentiment
from latentflix.sentiment.model import SentimentConfig, choose_predictor
from latentflix.sentiment.tfidf import SentimentTfidf, SentimentTfidfConfig, fit_sentiment_tfidf
from latentflix.text.language_model import LanguageModel
from latentflix.text.token_corpus import TokenCorpus
from tasks.stage import Artifact, Handle, Store, stage


@stage("sentiment_source", "sentiment_source")
def read_source(artifact: Artifact, _: Store, *, config: SentimentSourceConfig) -> None:
    """Read labelled reviews from the user's own folder, and name the files that cannot be read."""
    artifact.write_tables(load_sentiment_source(config))


@stage("sentiment_reviews", "sentiment_reviews-seed-{config.seed}")
def split_reviews(
    artifact: Artifact,
    store: Store,
    *,
    corpus: Annotated[Handle, "datasets", "sentiment_source"],
    config: SentimentReviewConfig,
) -> None:
    """Split the films of labelled reviews into train, valid and test."""
    prepared = prepare_sentiment(store.read_table(corpus, "reviews"), review_links(), config)
    artifact.write(prepared)
    artifact.metrics.update(
        parts=prepared.counts(),
        unlabelled=len(prepared.unlabelled),
        left_out=len(prepared.left_out),
        shared_films=prepared.shared_films,
    )


@stage("sentiment_classifier", "sentiment_classifier-{config.max_tokens}-tokens")
def train_classifier(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Annotated[Handle, "sentiment_reviews"],
    token_corpus: Handle,
    language_models: Annotated[tuple[Handle, ...], "language_model"],
    config: SentimentClassifierConfig,
) -> None:
    """Fine-tune the encoder on the train reviews, and predict the others after each step."""
    labelled = store.read_table(reviews, "reviews")
    model, *backward = (store.read(handle, LanguageModel) for handle in language_models)
    corpus = TokenCorpus.load(store, token_corpus)
    tokens = corpus.texts(corpus.rows(labelled["review_id"]), len(model.vocabulary), config.max_tokens, config.part)
    artifact.write(train_sentiment(labelled, tokens, model, config, *backward))


@stage("sentiment_tfidf", "sentiment_tfidf")
def train_tfidf(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Annotated[Handle, "sentiment_reviews"],
    config: SentimentTfidfConfig,
) -> None:
    """Fit TF-IDF to the train reviews, and predict the others."""
    unlabelled = list(store.read_table(reviews, "unlabelled")["text"])
    trained = fit_sentiment_tfidf(store.read_table(reviews, "reviews"), unlabelled, config)
    artifact.write(trained)
    artifact.metrics["words"] = len(trained.model.vocabulary)


@stage("sentiment", "sentiment")
def choose(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Annotated[Handle, "sentiment_reviews"],
    classifier: Annotated[Handle, "sentiment_classifier"],
    tfidf: Annotated[Handle, "sentiment_tfidf"],
    config: SentimentConfig,
) -> None:
    """Choose the predictor that is best on the validation reviews, and keep all that it needs."""
    chosen = choose_predictor(
        store.read(classifier, SentimentClassifier),
        SentimentClassifierConfig.model_validate(store.manifest(classifier).config),
        store.read(tfidf, SentimentTfidf),
        store.read_table(reviews, "reviews").set_index("review_id"),
        config,
    )
    artifact.write(chosen)
    artifact.metrics.update(predictor=chosen.model.predictor, mixture=chosen.model.mixture.tolist())


@stage("sentiment_evaluation", "sentiment_evaluation")
def evaluate(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Annotated[Handle, "sentiment_reviews"],
    classifier: Annotated[Handle, "sentiment_classifier"],
    sentiment: Handle,
    config: SentimentEvaluationConfig,
) -> None:
    """Score each predictor on the test reviews, and the classifier after each step of unfreezing."""
    evaluation = evaluate_sentiment(
        store.read_table(sentiment, "probabilities"),
        store.manifest(sentiment).metrics["predictor"],
        store.read_table(classifier, "logits"),
        store.read_table(reviews, "reviews").set_index("review_id"),
        config,
    )
    artifact.write(evaluation)
    artifact.metrics.update(evaluation.scores.set_index("predictor")["accuracy"].to_dict())


@stage("sentiment_page", "sentiment_page")
def write_page(
    artifact: Artifact,
    store: Store,
    *,
    source: Annotated[Handle, "datasets", "sentiment_source"],
    reviews: Annotated[Handle, "sentiment_reviews"],
    token_corpus: Handle,
    language_models: Annotated[tuple[Handle, ...], "language_model"],
    classifier: Annotated[Handle, "sentiment_classifier"],
    tfidf: Annotated[Handle, "sentiment_tfidf"],
    sentiment: Handle,
    evaluation: Annotated[Handle, "sentiment_evaluation"],
    config: SentimentPageConfig,
) -> None:
    """Build the page from the results of the stages."""
    stages = (source, reviews, token_corpus, *language_models, classifier, tfidf, sentiment, evaluation)
    prepared = store.read(reviews, SentimentReviews)
    figures = build_sentiment_page(
        artifact.folder,
        config,
        evaluation=store.read(evaluation, SentimentEvaluation),
        predictor=store.manifest(sentiment).metrics["predictor"],
        trials=store.read_table(sentiment, "trials"),
        tfidf_trials=store.read_table(tfidf, "trials"),
        reviews=prepared.reviews.set_index("review_id"),
        left_out=prepared.left_out,
        manifests=[store.manifest(handle) for handle in stages],
    )
    artifact.metrics.update(figures)
