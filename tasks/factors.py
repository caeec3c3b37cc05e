"""The factors: found, given as labels, predicted from reviews, scored and named."""

from typing import Annotated

import pandas as pd

from latentflix.data.ratings import Ratings
from latentflix.data.tags import TAG_TABLES
from latentflix.factors.baselines import (
    BaselineConfig,
    EmbeddingBaselineConfig,
    predict_by_embeddings,
    predict_by_tfidf,
)
from latentflix.factors.classifiers import (
    ClassifierConfig,
    Classifiers,
    PredictionConfig,
    predict_held_out,
)
from latentflix.factors.comparison import CLASSIFIER, ComparisonConfig, compare_methods
from latentflix.factors.crossfit import CrossFit
from latentflix.factors.documents import DocumentConfig, Documents
from latentflix.factors.drift import StoredDriftConfig, compare_histograms, find_new_reviews
from latentflix.factors.extraction import FactorConfig, extract_factors
from latentflix.factors.histograms import HistogramConfig, score_reviews
from latentflix.factors.histograms import count_votes as count_reviews
from latentflix.factors.labels import LabelConfig, label_items
from latentflix.factors.meanings.chat import KEY_VARIABLE, Chat
from latentflix.factors.meanings.llm_names import LlmConfig, name_by_model
from latentflix.factors.meanings.tester import read_name_tests
from latentflix.factors.naming import NameConfig, find_names
from latentflix.factors.tags import TagConfig, compare_with_tags
from latentflix.factors.user_groups import UserGroupConfig, find_user_groups
from latentflix.recommender.halves import read_pairs
from latentflix.recommender.saved_fits import FITS, read_fits
from latentflix.reviews.http.keys import key_for
from latentflix.text.classifier import read_reviews
from latentflix.text.language_model import LanguageModel
from latentflix.text.sentence_embeddings import Embeddings
from tasks.reviews import read_secret
from tasks.stage import Artifact, Handle, Store, stage


@stage("agreement", "agreement-{config.rotation}-{config.n_axes}")
def measure_agreement(
    artifact: Artifact,
    store: Store,
    *,
    ratings: Handle,
    fits: Annotated[tuple[Handle, ...], "collab"],
    config: FactorConfig,
) -> None:
    """Measure how stable the axes of some of the seeds are."""
    some_fits = read_fits(store, fits)
    factors = extract_factors(some_fits, store.read_table(ratings, "items")["ratings"], config)
    artifact.write(factors)
    artifact.metrics.update(fits=len(some_fits), mean_stability=float(factors.axes["stability"].mean()))


@stage("factors", "factors-{config.rotation}-{config.n_axes}")
def extract(
    artifact: Artifact,
    store: Store,
    *,
    ratings: Handle,
    fits: Annotated[tuple[Handle, ...], *FITS],
    halves: tuple[Handle, ...],
    config: FactorConfig,
) -> None:
    """Rotate the item factors of all fits to their common axes, and measure how stable these are."""
    n_ratings = store.read_table(ratings, "items")["ratings"]
    factors = extract_factors(read_fits(store, fits), n_ratings, config, read_pairs(store, halves))
    artifact.write(factors)
    artifact.metrics.update(
        axes=len(factors.axes), **{name: int(factors.axes[name].sum()) for name in ("stable", "shared")}
    )


@stage("labels", "labels-{config.rule}")
def label(artifact: Artifact, store: Store, *, factors: Handle, ratings: Handle, config: LabelConfig) -> None:
    """Label each item with the factors on which it stands far out."""
    n_ratings = store.read_table(ratings, "items")["ratings"]
    labels = label_items(store.read_table(factors, "scores"), store.read_table(factors, "axes"), n_ratings, config)
    artifact.write(labels)
    artifact.metrics.update(labels.summary())


