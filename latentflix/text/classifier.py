"""Which factors a review speaks of: a multi-label classifier on the language model's encoder.

All reviews of an item carry that item's labels, so a classifier that has read one of them knows the item. Items are
therefore dealt into folds, and every fold is read by a classifier that has seen none of its items.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from fastai.callback.rnn import rnn_cbs
from fastai.losses import BCEWithLogitsLossFlat
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_clas_split
from fastai.text.models.core import SequentialRNN, get_text_classifier

from latentflix.config import StageConfig, setting
from latentflix.errors import ModelError, NotEnoughData
from latentflix.factors.labels import indicator_matrix
from latentflix.text.language_model import LanguageModel, encoder_sizes, load_weights, model_weights
from latentflix.text.tokenizer import Part, numericalize, padding_id, tokenize, truncate
from latentflix.training import make_learner

logger = logging.getLogger(__name__)

# How much slower the first layer learns than the last. Source: Howard and Ruder 2018, section 3.2.
RATE_DECAY = 2.6**4
WINDOW = 72
RANDOM_SPLIT = "random"


class FineTuningConfig(StageConfig):
    """What is read of a review, and how the encoder is made a classifier, one layer group after the other."""

    max_tokens: int = setting(300, "tokens of a review that are read; the rest is left", ge=8, le=20_000)
    part: Part = setting("first", "which tokens of a longer review: the first, or the last")
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
    seed: int = setting(0, "seed of the head and of what is held out", ge=0)


class ClassifierConfig(FineTuningConfig):
    """The classifier of factors, how it is trained, and how items are held out from it."""

    n_folds: int = setting(5, "groups of items; each is read by a classifier that has seen none of it", ge=2, le=50)
    random_split: bool = setting(True, "train one more on a split over reviews, to measure what that split leaks")
    min_items: int = setting(5, "items with reviews that must carry a label; rarer ones are named and left out", ge=1)


@dataclass(frozen=True)
class Classifiers:
    """Trained classifiers, and what each has not read.

    labels: what the outputs stand for. rare: index label, items; those that too few items carry. weights: a
    classifier's weights by its name, and by `backward_name` of it those of the one that reads from the end. folds:
    index item_id. held_out: index review_id, a bool column for each classifier. history: one row an epoch:
    classifier, step, train_loss, valid_loss.
    """

    labels: list[str]
    rare: pd.DataFrame
    weights: dict[str, dict[str, np.ndarray]]
    folds: pd.Series
    held_out: pd.DataFrame
    history: pd.DataFrame


class ClassifierBatches:
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


def read_reviews(texts: Sequence[str], vocabulary: Sequence[str], config: FineTuningConfig) -> list[np.ndarray]:
    """The token ids of each text, int64, as many as a classifier of this config reads."""
    ids = {token: index for index, token in enumerate(vocabulary)}
    return [truncate(numericalize(tokenize(text), ids), config.max_tokens, config.part) for text in texts]


def assign_folds(item_ids: pd.Series, indicators: np.ndarray, n_folds: int, seed: int) -> pd.Series:
    """A fold, 0 to n_folds - 1, for each item: int64, index item_id.

    item_ids: the item of each review. indicators: the labels of each review's item (reviews, labels). Items are
    dealt one by one, those with the rarest labels first, each to the fold that is poorest in its labels, then in
    items, then in reviews. Source: Sechidis et al. 2011, iterative stratification. Raises NotEnoughData if a fold
    would have fewer than two items.
    """
    sizes = item_ids.value_counts()
    items = pd.DataFrame(indicators).groupby(item_ids.to_numpy()).first()
    if len(items) < 2 * n_folds:
        raise NotEnoughData(
            "there are too few items to hold any out",
            found=f"{len(items)} items with reviews",
            expected=f"at least {2 * n_folds}, two for each fold",
            hint="lower --classifier.n-folds or --labels.min-ratings",
        )
    carried = items.to_numpy(np.float64)
    rarity = carried @ (1 / np.maximum(carried.sum(0), 1))
    shuffled = np.random.default_rng(seed).permutation(len(items))
    folds = np.full(len(items), -1)
    labels_in, reviews_in, items_in = np.zeros((n_folds, carried.shape[1])), np.zeros(n_folds), np.zeros(n_folds)
    weights = 1 / np.maximum(carried.sum(0), 1)
    for item in shuffled[np.argsort(-rarity[shuffled], kind="stable")]:
        crowding = labels_in @ (carried[item] * weights)
        fold = np.lexsort((reviews_in, items_in, crowding.round(9)))[0]
        folds[item] = fold
        labels_in[fold] += carried[item]
        reviews_in[fold] += sizes[items.index[item]]
        items_in[fold] += 1
    return pd.Series(folds, index=pd.Index(items.index, name="item_id"), name="fold")


def held_out_masks(item_ids: pd.Series, folds: pd.Series, config: ClassifierConfig) -> dict[str, np.ndarray]:
    """For each classifier to train, which reviews are held out from it: bool (reviews,), by the classifier's name.

    "0", "1", … hold out the items of that fold; "random" holds out as large a share of single reviews.
    """
    fold = item_ids.map(folds).to_numpy()
    masks = {str(number): fold == number for number in range(config.n_folds)}
    if config.random_split:
        shuffled = np.random.default_rng(config.seed).permutation(len(item_ids))
        masks[RANDOM_SPLIT] = shuffled < len(item_ids) // config.n_folds
    return masks


def frequent_labels(
    item_labels: pd.DataFrame, item_ids: pd.Series, labels: Sequence[str], min_items: int
) -> tuple[list[str], pd.DataFrame]:
    """The labels that enough of the items carry, in their order, and the others with the number of their items.

    item_ids: the item of each review. The second table: index label, items. Raises NotEnoughData if none is left.
    """
    read = item_labels[item_labels["item_id"].isin(item_ids)]
    items = read.groupby("label")["item_id"].nunique().reindex(labels, fill_value=0)
    rare = items[items < min_items]
    if len(rare) == len(items):
        raise NotEnoughData(
            "too few items with reviews carry any label",
            found=", ".join(f"{label}: {count} items" for label, count in items.nlargest(3).items()),
            expected=f"at least {min_items} items for a label",
            hint="lower --classifier.min-items, or bring more reviews",
        )
    if len(rare):
        logger.warning("labels that fewer than %d items carry are left out: %s", min_items, ", ".join(rare.index))
    return [label for label in labels if label not in rare.index], rare.rename("items").rename_axis("label").to_frame()


def backward_name(name: str) -> str:
    """What the classifier is called that reads from the end and is asked together with `name`."""
    return f"{name}_backward"


def train_classifiers(
    reviews: pd.DataFrame,
    tokens: Sequence[np.ndarray],
    item_labels: pd.DataFrame,
    labels: Sequence[str],
    language_model: LanguageModel,
    config: ClassifierConfig,
    backward: LanguageModel | None = None,
) -> Classifiers:
    """Train a classifier for each fold of items and, if asked, one on a split over reviews.

    reviews: review_id, item_id. tokens: the ids of each in the language model's vocabulary. item_labels: item_id,
    label. labels: those that are to be told, in the order of the outputs. backward: a language model of the same
    vocabulary that reads from the end; each classifier then gets a fellow made of it. Raises NotEnoughData as
    `assign_folds` and `frequent_labels` do, and what `train_classifier` raises.
    """
    item_ids = reviews["item_id"]
    told, rare = frequent_labels(item_labels, item_ids, labels, config.min_items)
    indicators = indicator_matrix(item_labels, item_ids, told)
    folds = assign_folds(item_ids, indicators, config.n_folds, config.seed)
    held_out = held_out_masks(item_ids, folds, config)
    weights, histories = {}, []
    for fold, mask in held_out.items():
        trained = [(fold, language_model, tokens)]
        if backward:
            trained.append((backward_name(fold), backward, reverse(tokens)))
        for name, model, read in trained:
            weights[name], history = train_classifier(name, read, indicators, mask, model, config)
            histories.append(history)
    masks = pd.DataFrame(held_out, index=pd.Index(reviews["review_id"], name="review_id"))
    return Classifiers(told, rare, weights, folds, masks, pd.concat(histories, ignore_index=True))


def reverse(reviews: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The tokens of each review from the last to the first, as a backward language model reads them."""
    return [review[::-1].copy() for review in reviews]


