"""The language model of reviews."""

from pathlib import Path

from latentflix.text.distributed import n_processes, run_processes
from latentflix.text.language_model import (
    LanguageModel,
    LanguageModelConfig,
    TrainedLanguageModel,
    train_language_model,
)
from latentflix.text.pretrained import PretrainedModel
from tasks.stage import Artifact, Handle, Store, stage
from tasks.token_corpus import read_token_corpus


@stage("language_model", "language-model-{config.direction}-{config.embedding_size}x{config.n_layers}")
def train_on_corpus(
    artifact: Artifact, store: Store, tokens: Handle, reviews: Handle, *pretrained: Handle, config: LanguageModelConfig
) -> None:
    """Train a language model on all reviews that may be read, from pretrained weights if there are any."""
    sources = (store, tokens, reviews, pretrained)
    trained = run_processes(n_processes(config.processes), _train, *sources, config, artifact.checkpoints)
    artifact.write_arrays("weights", trained.model.weights)
    artifact.write_json("vocabulary", trained.model.vocabulary)
    artifact.write_table("history", trained.history)
    artifact.write_table("rates", trained.rates.curve)
    artifact.write_table("sentences", trained.sentences)
    artifact.metrics.update(
        texts=trained.texts, suggested_rate=trained.rates.suggested, **trained.history.iloc[-1].to_dict()
    )


def _train(
    store: Store,
    tokens: Handle,
    reviews: Handle,
    pretrained: tuple[Handle, ...],
    config: LanguageModelConfig,
    checkpoints: Path,
) -> TrainedLanguageModel:
    """What every process does that trains the model."""
    corpus = read_token_corpus(store, tokens)
    rows = corpus.other_rows(store.read_table(reviews, "unread")["text_id"])
    starts = (PretrainedModel(store.read_arrays(h, "weights"), store.read_json(h, "vocabulary")) for h in pretrained)
    return train_language_model(corpus, rows, config, next(starts, None), checkpoints)


def read_language_model(store: Store, handle: Handle) -> LanguageModel:
    """The language model of a language_model artifact."""
    return LanguageModel(store.read_arrays(handle, "weights"), store.read_json(handle, "vocabulary"))
