"""A multi-label classifier of texts on a language model's encoder (ULMFiT). Source: Howard and Ruder 2018."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from fastai.callback.rnn import rnn_cbs
from fastai.losses import BCEWithLogitsLossFlat
from fastai.text.core import UNK
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_clas_split
from fastai.text.models.core import SequentialRNN, get_text_classifier
from scipy.special import expit
from torch import nn
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting
from latentflix.data.tables import MaybeText
from latentflix.errors import ModelError
from latentflix.text.batches import WINDOW, ClassifierBatches
from latentflix.text.cleaning import note_unknown, note_unreadable
from latentflix.text.language_model import LanguageModel, encoder_sizes, load_weights, model_weights
from latentflix.text.tokenizer import Part, numericalize, padding_id, tokenize, truncate
from latentflix.training import make_learner, pick_device

# How much slower the first layer learns than the last. Source: Howard and Ruder 2018, section 3.2.
RATE_DECAY = 2.6**4


class FineTuningConfig(StageConfig):
    """What is read of a review, and how the classifier is trained, one layer group after the other."""

    max_tokens: int = setting(300, "tokens of a review that are read; the rest is ignored", ge=8, le=20_000)
    part: Part = setting("first", "which tokens of a longer review: the first, or the last")
    batch_size: int = setting(32, "reviews per step", ge=2)
    dropout: float = setting(0.3, "factor on all of AWD-LSTM's dropouts", gt=0, le=2)
    frozen_epochs: int = setting(1, "epochs in which only the head learns", ge=0)
    frozen_learning_rate: float = setting(2e-2, "peak of their schedule", gt=0)
    last_two_epochs: int = setting(1, "epochs in which the head and the last layer learn", ge=0)
    last_two_learning_rate: float = setting(1e-2, "peak of their schedule, for the head", gt=0)
    last_three_epochs: int = setting(1, "epochs in which the head and the last two layers learn", ge=0)
    last_three_learning_rate: float = setting(5e-3, "peak of their schedule, for the head", gt=0)
    all_epochs: int = setting(2, "epochs in which everything learns", ge=0)
    all_learning_rate: float = setting(1e-3, "peak of their schedule, for the head", gt=0)
    weight_decay: float = setting(0.1, "decoupled weight decay", ge=0)
    seed: int = setting(0, "seed of the head and of what is held out", ge=0)


def read_reviews(texts: Sequence[str], vocabulary: Sequence[str], config: FineTuningConfig) -> list[np.ndarray]:
    """The token ids of each text, int64, as many as a classifier of this config reads."""
    ids = {token: index for index, token in enumerate(vocabulary)}
    return [truncate(numericalize(tokenize(text), ids), config.max_tokens, config.part) for text in texts]


def read_readable(
    texts: Sequence[MaybeText], vocabulary: Sequence[str], config: FineTuningConfig
) -> tuple[list[int], list[np.ndarray], list[str]]:
    """The rows of the texts that can be read, their token ids as `read_reviews` gives them, and a note on each text.

    A note says why a text cannot be read, or warns that most of its words are unknown; else it is empty.
    """
    notes = [note_unreadable(text) for text in texts]
    rows = [row for row, note in enumerate(notes) if not note]
    tokens = read_reviews([str(texts[row]) for row in rows], vocabulary, config)
    unknown = vocabulary.index(UNK)
    for row, ids in zip(rows, tokens, strict=True):
        notes[row] = note_unknown((ids == unknown).mean())
    return rows, tokens, notes


def reverse(reviews: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The tokens of each review from the last to the first, as a backward language model reads them."""
    return [review[::-1].copy() for review in reviews]


def backward_name(name: str) -> str:
    """The name of the classifier that reads backward and is averaged with the one called `name`."""
    return f"{name}_backward"


