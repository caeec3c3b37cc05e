"""A language model of reviews: fastai's AWD-LSTM, from scratch or from weights pretrained on WikiText-103."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from fastai.callback.rnn import rnn_cbs
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import Perplexity, accuracy
from fastai.text.learner import match_embeds
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config, awd_lstm_lm_split
from fastai.text.models.core import SequentialRNN, get_language_model

from latentflix.config import StageConfig, setting
from latentflix.errors import ModelError
from latentflix.text.batches import LanguageModelBatches, choose_texts
from latentflix.text.checkpoints import CheckpointCallback, read_checkpoint, restore_optimiser
from latentflix.text.distributed import SharedGradients, rank, world_size
from latentflix.text.generation import generate_texts
from latentflix.text.token_corpus import TokenCorpus
from latentflix.training import LRFinderResult, find_learning_rate, make_learner, pick_device

logger = logging.getLogger(__name__)

Direction = Literal["forward", "backward"]


class LanguageModelConfig(StageConfig):
    """The language model and how it is trained."""

    pretrained: bool = setting(False, "start from fastai's WikiText-103 weights; the sizes must be theirs")
    vocabulary_size: int = setting(4000, "number of most frequent tokens in the vocabulary", ge=100, le=100_000)
    min_frequency: int = setting(3, "times a token must occur to be in the vocabulary", ge=1)
    embedding_size: int = setting(128, "width of the embedding and of the encoder's output", ge=8)
    hidden_size: int = setting(384, "width of the LSTM layers but the last, which is as wide as the embedding", ge=8)
    n_layers: int = setting(1, "LSTM layers", ge=1, le=8)
    dropout: float = setting(0.1, "factor on all of AWD-LSTM's dropouts", gt=0, le=2)
    max_tokens: int = setting(2_000_000, "tokens of the corpus to train on; the rest is ignored", ge=1000)
    batch_size: int = setting(16, "parallel streams of text, in all processes together", ge=1)
    sequence_length: int = setting(72, "tokens per step", ge=2)
    frozen_epochs: int = setting(0, "epochs with all but the embedding frozen", ge=0)
    frozen_learning_rate: float = setting(2e-2, "peak of their schedule", gt=0)
    epochs: int = setting(1, "epochs in which everything learns", ge=1)
    learning_rate: float = setting(1e-2, "peak of their schedule", gt=0)
    weight_decay: float = setting(0.1, "decoupled weight decay", ge=0)
    valid_share: float = setting(0.02, "share of the texts held out for validation", gt=0, lt=1)
    direction: Direction = setting("forward", "forward predicts the next token, backward the previous one")
    bidirectional: bool = setting(False, "train a model for each direction")
    rate_steps: int = setting(100, "steps of the learning-rate finder; fewer than 20: it is skipped", ge=0, le=10_000)
    prompt: str = setting("I liked this movie because", "prompt that the model continues, for the report")
    sentences: int = setting(3, "continuations to write", ge=0, le=100)
    sentence_words: int = setting(40, "tokens of a continuation", ge=1, le=1000)
    temperature: float = setting(0.75, "below 1, likely tokens become likelier", gt=0, le=10)
    seed: int = setting(0, "seed of the choice of texts and of the weights", ge=0)
    # Like the device, it changes rounding and dropout, but not the data.
    processes: int | None = setting(
        None, "processes that train it together; not given: one per GPU, or one", ge=1, exclude=True
    )


@dataclass(frozen=True)
class LanguageModel:
    """weights: name to float32 array, as in fastai's AWD-LSTM language model. vocabulary: the token of each id."""

    weights: dict[str, np.ndarray]
    vocabulary: list[str]


@dataclass(frozen=True)
class TrainedLanguageModel:
    """A language model, and how its training went.

    Attributes:
        texts: how many texts it could be trained on.
        history: one row per epoch: train_loss, valid_loss, accuracy, perplexity, tokens.
        rates: what the learning-rate finder found, if it ran.
        sentences: column sentence, what the model wrote; empty if it reads backward.
    """

    model: LanguageModel
    texts: int
    history: pd.DataFrame
    rates: LRFinderResult
    sentences: pd.DataFrame


