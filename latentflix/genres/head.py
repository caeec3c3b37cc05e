"""The network that predicts genres from an embedding: linear, dropout, ReLU, optional batch norm, linear; on logits."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.metrics import AccumMetric
from sklearn.metrics import average_precision_score
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from latentflix.config import StageConfig, setting
from latentflix.training import make_learner, single_threaded

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LossName = Literal["plain", "weighted", "focal", "asymmetric"]


class HeadConfig(StageConfig):
    """The network, and how it is trained."""

    hidden_size: int = setting(512, "units of the hidden layer", ge=1)
    dropout: float = setting(0.5, "share of units that are dropped while training", ge=0, lt=1)
    batch_norm: bool = setting(True, "normalise the hidden layer by batch")
    epochs: int = setting(30, "most epochs; training stops before if validation does not improve", ge=1)
    patience: int = setting(5, "epochs without improvement after which training stops", ge=1)
    batch_size: int = setting(32, "plots per batch", ge=2)
    learning_rate: float = setting(1e-3, "peak of the one-cycle schedule", gt=0)
    weight_decay: float = setting(0.1, "decoupled weight decay", ge=0)


@dataclass(frozen=True)
class Head:
    """The float32 weights of a network by name, and for each epoch train_loss, valid_loss, one_minus_map (1 - mAP)."""

    weights: dict[str, np.ndarray]
    history: pd.DataFrame


class PlotBatches:
    """Embeddings and genres as shuffled batches of (float32 (batch, size), float32 (batch, genres))."""

    def __init__(
        self, features: np.ndarray, y_true: np.ndarray, batch_size: int, sampling: np.ndarray | None, seed: int
    ) -> None:
        """Draw plots with replacement, by the probabilities `sampling`; without them each comes once per epoch."""
        self.features, self.y_true = torch.from_numpy(features), torch.from_numpy(y_true.astype(np.float32))
        self.batch_size, self.sampling, self.random = batch_size, sampling, np.random.default_rng(seed)

    def __len__(self) -> int:
        return -(-len(self.features) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        n = len(self.features)
        order = self.random.permutation(n) if self.sampling is None else self.random.choice(n, n, p=self.sampling)
        # Batches of equal size: batch norm cannot use a last batch of one.
        for batch in np.array_split(order, len(self)):
            yield self.features[batch], self.y_true[batch]


class RestoreBestEpoch(Callback):
    """Stops when the Learner's first metric has not fallen for `patience` epochs, and restores its best epoch."""

    order = 70

    def __init__(self, patience: int) -> None:
        self.patience, self.best_epoch, self.best_value = patience, 0, math.inf

    def after_epoch(self) -> None:
        """Keep the weights if they are the best so far."""
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


def build_head(n_inputs: int, n_genres: int, config: HeadConfig) -> nn.Sequential:
    """Build the network with fresh weights."""
    norm = [nn.BatchNorm1d(config.hidden_size)] if config.batch_norm else []
    hidden = [nn.Linear(n_inputs, config.hidden_size), nn.Dropout(config.dropout), nn.ReLU(), *norm]
    return nn.Sequential(*hidden, nn.Linear(config.hidden_size, n_genres))


def make_loss(name: LossName, y_true: np.ndarray) -> Loss:
    """Make a loss on logits and ones and zeros, both (batch, genres).

    weighted: positives are weighted by the root of the ratio of negatives to positives of their genre among the
    training plots, y_true (plots, genres). focal: Lin et al. 2017, as in torchvision. asymmetric: Ridnik et al. 2021,
    equation 7 with focus 0 and 2 and margin 0.05.
    """
    if name == "weighted":
        share = torch.from_numpy(y_true.mean(0).clip(1e-6, 1 - 1e-6).astype(np.float32))
        weight = ((1 - share) / share).sqrt()
        return lambda logits, truth: binary_cross_entropy_with_logits(
            logits, truth, pos_weight=weight.to(logits.device)
        )
    if name == "focal":
        # Only this loss needs torchvision, which takes two seconds to import.
        from torchvision.ops import sigmoid_focal_loss

        return partial(sigmoid_focal_loss, alpha=-1, reduction="mean")
    return _asymmetric if name == "asymmetric" else binary_cross_entropy_with_logits


def _asymmetric(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    probability = logits.sigmoid()
    shifted = (probability - 0.05).clamp(min=0)
    positives = truth * probability.clamp(min=1e-8).log()
    negatives = (1 - truth) * shifted**2 * (1 - shifted).log()
    return -(positives + negatives).mean()


def sampling_weights(y_true: np.ndarray) -> np.ndarray:
    """Compute how probably to draw each plot so that rare genres come more often: float64 (plots,), summing to 1.

    A plot counts as its rarest genre, by the root of how rare that is: by rarity itself a few plots would be most of
    every epoch. y_true: bool (plots, genres).
    """
    share = y_true.mean(0).clip(1e-6)
    weight = np.where(y_true, share**-0.5, 1).max(axis=1)
    return np.asarray(weight / weight.sum())


def train_head(
    features: np.ndarray,
    y_true: np.ndarray,
    valid: np.ndarray,
    loss: LossName,
    config: HeadConfig,
    *,
    resample: bool,
    seed: int,
) -> Head:
    """Train until the mean average precision on the validation plots stops improving, and keep the best epoch.

    features: float32 (plots, size). y_true: bool (plots, genres). valid: bool (plots,); the network learns from the
    others. Raises TrainingError if the loss is NaN or infinite.
    """
    torch.manual_seed(seed)
    y_train = y_true[~valid]
    sampling = sampling_weights(y_train) if resample else None
    learner = make_learner(
        f"genres, {loss} loss",
        PlotBatches(features[~valid], y_train, config.batch_size, sampling, seed),
        [(torch.from_numpy(features[valid]), torch.from_numpy(y_true[valid].astype(np.float32)))],
        build_head(features.shape[1], y_true.shape[1], config),
        small_steps=True,
        loss_func=make_loss(loss, y_train),
        metrics=AccumMetric(_one_minus_map, name="one_minus_map", flatten=False),
        cbs=RestoreBestEpoch(config.patience),
    )
    with learner.no_logging(), single_threaded():
        learner.fit_one_cycle(config.epochs, config.learning_rate, wd=config.weight_decay)
    history = pd.DataFrame(list(learner.recorder.values), columns=["train_loss", "valid_loss", "one_minus_map"])
    return Head({name: value.cpu().numpy() for name, value in learner.model.state_dict().items()}, history)


def _one_minus_map(logits: torch.Tensor, truth: torch.Tensor) -> float:
    seen = truth.sum(0) > 0
    return 1 - float(average_precision_score(truth[:, seen].cpu(), logits[:, seen].cpu(), average="macro"))


@torch.inference_mode()
def head_logits(
    features: np.ndarray, weights: Mapping[str, np.ndarray], n_genres: int, config: HeadConfig
) -> np.ndarray:
    """Compute the logits of a trained network: float32 (plots, genres)."""
    model = build_head(features.shape[1], n_genres, config)
    model.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()})
    return np.asarray(model.eval()(torch.from_numpy(features)).numpy())