def train_classifier(
    name: str,
    reviews: Sequence[np.ndarray],
    indicators: np.ndarray,
    held_out: np.ndarray,
    language_model: LanguageModel,
    config: FineTuningConfig,
    after_step: Callable[[str, SequentialRNN], None] = lambda *_: None,
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Train on the reviews that are not held out, unfreezing one layer group after the other.

    Raises ModelError if the encoder does not fit its vocabulary, and TrainingError if the loss is NaN or infinite.

    Args:
        reviews: token ids of each.
        indicators: float32 (reviews, labels).
        held_out: bool (reviews,); these give the validation loss only.
        after_step: called after each step of unfreezing with its name and the model.

    Returns:
        The weights by name, and a table with one row per epoch: classifier, step, train_loss, valid_loss.
    """
    torch.manual_seed(config.seed)
    steps = unfreezing_steps(config)
    vocabulary = language_model.vocabulary
    model = build_classifier(len(vocabulary), indicators.shape[1], encoder_sizes(language_model.weights), config)
    encoder = {key.removeprefix("0."): value for key, value in language_model.weights.items() if key.startswith("0.")}
    load_weights(model[0].module, encoder)
    train, valid = (
        ClassifierBatches(
            [review for review, chosen in zip(reviews, mask, strict=True) if chosen],
            indicators[mask],
            config.batch_size,
            padding_id(vocabulary),
            shuffle,
        )
        for mask, shuffle in ((~held_out, np.random.default_rng(config.seed)), (held_out, None))
    )
    learner = make_learner(
        f"classifier {name}",
        train,
        valid,
        model,
        loss_func=BCEWithLogitsLossFlat(),
        splitter=awd_lstm_clas_split,
        n_epochs=sum(n_epochs for _, _, n_epochs, _ in steps),
        cbs=rnn_cbs(alpha=2, beta=1),
        moms=(0.8, 0.7, 0.8),
    )
    epochs = []
    with learner.no_logging():
        for step, first_group, n_epochs, rate in steps:
            learner.training_progress.title = f"classifier {name}, {step}"
            learner.freeze_to(first_group)
            learner.fit_one_cycle(n_epochs, slice(rate / RATE_DECAY, rate), wd=config.weight_decay)
            epochs += [(name, step, *row) for row in learner.recorder.values]
            after_step(step, model)
    history = pd.DataFrame(epochs, columns=["classifier", "step", "train_loss", "valid_loss"])
    return model_weights(model), history


def unfreezing_steps(config: FineTuningConfig) -> list[tuple[str, int, int, float]]:
    """The steps that have an epoch: name, first layer group that learns, epochs, peak learning rate of the head."""
    steps = (
        ("head", -1, config.frozen_epochs, config.frozen_learning_rate),
        ("last two", -2, config.last_two_epochs, config.last_two_learning_rate),
        ("last three", -3, config.last_three_epochs, config.last_three_learning_rate),
        ("all", 0, config.all_epochs, config.all_learning_rate),
    )
    return [step for step in steps if step[2]]


def build_classifier(
    vocabulary_size: int, n_labels: int, sizes: Mapping[str, int], config: FineTuningConfig
) -> SequentialRNN:
    """fastai's text classifier with fresh weights, its encoder of the sizes that `encoder_sizes` returns."""
    return get_text_classifier(
        AWD_LSTM,
        vocabulary_size,
        n_labels,
        seq_len=WINDOW,
        config={**awd_lstm_clas_config, **sizes},
        drop_mult=config.dropout,
        max_len=-(-config.max_tokens // WINDOW) * WINDOW,
    )


def restore_classifier(
    weights: Mapping[str, np.ndarray], vocabulary: Sequence[str], config: FineTuningConfig
) -> SequentialRNN:
    """The classifier with these weights on the best device. Raises ModelError if they are not its vocabulary's."""
    heads = sorted(name for name in weights if name.startswith("1.layers.") and weights[name].ndim == 2)
    if not heads:
        found = ", ".join(list(weights)[:5])
        raise ModelError("these are not the weights of a classifier", found=found, expected="1.layers.…")
    model = build_classifier(len(vocabulary), len(weights[heads[-1]]), encoder_sizes(weights), config)
    load_weights(model, weights)
    return model.to(pick_device()).eval()


def predict_logits(
    model: SequentialRNN, reviews: Sequence[np.ndarray], padding: int, batch_size: int = 64
) -> np.ndarray:
    """The logit of each label for each review, float32 (reviews, labels); leaves the model in evaluation mode."""
    return _forward(model, reviews, model[1].layers[-1][-1].out_features, padding, batch_size)


def pooled_states(
    weights: Mapping[str, np.ndarray],
    reviews: Sequence[np.ndarray],
    vocabulary: Sequence[str],
    config: FineTuningConfig,
    batch_size: int = 64,
) -> np.ndarray:
    """What a classifier's head gets to see of each review: float32 (reviews, 3 x embedding size).

    The last, the largest and the mean state of the encoder. Raises as `restore_classifier` does.
    """
    model = restore_classifier(weights, vocabulary, config)
    n_states = model[1].layers[0][0].num_features
    model[1].layers = nn.Identity()
    return _forward(model, reviews, n_states, padding_id(vocabulary), batch_size)


def _forward(
    model: SequentialRNN, reviews: Sequence[np.ndarray], n_outputs: int, padding: int, batch_size: int
) -> np.ndarray:
    device = next(model.parameters()).device
    outputs = np.zeros((len(reviews), n_outputs), np.float32)
    batches = ClassifierBatches(reviews, outputs, batch_size, padding)
    model.eval()
    bar = tqdm(batches, "predictions", leave=False, disable=None)
    with torch.inference_mode():
        for rows, (tokens, _) in zip(batches.order(), bar, strict=True):
            model.reset()
            outputs[rows] = model(tokens.to(device))[0].float().cpu().numpy()
    return outputs


def predict_proba(
    weights: Mapping[str, np.ndarray],
    reviews: Sequence[np.ndarray],
    vocabulary: Sequence[str],
    config: FineTuningConfig,
    batch_size: int = 64,
) -> np.ndarray:
    """The probability of each label for each review: float32 (reviews, labels). Raises as `restore_classifier`."""
    model = restore_classifier(weights, vocabulary, config)
    return expit(predict_logits(model, reviews, padding_id(vocabulary), batch_size))