@stage("baseline", "baseline-tfidf")
def predict_tfidf_baseline(
    artifact: Artifact, store: Store, *, reviews: Handle, labels: Handle, classifier: Handle, config: BaselineConfig
) -> None:
    """Predict every review by TF-IDF and logistic regression, on the same folds."""
    held_out = store.read_field(classifier, Classifiers, "held_out")
    predictions = predict_by_tfidf(
        _held_out_reviews(store, reviews, held_out),
        store.read_table(labels, "items"),
        store.read_field(classifier, Classifiers, "labels"),
        held_out,
        config,
    )
    artifact.write_table("predictions", predictions)


@stage("embedding_baseline", "embedding_baseline")
def predict_embedding_baseline(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Handle,
    embeddings: Handle,
    labels: Handle,
    classifier: Handle,
    config: EmbeddingBaselineConfig,
) -> None:
    """Predict every review by its sentence vector and logistic regression, on the same folds."""
    held_out = store.read_field(classifier, Classifiers, "held_out")
    read = _held_out_reviews(store, reviews, held_out)
    predictions = predict_by_embeddings(
        read.reset_index(drop=True),
        store.read(embeddings, Embeddings).features()[read.index],
        store.read_table(labels, "items"),
        store.read_field(classifier, Classifiers, "labels"),
        held_out,
        config,
    )
    artifact.write_table("predictions", predictions)


@stage("comparison", "comparison")
def compare(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Handle,
    labels: Handle,
    classifier: Handle,
    predictions: Handle,
    others: Annotated[tuple[Handle, ...], "baseline", "embedding_baseline"],
    config: ComparisonConfig,
) -> None:
    """Score the classifier beside the baselines on held-out items, with thresholds tuned on other folds."""
    probabilities = {CLASSIFIER: predictions, **{handle.stage: handle for handle in others}}
    comparison = compare_methods(
        {method: store.read_table(handle, "predictions") for method, handle in probabilities.items()},
        store.read_table(reviews, "reviews").set_index("review_id")["item_id"],
        store.read_field(classifier, Classifiers, "folds"),
        store.read_table(labels, "items"),
        store.read_field(classifier, Classifiers, "labels"),
        config,
    )
    artifact.write(comparison)
    artifact.write_table("rare", store.read_field(classifier, Classifiers, "rare"))


@stage("names", "names-{config.n_terms}-terms")
def name_poles(
    artifact: Artifact, store: Store, *, documents: Handle, factors: Handle, ratings: Handle, config: NameConfig
) -> None:
    """Find the words, items and genres that mark each pole, and test the words on other items."""
    names = find_names(
        store.read(documents, Documents),
        store.read_table(factors, "scores"),
        store.read_table(factors, "axes"),
        store.read_table(ratings, "items"),
        config,
    )
    artifact.write(names)
    artifact.metrics.update(tested=len(names.tests), hold=int(names.tests["holds"].sum()))


@stage("tags", "tags-{config.kind}")
def read_tags(
    artifact: Artifact,
    store: Store,
    *,
    source: Annotated[Handle, "datasets", "ratings_source"],
    ratings: Handle,
    documents: Handle,
    factors: Handle,
    positions: Handle,
    names: Handle,
    config: TagConfig,
) -> None:
    """Find the tags that mark each pole, and compare what tags and reviews say of items that were held out."""
    found = compare_with_tags(
        store.read_tables(source, TAG_TABLES),
        store.read_table(ratings, "items"),
        store.read_field(ratings, Ratings, "item_ids"),
        store.read(documents, Documents),
        DocumentConfig.model_validate(store.manifest(documents).config),
        store.read_table(factors, "scores"),
        store.read_table(factors, "axes")["stable"],
        store.read(positions, CrossFit),
        store.read_table(names, "terms"),
        config,
    )
    artifact.write(found)
    artifact.metrics.update(found.summary())


