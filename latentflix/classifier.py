"""Which factors a review speaks of: a multi-label classifier on the language model's encoder.

All reviews of a film carry that film's labels, so a classifier that has read one of them knows the film. Films are
therefore dealt into folds, and every fold is read by a classifier that has seen none of its films.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from fastai.callback.rnn import rnn_cbs
from fastai.losses import BCEWithLogitsLossFlat
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_clas_split
from fastai.text.models.core import SequentialRNN, get_text_classifier

from latentflix.config import StageConfig, setting
from latentflix.errors import InvalidWeights, TooFewFilms
from latentflix.labels import indicator_matrix
from latentflix.language_model import LanguageModel, encoder_sizes, load_weights, model_weights
from latentflix.tokens import numericalize, padding_id, tokenize
from latentflix.training import make_learner

logger = logging.getLogger(__name__)

# How much slower the first layer learns than the last. Source: Howard and Ruder 2018, section 3.2.
RATE_DECAY = 2.6**4
WINDOW = 72
RANDOM_SPLIT = "random"


class ClassifierConfig(StageConfig):
    """The classifier, how it is trained, and how films are held out from it."""

    n_folds: int = setting(5, "groups of films; each is read by a classifier that has seen none of it", ge=2, le=50)
    random_split: bool = setting(True, "train one more on a split over reviews, to measure what that split leaks")
    max_tokens: int = setting(300, "tokens of a review that are read; the rest is left", ge=8, le=20_000)
    batch_size: int = setting(32, "reviews a step", ge=2)
    dropout: float = setting(0.3, "factor on all of AWD-LSTM's dropouts", gt=0, le=2)
    frozen_epochs: int = setting(1, "passes with only the head learning", ge=0)
    frozen_learning_rate: float = setting(2e-2, "peak of their schedule", gt=0)
    last_two_epochs: int = setting(1, "passes with the head and the last layer learning", ge=0)
    last_two_learning_rate: float = setting(1e-2, "peak of their schedule, for the head", gt=0)
    last_three_epochs: int = setting(1, "passes with the head and the last two layers learning", ge=0)
    last_three_learning_rate: float = setting(5e-3, "peak of their schedule, for the head", gt=0)
    all_epochs: int = setting(2, "passes with everything learning", ge=0)
    all_learning_rate: float = setting(1e-3, "peak of their schedule, for the head", gt=0)
    weight_decay: float = setting(0.1, "decoupled weight decay", ge=0)
    seed: int = setting(0, "seed of the folds and of the head", ge=0)


@dataclass(frozen=True)
class Classifiers:
    """Trained classifiers, and what each has not read.

    weights: a classifier's weights, by its name. folds: index movie_id. held_out: index review_id, a bool column for
    each classifier. history: one row an epoch: classifier, step, train_loss, valid_loss.
    """

    weights: dict[str, dict[str, np.ndarray]]
    folds: pd.Series
    held_out: pd.DataFrame
    history: pd.DataFrame


class ReviewBatches:
    """Reviews of similar length as batches of (tokens int64 (batch, length), labels float32 (batch, labels)).

    Within a batch the longest review stands first and the shorter ones begin whole windows of padding later, as
    fastai's `SentenceEncoder` asks. Source: fastai `SortedDL`, `pad_chunk`.
    """

    def __init__(
        self,
        reviews: Sequence[np.ndarray],
        labels: np.ndarray,
        batch_size: int,
        padding: int,
        shuffle: np.random.Generator | None = None,
    ) -> None:
        """Keep reviews and labels; they are padded a batch at a time."""
        self.reviews, self.labels, self.padding, self.shuffle = reviews, labels, padding, shuffle
        self.n_batches = -(-len(reviews) // batch_size)
        self.lengths = np.array([len(review) for review in reviews])

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.n_batches

    def order(self) -> list[np.ndarray]:
        """The rows of each batch: by length, and if shuffled by length with a little noise, in any order."""
        if not self.n_batches:
            return []
        noise = self.shuffle.uniform(0.9, 1.1, len(self.lengths)) if self.shuffle else 1.0
        batches = np.array_split(np.argsort(-self.lengths * noise, kind="stable"), self.n_batches)
        batches = [batch[np.argsort(-self.lengths[batch], kind="stable")] for batch in batches]
        return [batches[index] for index in self.shuffle.permutation(len(batches))] if self.shuffle else batches

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch."""
        for batch in self.order():
            lengths = self.lengths[batch]
            width = int(lengths.max())
            if width - lengths.min() >= WINDOW:
                # Else a window could begin with padding for a review that goes on in it, and be skipped.
                width = -(-width // WINDOW) * WINDOW
            tokens = torch.full((len(batch), width), self.padding)
            for row, index in enumerate(batch):
                start = (tokens.shape[1] - self.lengths[index]) // WINDOW * WINDOW
                tokens[row, start : start + self.lengths[index]] = torch.from_numpy(self.reviews[index])
            yield tokens, torch.from_numpy(self.labels[batch])


def read_reviews(texts: Sequence[str], vocabulary: Sequence[str], max_tokens: int) -> list[np.ndarray]:
    """The token ids of each text, int64, at most `max_tokens` of them."""
    ids = {token: index for index, token in enumerate(vocabulary)}
    return [numericalize(tokenize(text)[:max_tokens], ids) for text in texts]


def deal_films(movie_ids: pd.Series, indicators: np.ndarray, n_folds: int, seed: int) -> pd.Series:
    """A fold, 0 to n_folds - 1, for each film: int64, index movie_id.

    movie_ids: the film of each review. indicators: the labels of each review's film (reviews, labels). Films are
    dealt one by one, those with the rarest labels first, each to the fold that is poorest in its labels, then in
    films, then in reviews. Source: Sechidis et al. 2011, iterative stratification. Raises TooFewFilms if a fold
    would have fewer than two films.
    """
    sizes = movie_ids.value_counts()
    films = pd.DataFrame(indicators).groupby(movie_ids.to_numpy()).first()
    if len(films) < 2 * n_folds:
        raise TooFewFilms(
            "there are too few films to hold any out",
            found=f"{len(films)} films with reviews",
            expected=f"at least {2 * n_folds}, two for each fold",
            remedy="lower --classifier.n-folds or --labels.min-ratings",
        )
    carried = films.to_numpy(np.float64)
    rarity = carried @ (1 / np.maximum(carried.sum(0), 1))
    shuffled = np.random.default_rng(seed).permutation(len(films))
    folds = np.full(len(films), -1)
    labels_in, reviews_in, films_in = np.zeros((n_folds, carried.shape[1])), np.zeros(n_folds), np.zeros(n_folds)
    weights = 1 / np.maximum(carried.sum(0), 1)
    for film in shuffled[np.argsort(-rarity[shuffled], kind="stable")]:
        crowding = labels_in @ (carried[film] * weights)
        fold = np.lexsort((reviews_in, films_in, crowding.round(9)))[0]
        folds[film] = fold
        labels_in[fold] += carried[film]
        reviews_in[fold] += sizes[films.index[film]]
        films_in[fold] += 1
    return pd.Series(folds, index=pd.Index(films.index, name="movie_id"), name="fold")


def held_out_masks(movie_ids: pd.Series, folds: pd.Series, config: ClassifierConfig) -> dict[str, np.ndarray]:
    """For each classifier to train, which reviews are held out from it: bool (reviews,), by the classifier's name.

    "0", "1", … hold out the films of that fold; "random" holds out as large a share of single reviews.
    """
    fold = movie_ids.map(folds).to_numpy()
    masks = {str(number): fold == number for number in range(config.n_folds)}
    if config.random_split:
        shuffled = np.random.default_rng(config.seed).permutation(len(movie_ids))
        masks[RANDOM_SPLIT] = shuffled < len(movie_ids) // config.n_folds
    return masks


def train_classifiers(
    reviews: pd.DataFrame,
    film_labels: pd.DataFrame,
    labels: Sequence[str],
    language_model: LanguageModel,
    config: ClassifierConfig,
) -> Classifiers:
    """Train a classifier for each fold of films and, if asked, one on a split over reviews.

    reviews: review_id, movie_id, text. film_labels: movie_id, label. labels: the order of the classifier's outputs.
    Raises TooFewFilms as `deal_films` does, and what `train_classifier` raises.
    """
    indicators = indicator_matrix(film_labels, reviews["movie_id"], list(labels))
    folds = deal_films(reviews["movie_id"], indicators, config.n_folds, config.seed)
    held_out = held_out_masks(reviews["movie_id"], folds, config)
    tokens = read_reviews(reviews["text"], language_model.vocabulary, config.max_tokens)
    weights, histories = {}, []
    for name, mask in held_out.items():
        weights[name], history = train_classifier(name, tokens, indicators, mask, language_model, config)
        histories.append(history)
    masks = pd.DataFrame(held_out, index=pd.Index(reviews["review_id"], name="review_id"))
    return Classifiers(weights, folds, masks, pd.concat(histories, ignore_index=True))


def train_classifier(
    name: str,
    reviews: Sequence[np.ndarray],
    indicators: np.ndarray,
    held_out: np.ndarray,
    language_model: LanguageModel,
    config: ClassifierConfig,
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Train on the reviews that are not held out, unfreezing one layer group after the other.

    reviews: token ids of each. indicators: float32 (reviews, labels). held_out: bool
    (reviews,); watched, not learned from. Returns the weights by name and a table, one row an epoch: classifier,
    step, train_loss, valid_loss. Raises InvalidWeights if the encoder does not fit its vocabulary, TrainingDiverged
    if the loss is no number. Source: Howard and Ruder 2018, sections 3.2 and 3.3.
    """
    torch.manual_seed(config.seed)
    vocabulary = language_model.vocabulary
    model = build_classifier(len(vocabulary), indicators.shape[1], encoder_sizes(language_model.weights), config)
    encoder = {key.removeprefix("0."): value for key, value in language_model.weights.items() if key.startswith("0.")}
    load_weights(model[0].module, encoder)
    parts = {}
    for part, mask in (("train", ~held_out), ("valid", held_out)):
        chosen = [review for review, inside in zip(reviews, mask, strict=True) if inside]
        parts[part] = ReviewBatches(
            chosen,
            indicators[mask],
            config.batch_size,
            padding_id(vocabulary),
            np.random.default_rng(config.seed) if part == "train" else None,
        )
    learner = make_learner(
        f"classifier {name}",
        parts["train"],
        parts["valid"],
        model,
        loss_func=BCEWithLogitsLossFlat(),
        splitter=awd_lstm_clas_split,
        cbs=rnn_cbs(alpha=2, beta=1),
        moms=(0.8, 0.7, 0.8),
    )
    steps = (
        ("head", -1, config.frozen_epochs, config.frozen_learning_rate),
        ("last two", -2, config.last_two_epochs, config.last_two_learning_rate),
        ("last three", -3, config.last_three_epochs, config.last_three_learning_rate),
        ("all", 0, config.all_epochs, config.all_learning_rate),
    )
    epochs = []
    with learner.no_logging():
        for step, first_group, n_epochs, rate in steps:
            if n_epochs:
                learner.training_progress.title = f"classifier {name}, {step}"
                learner.freeze_to(first_group)
                learner.fit_one_cycle(n_epochs, slice(rate / RATE_DECAY, rate), wd=config.weight_decay)
                epochs += [(name, step, *row) for row in learner.recorder.values]
    history = pd.DataFrame(epochs, columns=["classifier", "step", "train_loss", "valid_loss"])
    return model_weights(model), history


def build_classifier(
    vocabulary_size: int, n_labels: int, sizes: Mapping[str, int], config: ClassifierConfig
) -> SequentialRNN:
    """fastai's text classifier over an AWD-LSTM encoder of these sizes (as `encoder_sizes`), with fresh weights."""
    return get_text_classifier(
        AWD_LSTM,
        vocabulary_size,
        n_labels,
        seq_len=WINDOW,
        config={**awd_lstm_clas_config, **sizes},
        drop_mult=config.dropout,
        max_len=-(-config.max_tokens // WINDOW) * WINDOW,
    )


def n_outputs(weights: Mapping[str, np.ndarray]) -> int:
    """How many labels the classifier with these weights tells. Raises InvalidWeights if they are no classifier's."""
    heads = sorted(name for name in weights if name.startswith("1.layers.") and weights[name].ndim == 2)
    if not heads:
        raise InvalidWeights(
            "these are not the weights of a classifier", found=", ".join(list(weights)[:5]), expected="1.layers.…"
        )
    return len(weights[heads[-1]])