def train_classifier(
    name: str,
    reviews: Sequence[np.ndarray],
    indicators: np.ndarray,
    held_out: np.ndarray,
    language_model: LanguageModel,
    config: FineTuningConfig,
    after_step: Callable[[str, torch.nn.Module], None] = lambda *_: None,
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Train on the reviews that are not held out, unfreezing one layer group after the other.

    reviews: token ids of each. indicators: float32 (reviews, labels). held_out: bool (reviews,); watched, not learned
    from. after_step: called with the step's name and the model as it then is. Returns the weights by name and a
    table, one row an epoch: classifier, step, train_loss, valid_loss. Raises ModelError if the encoder does not
    fit its vocabulary, TrainingError if the loss is no number. Source: Howard and Ruder 2018, sections 3.2 and 3.3.
    """
    torch.manual_seed(config.seed)
    steps = unfreezing_steps(config)
    vocabulary = language_model.vocabulary
    model = build_classifier(len(vocabulary), indicators.shape[1], encoder_sizes(language_model.weights), config)
    encoder = {key.removeprefix("0."): value for key, value in language_model.weights.items() if key.startswith("0.")}
    load_weights(model[0].module, encoder)
    parts = {}
    for part, mask in (("train", ~held_out), ("valid", held_out)):
        chosen = [review for review, inside in zip(reviews, mask, strict=True) if inside]
        parts[part] = ClassifierBatches(
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
    """How many labels the classifier with these weights tells. Raises ModelError if they are no classifier's."""
    heads = sorted(name for name in weights if name.startswith("1.layers.") and weights[name].ndim == 2)
    if not heads:
        raise ModelError(
            "these are not the weights of a classifier", found=", ".join(list(weights)[:5]), expected="1.layers.…"
        )
    return len(weights[heads[-1]])