@stage("user_groups", "user_groups")
def find_leanings(
    artifact: Artifact, store: Store, *, ratings: Handle, factors: Handle, config: UserGroupConfig
) -> None:
    """Find the groups of users who lean to a pole."""
    found = find_user_groups(
        store.read_table(ratings, "ratings"),
        store.read_table(ratings, "items"),
        store.read_table(ratings, "users"),
        store.read_table(factors, "scores"),
        store.read_table(factors, "axes")["stable"],
        config,
    )
    artifact.write(found)
    artifact.metrics.update(found.summary())


@stage("llm_names", "llm_names-{config.model}")
def name_by_language_model(
    artifact: Artifact, store: Store, *, documents: Handle, factors: Handle, names: Handle, config: LlmConfig
) -> None:
    """Ask a language model for a phrase for each pole, and test the phrases on items that it was not shown."""
    key = key_for(str(config.address), read_secret(config.secret, KEY_VARIABLE), "the key of the language model")
    chat = Chat(str(config.address), config.model, config.timeout, key)
    found = name_by_model(
        store.read(documents, Documents),
        store.read_table(factors, "scores"),
        store.read_table(factors, "axes")["stable"],
        read_name_tests(store, names),
        chat.ask,
        config,
    )
    artifact.write(found)
    artifact.metrics.update(found.summary())


@stage("histograms", "histograms-{config.source}-top{config.top_k}")
def count_votes(
    artifact: Artifact,
    store: Store,
    *,
    positions: Handle,
    predictions: tuple[Handle, ...],
    labels: Handle,
    reviews: Handle,
    config: HistogramConfig,
) -> None:
    """Count for which labels the reviews of each item vote, with and without the most frequent one."""
    scores = score_reviews(
        store.read_field(positions, CrossFit, "reviews"),
        list(store.read_table(labels, "labels")["axis"].unique()),
        [store.read_table(handle, "predictions") for handle in predictions],
        config,
    )
    item_ids = store.read_table(reviews, "reviews").set_index("review_id")["item_id"]
    shares, most_frequent = count_reviews(scores, item_ids, config)
    artifact.write_table("shares", shares)
    artifact.metrics["most_frequent"] = most_frequent


@stage("drift", "drift-{config.store_version}")
def measure_drift(
    artifact: Artifact,
    store: Store,
    *,
    ratings: Handle,
    reviews: Handle,
    language_model: Handle,
    classifier: Handle,
    predictions: Handle,
    histograms: Handle,
    config: StoredDriftConfig,
) -> None:
    """Predict the reviews that are new since the last run, and compare the histograms."""
    items = store.read_table(ratings, "items")
    read = store.read_table(reviews, "reviews")
    vocabulary = store.read_field(language_model, LanguageModel, "vocabulary")
    classifiers = store.read(classifier, Classifiers)
    trained = ClassifierConfig.model_validate(store.manifest(classifier).config)
    new = find_new_reviews(items, read, classifiers.folds, config)
    predicted = predict_held_out(
        classifiers,
        new.held_out,
        new.reviews["review_id"],
        read_reviews(new.reviews["text"], vocabulary, trained),
        vocabulary,
        trained,
        PredictionConfig(batch_size=config.batch_size),
    )
    drift = compare_histograms(
        (store.read_table(predictions, "predictions"), read),
        (predicted, new.reviews),
        classifiers.labels,
        HistogramConfig.model_validate(store.manifest(histograms).config),
        config,
    )
    artifact.write_table("predictions", predicted)
    artifact.write_table("drift", drift.join(items["title"], on="item_id"))
    artifact.metrics.update(new_reviews=len(new.reviews), items=len(drift), drifted=int(drift["drifted"].sum()))


def _held_out_reviews(store: Store, reviews: Handle, held_out: pd.DataFrame) -> pd.DataFrame:
    """Read the reviews that classifiers were trained on or held out: those of items that labels were asked for."""
    read = store.read_table(reviews, "reviews")
    return read[read["review_id"].isin(held_out.index)]
