"""A language model of reviews: fastai's AWD-LSTM, from scratch or from weights pretrained on WikiText-103."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from fastai.callback.rnn import rnn_cbs
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import Perplexity, accuracy
from fastai.text.learner import match_embeds
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config, awd_lstm_lm_split
from fastai.text.models.core import get_language_model

from latentflix.config import StageConfig, setting
from latentflix.errors import InvalidWeights, TooFewFilms
from latentflix.pretrained import PretrainedModel
from latentflix.token_corpus import TokenCorpus
from latentflix.training import make_learner

logger = logging.getLogger(__name__)


class LanguageModelConfig(StageConfig):
    """The language model and how it is trained."""

    pretrained: bool = setting(False, "start from fastai's WikiText-103 weights; the sizes must be theirs")
    vocabulary_size: int = setting(8000, "most frequent tokens that get an id", ge=100, le=100_000)
    min_frequency: int = setting(3, "times a token must occur to get an id", ge=1)
    embedding_size: int = setting(128, "width of the embedding and of the encoder's output", ge=8)
    hidden_size: int = setting(384, "width of the LSTM layers but the last, which is as wide as the embedding", ge=8)
    n_layers: int = setting(1, "LSTM layers", ge=1, le=8)
    dropout: float = setting(0.1, "factor on all of AWD-LSTM's dropouts", gt=0, le=2)
    max_tokens: int = setting(1_000_000, "tokens of the corpus that are read; the rest is left", ge=1000)
    batch_size: int = setting(32, "texts side by side", ge=1)
    sequence_length: int = setting(72, "tokens a step", ge=2)
    frozen_epochs: int = setting(0, "passes with all but the embedding frozen", ge=0)
    frozen_learning_rate: float = setting(2e-2, "peak of their schedule", gt=0)
    epochs: int = setting(1, "passes with everything learning", ge=1)
    learning_rate: float = setting(1e-2, "peak of their schedule", gt=0)
    weight_decay: float = setting(0.1, "decoupled weight decay", ge=0)
    valid_share: float = setting(0.02, "share of the texts held out to watch the fit", gt=0, lt=1)
    seed: int = setting(0, "seed of the choice of texts and of the weights", ge=0)


@dataclass(frozen=True)
class LanguageModel:
    """weights: name to float32 array, as in fastai's AWD-LSTM language model. vocabulary: the token of each id."""

    weights: dict[str, np.ndarray]
    vocabulary: list[str]


