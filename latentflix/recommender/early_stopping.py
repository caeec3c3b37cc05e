"""When to stop, and which weights to keep: those of the best epoch, for each seed of its own."""

import copy
import math
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.learner import Metric


class RestoreBestEpoch(Callback):
    """Stops when a metric has not got smaller for `patience` epochs, and puts back the weights of its best epoch.

    fastai's own callback keeps the weights in a pickle on disk.
    """

    order = 70

    def __init__(self, patience: int) -> None:
        """The metric is the Learner's first."""
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
        """Put the best weights back."""
        if self.best_epoch < self.epoch:
            self.model.load_state_dict(self.best_weights)


class SeedErrors(Metric):
    """The mean squared error of each seed on the held-out ratings, epoch by epoch."""

    name = "mse"

    def __init__(self, n_seeds: int) -> None:
        """No epoch yet."""
        self.n_seeds = n_seeds
        self.sums: list[torch.Tensor] = []

    def reset(self) -> None:
        """Begin an epoch."""
        self.sums.append(torch.zeros(self.n_seeds))
        self.count = 0

    def accumulate(self, learn: Any) -> None:
        """Add a batch of ratings (seeds, batch)."""
        self.sums[-1] = self.sums[-1] + (learn.pred.float() - learn.y).square().sum(dim=1).cpu()
        self.count += learn.y.shape[1]

    @property
    def value(self) -> float | None:
        """The mean over the seeds in the last epoch, or None if nothing is held out."""
        return float(self.sums[-1].mean() / self.count) if self.count else None

    def by_seed(self) -> np.ndarray | None:
        """float32 (seeds,), of the last epoch, or None if nothing is held out."""
        return (self.sums[-1] / self.count).numpy() if self.count else None

    def curves(self) -> np.ndarray:
        """float32 (epochs, seeds), NaN if nothing is held out."""
        return (torch.stack(self.sums) / self.count).numpy()


class BestEpochPerSeed(Callback):
    """Stops when no seed has got better for `patience` epochs, and gives each the weights of its own best epoch.

    A seed that has had its epochs without getting better is done, also while others go on: what it learns does not
    hang on which are trained beside it. fastai's own callbacks know one score, and keep weights in a pickle on disk.
    """

    order = 70

    def __init__(self, errors: SeedErrors, patience: int) -> None:
        """The model is a `SeedEnsemble`, and `errors` a metric of its Learner."""
        self.errors, self.patience = errors, patience
        self.best_epoch = np.zeros(errors.n_seeds, int)
        self.best_error = np.full(errors.n_seeds, np.inf)
        self.best_weights: dict[str, torch.Tensor] = {}

    def after_epoch(self) -> None:
        """Keep the weights of the seeds that got better."""
        errors = self.errors.by_seed()
        if errors is None:
            return
        better = (errors < self.best_error) & (self.epoch - self.best_epoch <= self.patience)
        weights = self.model.state()
        if not self.best_weights:
            self.best_weights = {name: value.clone() for name, value in weights.items()}
        for name, value in weights.items():
            self.best_weights[name][better] = value[better]
        self.best_epoch[better], self.best_error[better] = self.epoch, errors[better]
        if (self.epoch - self.best_epoch >= self.patience).all():
            raise CancelFitException

    def after_fit(self) -> None:
        """Put the best weights back."""
        if self.best_weights:
            self.model.load_state(self.best_weights)
