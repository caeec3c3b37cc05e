"""The readers: what they read, where they place items that they have not read about, and how good that is."""

from typing import Annotated

from latentflix.data.ratings import Ratings
from latentflix.data.title_plots import plots_of_items
from latentflix.factors.classifiers import ClassifierConfig, Classifiers, PredictionConfig
from latentflix.factors.crossfit import CrossFit, cross_fit_repeats, merge_repeats, read_without_kind
from latentflix.factors.documents import (
    DocumentConfig,
    Documents,
    LeftOutConfig,
    gather_documents,
    leave_out_kind,
    review_parts,
    separable_kinds,
)
from latentflix.factors.evaluation import evaluate_predictions
from latentflix.factors.inference import EvaluationConfig, score_positions
from latentflix.factors.network import NetworkPositions, place_items
from latentflix.factors.reader_model import fit_reader as fit_reader_model
from latentflix.factors.readers.metadata import mean_ratings
from latentflix.factors.readers.registry import Readers, ReadersConfig, RepeatsConfig, build_readers
from latentflix.factors.readers.tfidf import WordReader
from latentflix.factors.readers.topics import NONE_HELD_OUT, TopicReader, find_topics
from latentflix.text.cleaning import text_id
from latentflix.text.language_model import LanguageModel
from latentflix.text.sentence_embeddings import read_review_vectors
from latentflix.text.token_corpus import TokenCorpus
from tasks.stage import Artifact, Handle, Store, stage


@stage("documents", "documents-{config.min_ratings}-ratings")
def gather(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Handle,
    ratings: Handle,
    plots: Annotated[tuple[Handle, ...], "datasets"],
    config: DocumentConfig,
) -> None:
    """Gather what is known of each item in words."""
    items = store.read_table(ratings, "items")
    known = next((plots_of_items(items, store.read_table(handle, "plots")) for handle in plots), None)
    documents = gather_documents(store.read_table(reviews, "reviews"), items, config, known)
    artifact.write(documents)
    artifact.metrics.update(
        items=len(documents.items),
        parts=len(documents.parts),
        reviews=len(review_parts(documents)),
        repeated=documents.repeated,
        separable_kinds=separable_kinds(documents),
    )


@stage("documents", "documents-without-{config.kind}")
def leave_out(artifact: Artifact, store: Store, *, documents: Handle, config: LeftOutConfig) -> None:
    """Leave the texts of a kind out of the documents."""
    artifact.write(leave_out_kind(store.read(documents, Documents), config))


@stage("topics", "topics-{config.topics.n_topics}")
def learn_topics(
    artifact: Artifact,
    store: Store,
    *,
    documents: Handle,
    reviews: Handle,
    corpus: Annotated[Handle, "datasets"],
    config: ReadersConfig,
) -> None:
    """Learn topics from texts of other items, and find those of the documents."""
    vectors = find_topics(
        store.read(documents, Documents),
        store.read_table(corpus, "reviews")["text"],
        store.read_table(reviews, "unread")["text_id"],
        config.topics,
        mask=config.mask_names,
    )
    artifact.write(TopicReader(vectors))
    artifact.metrics["topics"] = vectors.shape[1]


@stage("topics", "topics-{config.topics.n_topics}")
def learn_own_topics(artifact: Artifact, store: Store, *, documents: Handle, config: ReadersConfig) -> None:
    """Learn topics from the documents themselves, where there are no texts of other items."""
    read = store.read(documents, Documents)
    vectors = find_topics(read, read.parts["text"], NONE_HELD_OUT, config.topics, mask=config.mask_names)
    artifact.write(TopicReader(vectors))
    artifact.metrics["topics"] = vectors.shape[1]


@stage("repeats", "repeats-{config.repeats}")
def predict_repeats(
    artifact: Artifact,
    store: Store,
    *,
    documents: Handle,
    factors: Handle,
    ratings: Handle,
    reviews: Handle,
    topics: Handle,
    embeddings: tuple[Handle, ...],
    config: RepeatsConfig,
) -> None:
    """Predict the position of each item by readers that have not learned from it, for permuted positions too."""
    read = store.read(documents, Documents)
    readers = load_readers(store, read, ratings, reviews, topics, embeddings, config)
    artifact.write(cross_fit_repeats(read, store.read_table(factors, "scores"), readers, config, config.repeats))


@stage("positions", "positions-{config.n_repeats}x{config.n_folds}-folds")
def merge_positions(artifact: Artifact, store: Store, *, repeats: tuple[Handle, ...], config: ReadersConfig) -> None:
    """Put the repeats together."""
    artifact.write(merge_repeats([store.read(handle, CrossFit) for handle in repeats]))
    artifact.metrics["repeats"] = config.n_repeats


