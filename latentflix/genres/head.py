"""The network that tells genres from a vector: linear, dropout, ReLU, batch norm if asked, linear; on logits."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.metrics import AccumMetric
from sklearn.metrics import average_precision_score
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.ops import sigmoid_focal_loss

from latentflix.config import StageConfig, setting
from latentflix.training import make_learner, single_threaded

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LossName = Literal["plain", "weighted", "focal", "asymmetric"]


class HeadConfig(StageConfig):
    """The network, and how it is trained."""

    hidden_size: int = setting(512, "units of the hidden layer", ge=1)
    dropout: float = setting(0.5, "share of units that are dropped while training", ge=0, lt=1)
    batch_norm: bool = setting(True, "normalise the hidden layer by batch")
    epochs: int = setting(30, "passes, unless the validation plots stop getting better before", ge=1)
    patience: int = setting(5, "passes without getting better, after which training stops", ge=1)
    batch_size: int = setting(32, "plots a step", ge=2)
    learning_rate: float = setting(1e-3, "peak of the one-cycle schedule", gt=0)
    weight_decay: float = setting(0.1, "decoupled weight decay", ge=0)


@dataclass(frozen=True)
class Head:
    """weights: by name, float32. history: one row an epoch: train_loss, valid_loss, missed (1 - mean AP)."""

    weights: dict[str, np.ndarray]
    history: pd.DataFrame


class PlotBatches:
    """Vectors and genres as shuffled batches of (float32 (batch, size), float32 (batch, genres))."""

    def __init__(
        self, vectors: np.ndarray, carried: np.ndarray, batch_size: int, drawn: np.ndarray | None, seed: int
    ) -> None:
        """Keep all; drawn: how probably each plot is drawn, with replacement, else each comes once an epoch."""
        self.vectors, self.carried = torch.from_numpy(vectors), torch.from_numpy(carried.astype(np.float32))
        self.batch_size, self.drawn, self.random = batch_size, drawn, np.random.default_rng(seed)

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self.vectors) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch."""
        size = len(self.vectors)
        order = self.random.permutation(size) if self.drawn is None else self.random.choice(size, size, p=self.drawn)
        # Equal batches: batch norm has nothing to say of a last batch of one.
        for batch in np.array_split(order, len(self)):
            yield self.vectors[batch], self.carried[batch]


def build_head(n_inputs: int, n_genres: int, config: HeadConfig) -> nn.Sequential:
    """The network with fresh weights."""
    norm = [nn.BatchNorm1d(config.hidden_size)] if config.batch_norm else []
    hidden = [nn.Linear(n_inputs, config.hidden_size), nn.Dropout(config.dropout), nn.ReLU(), *norm]
    return nn.Sequential(*hidden, nn.Linear(config.hidden_size, n_genres))


def make_loss(name: LossName, carried: np.ndarray) -> Loss:
    """A loss on logits and ones and zeros, both (batch, genres); carried: bool (plots, genres) of the training plots.

    weighted: carriers fit_stacking as the root of how many plots carry a genre for one that does not. focal: Lin et al.
    2017, as torchvision has it. asymmetric: Ridnik et al. 2021, equation 7 with focus 0 and 2 and margin 0.05.
    """
    if name == "weighted":
        share = torch.from_numpy(carried.mean(0).clip(1e-6, 1 - 1e-6).astype(np.float32))
        weight = ((1 - share) / share).sqrt()
        return lambda logits, truth: binary_cross_entropy_with_logits(
            logits, truth, pos_weight=weight.to(logits.device)
        )
    if name == "focal":
        return lambda logits, truth: sigmoid_focal_loss(logits, truth, alpha=-1, reduction="mean")
    return _asymmetric if name == "asymmetric" else binary_cross_entropy_with_logits


def _asymmetric(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    probability = logits.sigmoid()
    shifted = (probability - 0.05).clamp(min=0)
    carried = truth * probability.clamp(min=1e-8).log()
    others = (1 - truth) * shifted**2 * (1 - shifted).log()
    return -(carried + others).mean()


def rarity(carried: np.ndarray) -> np.ndarray:
    """How probably each plot is drawn when genres are to come equally often: float64 (plots,), summing to 1.

    carried: bool (plots, genres). A plot counts as its rarest genre, by the root of how rare that is: by rarity itself
    a few plots would be most of every epoch.
    """
    share = carried.mean(0).clip(1e-6)
    weight = np.where(carried, share**-0.5, 1).max(axis=1)
    return np.asarray(weight / weight.sum())


def train_head(
    vectors: np.ndarray,
    carried: np.ndarray,
    valid: np.ndarray,
    loss: LossName,
    config: HeadConfig,
    *,
    resample: bool,
    seed: int,
) -> Head:
    """Train until the mean average precision on the validation plots gets no better, and keep its best epoch.

    vectors: float32 (plots, size). carried: bool (plots, genres). valid: bool (plots,), the others are learned from.
    Raises TrainingError if the loss is no number.
    """
    torch.manual_seed(seed)
    learned = carried[~valid]
    learner = make_learner(
        f"genres, {loss} loss",
        PlotBatches(vectors[~valid], learned, config.batch_size, rarity(learned) if resample else None, seed),
        [(torch.from_numpy(vectors[valid]), torch.from_numpy(carried[valid].astype(np.float32)))],
        build_head(vectors.shape[1], carried.shape[1], config),
        small_steps=True,
        loss_func=make_loss(loss, learned),
        metrics=AccumMetric(_missed, name="missed", flatten=False),
        cbs=RestoreBestEpoch(config.patience),
    )
    with learner.no_logging(), single_threaded():
        learner.fit_one_cycle(config.epochs, config.learning_rate, wd=config.weight_decay)
    weights = {name: value.cpu().numpy() for name, value in learner.model.state_dict().items()}
    history = pd.DataFrame(list(learner.recorder.values), columns=["train_loss", "valid_loss", "missed"])
    return Head(weights, history)


def _missed(logits: torch.Tensor, truth: torch.Tensor) -> float:
    seen = truth.sum(0) > 0
    return 1 - float(average_precision_score(truth[:, seen].cpu(), logits[:, seen].cpu(), average="macro"))


class RestoreBestEpoch(Callback):
    """Stops when the Learner's first metric has not got smaller for `patience` epochs, and restores the best epoch.

    fastai's own callback saves the weights in a pickle on disk.
    """

    order = 70

    def __init__(self, patience: int) -> None:
        """Start without an epoch."""
        self.patience, self.best_epoch, self.best_value = patience, 0, math.inf

    def after_epoch(self) -> None:
        """Save the weights if they are the best so far."""
        value = self.metrics[0].value
        if value is None or value < self.best_value:
            self.best_epoch, self.best_value = self.epoch, math.inf if value is None else value
            self.best_weights = copy.deepcopy(self.model.state_dict())
        elif self.epoch - self.best_epoch >= self.patience:
            raise CancelFitException

    def after_fit(self) -> None:
        """Restore the best weights."""
        if self.best_epoch < self.epoch:
            self.model.load_state_dict(self.best_weights)


@torch.inference_mode()
def head_logits(
    vectors: np.ndarray, weights: Mapping[str, np.ndarray], n_genres: int, config: HeadConfig
) -> np.ndarray:
    """The logits of a trained head: float32 (plots, genres)."""
    model = build_head(vectors.shape[1], n_genres, config)
    model.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()})
    return np.asarray(model.eval()(torch.from_numpy(vectors)).numpy())