class TokenStream:
    """Texts as one stream, cut into `batch_size` stretches side by side, read `sequence_length` tokens at a time.

    A batch is (tokens, the tokens that follow), both int64 (batch_size, up to sequence_length). Texts change their
    order from epoch to epoch if shuffled. Source: fastai `LMDataLoader`.
    """

    def __init__(
        self,
        texts: Sequence[np.ndarray],
        batch_size: int,
        sequence_length: int,
        shuffle: np.random.Generator | None = None,
    ) -> None:
        """Keep the texts' ids; raise TooFewFilms if they do not fill one step."""
        self.texts, self.sequence_length, self.shuffle = texts, sequence_length, shuffle
        n_tokens = sum(map(len, texts)) - 1
        self.batch_size = min(batch_size, max(n_tokens // 2, 1))
        self.stretch = n_tokens // self.batch_size
        if self.stretch < 1:
            raise TooFewFilms(
                "the review corpus is too small for a language model",
                found=f"{n_tokens + 1} tokens in {len(texts)} texts",
                expected="some hundred at the least",
            )

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.stretch // self.sequence_length)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch."""
        order = self.shuffle.permutation(len(self.texts)) if self.shuffle else range(len(self.texts))
        stream = torch.from_numpy(np.concatenate([self.texts[index] for index in order]))
        end = self.stretch * self.batch_size
        shape = (self.batch_size, self.stretch)
        tokens, following = stream[:end].view(shape), stream[1 : end + 1].view(shape)
        for start in range(0, self.stretch, self.sequence_length):
            stop = start + self.sequence_length
            yield tokens[:, start:stop], following[:, start:stop]


def encoder_sizes(weights: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The sizes of the AWD-LSTM encoder whose weights these are, by the names that fastai gives them.

    weights: those of a language model or of a classifier. Raises InvalidWeights if there is no encoder among them.
    """
    recurrent = [weight.shape for name, weight in weights.items() if name.endswith(".weight_hh_l0_raw")]
    embedding = [weight.shape for name, weight in weights.items() if name.endswith("encoder.weight")]
    if not recurrent or not embedding:
        raise InvalidWeights(
            "these are not the weights of an AWD-LSTM",
            found=", ".join(list(weights)[:5]),
            expected="an encoder.weight and a weight_hh_l0_raw for each layer",
        )
    return {"emb_sz": embedding[0][1], "n_hid": recurrent[0][1], "n_layers": len(recurrent)}


def train_language_model(
    corpus: TokenCorpus, rows: np.ndarray, config: LanguageModelConfig, pretrained: PretrainedModel | None = None
) -> tuple[LanguageModel, pd.DataFrame]:
    """Learn to say the next token of reviews.

    rows: the texts of the corpus that may be read; they are read in an order drawn from the seed until `max_tokens` are
    reached. Returns the model and a table,
    one row an epoch: train_loss, valid_loss, accuracy, perplexity, tokens (read in the epoch). Raises
    TrainingDiverged if the loss is no number, InvalidWeights if pretrained weights have other sizes than the config.
    """
    torch.manual_seed(config.seed)
    random = np.random.default_rng(config.seed)
    vocabulary = corpus.vocabulary[: corpus.vocabulary_size(config.vocabulary_size, config.min_frequency)]
    chosen = corpus.texts(choose_texts(corpus, rows, random, config.max_tokens), len(vocabulary), config.max_tokens)
    n_valid = max(round(len(chosen) * config.valid_share), 1)
    valid, train = chosen[:n_valid], chosen[n_valid:]

    model = get_language_model(
        AWD_LSTM,
        len(vocabulary),
        {
            **awd_lstm_lm_config,
            "emb_sz": config.embedding_size,
            "n_hid": config.hidden_size,
            "n_layers": config.n_layers,
        },
        drop_mult=config.dropout,
    )
    if pretrained:
        load_pretrained(model, pretrained, vocabulary)
    learner = make_learner(
        "language model",
        TokenStream(train, config.batch_size, config.sequence_length, random),
        TokenStream(valid, config.batch_size, config.sequence_length),
        model,
        loss_func=CrossEntropyLossFlat(),
        splitter=awd_lstm_lm_split,
        metrics=[accuracy, Perplexity()],
        cbs=rnn_cbs(alpha=2, beta=1),
        moms=(0.8, 0.7, 0.8),
    )
    epochs: list[list[float]] = []
    with learner.no_logging():
        if config.frozen_epochs:
            learner.freeze()
            learner.fit_one_cycle(config.frozen_epochs, config.frozen_learning_rate, wd=config.weight_decay)
            epochs += learner.recorder.values
        learner.unfreeze()
        learner.fit_one_cycle(config.epochs, config.learning_rate, wd=config.weight_decay)
        epochs += learner.recorder.values
    history = pd.DataFrame(
        [list(row) for row in epochs], columns=["train_loss", "valid_loss", "accuracy", "perplexity"]
    )
    return LanguageModel(model_weights(model), vocabulary), history.assign(tokens=sum(map(len, train)))


def choose_texts(corpus: TokenCorpus, rows: np.ndarray, random: np.random.Generator, max_tokens: int) -> np.ndarray:
    """Some of the rows in random order, as many as it takes to come to `max_tokens` tokens."""
    order = random.permutation(rows)
    before = np.concatenate([[0], corpus.lengths(order).cumsum()[:-1]])
    return order[before < max_tokens]


def load_pretrained(model: torch.nn.Module, pretrained: PretrainedModel, vocabulary: list[str]) -> None:
    """Put pretrained weights into a language model whose vocabulary is another one.

    A token that the pretrained vocabulary lacks gets the mean embedding (fastai's `match_embeds`). Raises
    InvalidWeights if a weight is missing or has another shape.
    """
    tensors = {name: torch.as_tensor(weight) for name, weight in pretrained.weights.items()}
    matched = match_embeds(tensors, pretrained.vocabulary, vocabulary)
    load_weights(model, matched)


def load_weights(model: torch.nn.Module, weights: Mapping[str, np.ndarray | torch.Tensor]) -> None:
    """Load weights by name. Raises InvalidWeights, naming the first that is missing or has another shape."""
    for name, expected in model_weights(model).items():
        found = tuple(weights[name].shape) if name in weights else "no such weight"
        if found != expected.shape:
            raise InvalidWeights(
                "weights do not fit the model",
                where=name,
                found=str(found),
                expected=str(expected.shape),
                remedy="use the sizes and the vocabulary that the weights were trained with",
            )
    model.load_state_dict({name: torch.as_tensor(weight) for name, weight in weights.items()}, strict=False)


def model_weights(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """The weights and running statistics of a model by name, without the second name of a tied weight."""
    seen: set[int] = set()
    weights = {}
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            weights[name] = tensor.detach().cpu().numpy().copy()
    return weights