def encoder_sizes(weights: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The sizes of an AWD-LSTM encoder, by fastai's names. Raises ModelError if the weights have none."""
    recurrent = [weight.shape for name, weight in weights.items() if name.endswith(".weight_hh_l0_raw")]
    embedding = [weight.shape for name, weight in weights.items() if name.endswith("encoder.weight")]
    if not recurrent or not embedding:
        raise ModelError(
            "these are not the weights of an AWD-LSTM",
            found=", ".join(list(weights)[:5]),
            expected="an encoder.weight and a weight_hh_l0_raw for each layer",
        )
    return {"emb_sz": embedding[0][1], "n_hid": recurrent[0][1], "n_layers": len(recurrent)}


def direction_configs(config: LanguageModelConfig) -> list[LanguageModelConfig]:
    """One config per direction to train, the forward one first."""
    if not config.bidirectional:
        return [config]
    directions: tuple[Direction, ...] = ("forward", "backward")
    return [config.model_copy(update={"direction": each, "bidirectional": False}) for each in directions]


def train_language_model(
    corpus: TokenCorpus,
    rows: np.ndarray,
    config: LanguageModelConfig,
    pretrained: LanguageModel | None = None,
    checkpoints: Path | None = None,
) -> TrainedLanguageModel:
    """Train a model to predict the next token of reviews, or the previous one.

    Each process of `run_processes` reads its part of every batch, and all end with the same weights. Raises
    TrainingError if the loss is NaN or infinite, and ModelError if the pretrained weights have other sizes.

    Args:
        rows: the texts to choose from, at random, until `max_tokens` are reached.
        checkpoints: a folder; an interrupted training continues from what it left there.
    """
    torch.manual_seed(config.seed)
    random = np.random.default_rng(config.seed)
    vocabulary = corpus.vocabulary[: corpus.vocabulary_size(config.vocabulary_size, config.min_frequency)]
    texts = corpus.texts(choose_texts(corpus, rows, random, config.max_tokens), len(vocabulary), config.max_tokens)
    if config.direction == "backward":
        texts = [text[::-1] for text in texts]
    n_valid = max(round(len(texts) * config.valid_share), 1)
    valid, train = texts[:n_valid], texts[n_valid:]
    n_tokens = sum(map(len, train))
    logger.info("language model, %s: %s tokens of %s texts", config.direction, f"{n_tokens:,}", f"{len(train):,}")
    model = build_language_model(len(vocabulary), config)
    if pretrained:
        load_pretrained(model, pretrained, vocabulary)
    learner = make_learner(
        f"language model, {config.direction}",
        LanguageModelBatches(train, config.batch_size, config.sequence_length, random, rank(), world_size()),
        LanguageModelBatches(valid, config.batch_size, config.sequence_length),
        model,
        loss_func=CrossEntropyLossFlat(),
        splitter=awd_lstm_lm_split,
        metrics=[accuracy, Perplexity()],
        n_epochs=config.frozen_epochs + config.epochs,
        device=pick_device(rank()),
        cbs=rnn_cbs(alpha=2, beta=1),
        moms=(0.8, 0.7, 0.8),
    )
    with learner.no_logging():
        if config.frozen_epochs:
            learner.freeze()
        # Where it ends, `_fit` broadcasts the weights to the others.
        rates = find_learning_rate(learner, config.rate_steps if rank() == 0 else 0)
        history = _fit(learner, config, checkpoints)
    table = pd.DataFrame(history, columns=["train_loss", "valid_loss", "accuracy", "perplexity"])
    n_sentences = config.sentences if config.direction == "forward" else 0
    sentences = generate_texts(model, vocabulary, config.prompt, config.sentence_words, config.temperature, n_sentences)
    return TrainedLanguageModel(
        LanguageModel(model_weights(model), vocabulary),
        len(rows),
        table.assign(tokens=n_tokens),
        rates,
        pd.DataFrame({"sentence": sentences}, dtype="str"),
    )


def _fit(learner: Learner, config: LanguageModelConfig, checkpoints: Path | None) -> list[list[float]]:
    """Train, continuing an interrupted run; the losses and metrics of each epoch."""
    checkpoint = read_checkpoint(checkpoints) if checkpoints else None
    history: list[list[float]] = []
    if checkpoint:
        learner.model.load_state_dict(checkpoint.weights)
        history += checkpoint.history
        logger.info("%s continues after epoch %d", learner.training_progress.title, len(history))
    callbacks = [CheckpointCallback(config.seed, history, checkpoints if rank() == 0 else None), SharedGradients()]
    before = 0
    for freeze, n_epochs, rate in (
        (learner.freeze, config.frozen_epochs, config.frozen_learning_rate),
        (learner.unfreeze, config.epochs, config.learning_rate),
    ):
        done = len(history) - before
        if done < n_epochs:
            freeze()
            if checkpoint and done:
                restore_optimiser(learner, checkpoint)
            learner.training_progress.done = before
            learner.fit_one_cycle(n_epochs, rate, wd=config.weight_decay, cbs=callbacks, start_epoch=done)
        before += n_epochs
    return history


def build_language_model(vocabulary_size: int, config: LanguageModelConfig) -> SequentialRNN:
    """fastai's AWD-LSTM language model with fresh weights."""
    sizes = {"emb_sz": config.embedding_size, "n_hid": config.hidden_size, "n_layers": config.n_layers}
    return get_language_model(AWD_LSTM, vocabulary_size, {**awd_lstm_lm_config, **sizes}, drop_mult=config.dropout)


def load_pretrained(model: torch.nn.Module, pretrained: LanguageModel, vocabulary: list[str]) -> None:
    """Load pretrained weights of another vocabulary; new tokens get the mean embedding. Raises as `load_weights`."""
    tensors = {name: torch.as_tensor(weight) for name, weight in pretrained.weights.items()}
    load_weights(model, match_embeds(tensors, pretrained.vocabulary, vocabulary))


def load_weights(model: torch.nn.Module, weights: Mapping[str, np.ndarray | torch.Tensor]) -> None:
    """Load weights by name. Raises ModelError, naming the first that is missing or has another shape."""
    for name, expected in model_weights(model).items():
        found = tuple(weights[name].shape) if name in weights else "no such weight"
        if found != expected.shape:
            raise ModelError(
                "weights do not fit the model",
                where=name,
                found=str(found),
                expected=str(expected.shape),
                hint="use the sizes and the vocabulary that the weights were trained with",
            )
    model.load_state_dict({name: torch.as_tensor(weight) for name, weight in weights.items()}, strict=False)


def model_weights(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """The weights and running statistics of a model by name; a tied weight only once."""
    seen: set[int] = set()
    weights = {}
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            weights[name] = tensor.detach().cpu().numpy().copy()
    return weights
