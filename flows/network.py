"""The network in the full flow: a language model and the classifiers that start from it, and how good they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.steps import Texts, fetch, train_language_models
from latentflix.artifacts import Handle
from latentflix.factors.classifiers import fold_configs
from latentflix.settings import FullSettings
from latentflix.text.sentence_embeddings import with_revision
from tasks import classifiers, factors, readers, text
from tasks.stage import StageRunner


@dataclass(frozen=True)
class Network:
    """What the network made, if it ran. stages: all its artifacts; the others are among them, one or none each."""

    stages: Sequence[Handle] = ()
    classifier: Sequence[Handle] = ()
    predictions: Sequence[Handle] = ()
    positions: Sequence[Handle] = ()


def train_network(
    run: StageRunner, texts: Texts, labels: Handle, documents: Handle, axes: Handle, settings: FullSettings
) -> Network:
    """Train the language model and a classifier for each fold of items, and place the items by them."""
    corpus = texts.corpus or [fetch(run, settings, settings.reviews.corpus)]
    tokens = run(text.tokenize, reviews=[*corpus, *texts.stored], config=settings.token_corpus)
    language_models = train_language_models(run, tokens, texts.joined, settings)
    folds = run.map(
        classifiers.train_fold,
        reviews=texts.joined,
        labels=labels,
        documents=documents,
        token_corpus=tokens,
        language_models=language_models,
        configs=fold_configs(settings.classifier),
    )
    classifier = run(classifiers.merge_folds, folds=folds, config=settings.classifier)
    read = {"reviews": texts.joined, "token_corpus": tokens, "language_model": language_models[0]}
    predictions = run(classifiers.predict, **read, classifier=classifier, config=settings.predictions)
    positions = run(
        readers.place_by_network,
        **read,
        classifier=classifier,
        predictions=predictions,
        documents=documents,
        factors=axes,
        config=settings.predictions,
    )
    stages = [tokens, language_models[0], classifier, predictions, positions]
    return Network(stages, [classifier], [predictions], [positions])


def embed_texts(run: StageRunner, joined: Handle, settings: FullSettings) -> list[Handle]:
    """Compute the sentence vectors of the texts, if anything reads them."""
    if not (settings.readers.sentences or (settings.network and settings.comparison.sentences)):
        return []
    folders = {"data_dir": settings.data_dir, "cache_dir": settings.cache_dir}
    config = with_revision(settings.embeddings.model_copy(update=folders))
    return [run(text.embed, source=joined, config=config)]


def judge_network(
    run: StageRunner,
    network: Network,
    texts: Texts,
    labels: Handle,
    evaluation: Handle,
    embeddings: Sequence[Handle],
    settings: FullSettings,
) -> list[Handle]:
    """Score the labels that the network predicts, and compare it with other methods: the artifacts that this made."""
    (classifier,), (predictions,) = network.classifier, network.predictions
    known = {"reviews": texts.joined, "labels": labels, "classifier": classifier}
    baseline = run(factors.predict_tfidf_baseline, **known, config=settings.baseline)
    scored = run(
        readers.evaluate_labels,
        **known,
        predictions=predictions,
        baseline=baseline,
        evaluation=evaluation,
        config=settings.evaluation,
    )
    others = [baseline]
    if settings.comparison.sentences:
        others.append(
            run(
                factors.predict_embedding_baseline,
                **known,
                embeddings=embeddings[0],
                config=settings.embedding_baseline,
            )
        )
    comparison = run(factors.compare, **known, predictions=predictions, others=others, config=settings.comparison)
    return [baseline, scored, comparison]