@stage("network", "network-positions")
def place_by_network(
    artifact: Artifact,
    store: Store,
    *,
    reviews: Handle,
    token_corpus: Handle,
    language_model: Handle,
    classifier: Handle,
    predictions: Handle,
    documents: Handle,
    factors: Handle,
    config: PredictionConfig,
) -> None:
    """Place each item by the network that has not read about it."""
    classifiers = store.read(classifier, Classifiers)
    read = store.read_table(reviews, "reviews").set_index("review_id").loc[classifiers.held_out.index].reset_index()
    vocabulary = store.read_field(language_model, LanguageModel, "vocabulary")
    trained = ClassifierConfig.model_validate(store.manifest(classifier).config)
    corpus = TokenCorpus.load(store, token_corpus)
    placed = place_items(
        classifiers,
        store.read_table(predictions, "predictions"),
        read,
        corpus.texts(corpus.rows(map(text_id, read["text"])), len(vocabulary), trained.max_tokens, trained.part),
        vocabulary,
        store.read(documents, Documents),
        store.read_table(factors, "scores"),
        trained,
        config,
    )
    artifact.write(placed)
    artifact.metrics.update(placed.summary())


@stage("evaluation", "evaluation-{config.permutations}-permutations")
def evaluate(
    artifact: Artifact,
    store: Store,
    *,
    factors: Handle,
    documents: Handle,
    positions: Handle,
    without_kind: Annotated[tuple[Handle, ...], "positions"],
    network: tuple[Handle, ...],
    config: EvaluationConfig,
) -> None:
    """Score the positions predicted of items that were held out.

    without_kind: positions predicted without each kind of text of the documents, if there are several. network: those
    that the network predicts, if it ran.
    """
    placed = [store.read(handle, NetworkPositions) for handle in network]
    scores = score_positions(
        store.read(positions, CrossFit),
        store.read(documents, Documents),
        store.read_table(factors, "scores"),
        store.read_table(factors, "axes")["stable"],
        next(iter(placed), None),
        config,
        read_without_kind(store, documents, without_kind),
    )
    artifact.write_table("axes", scores.axes)
    artifact.write_table("readers", scores.readers)
    artifact.write_table("kinds", scores.kinds)
    artifact.metrics.update(scores.summary())


@stage("label_evaluation", "label_evaluation")
def evaluate_labels(
    artifact: Artifact,
    store: Store,
    *,
    predictions: Handle,
    baseline: Handle,
    reviews: Handle,
    classifier: Handle,
    labels: Handle,
    evaluation: Handle,
    config: EvaluationConfig,
) -> None:
    """Score the labels predicted of items whose reviews were held out."""
    found = evaluate_predictions(
        store.read_table(predictions, "predictions"),
        store.read_table(baseline, "predictions"),
        store.read_table(reviews, "reviews").set_index("review_id")["item_id"],
        store.read_field(classifier, Classifiers, "folds"),
        store.read_table(labels, "items"),
        store.read_field(classifier, Classifiers, "labels"),
        store.manifest(evaluation).metrics["null_inflation"],
        config,
    )
    artifact.write_table("labels", found.labels)
    artifact.metrics.update(found.overall)


@stage("reader", "reader")
def fit_reader(
    artifact: Artifact, store: Store, *, documents: Handle, positions: Handle, factors: Handle, config: ReadersConfig
) -> None:
    """Fit the reader of words to all items, so that it can read any text."""
    read = store.read(documents, Documents)
    model = fit_reader_model(
        WordReader.read(read, config.words, mask=config.mask_names),
        store.read_table(factors, "scores").loc[read.items.index],
        read.items["weight"].to_numpy(),
        review_parts(read),
        store.read_field(positions, CrossFit, "reviews"),
    )
    artifact.write(model)
    artifact.metrics["words"] = len(model.words)


def load_readers(
    store: Store,
    documents: Documents,
    ratings: Handle,
    reviews: Handle,
    topics: Handle,
    embeddings: tuple[Handle, ...],
    config: ReadersConfig,
) -> Readers:
    """Build the readers of documents from the artifacts of what they read."""
    items = store.read_table(ratings, "items")
    return build_readers(
        documents,
        items,
        mean_ratings(
            store.read_table(ratings, "ratings"),
            items,
            interactions=store.read_field(ratings, Ratings, "interactions"),
        ),
        store.read(topics, TopicReader).vectors,
        read_review_vectors(store, reviews, embeddings),
        config,
    )
