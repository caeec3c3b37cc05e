"""What every fastai Learner of this project shares: the device, progress, and a stop where the loss is no number."""

import logging
import math
import sys
from functools import partial
from typing import Any

import fastai.callback.schedule  # noqa: F401 (gives Learner its fit_one_cycle)
import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from fastai.callback.progress import ProgressCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from tqdm.auto import tqdm

from latentflix.errors import TrainingDiverged

logger = logging.getLogger(__name__)

# One call a step for all parameters; fastai's own Adam loops over them in Python.
fused_adam_w = partial(OptimWrapper, opt=partial(torch.optim.AdamW, fused=True))


def pick_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class TrainingProgress(Callback):
    """A bar in a terminal and a line an epoch in the log; raises TrainingDiverged at the first loss that is none."""

    order = 60

    def __init__(self, title: str, level: int = logging.INFO) -> None:
        """Name the training in the bar, in the log and in the error; log its epochs at `level`."""
        self.title, self.level = title, level

    def before_fit(self) -> None:
        """Open the bar."""
        total = self.n_epoch * len(self.dls.train)
        self.bar = tqdm(total=total, desc=self.title, unit="batch", leave=False, disable=not sys.stderr.isatty())

    def after_loss(self) -> None:
        """Look at the loss, once every few steps: reading it makes a GPU wait."""
        if self.training and self.train_iter % 20 == 0 and not math.isfinite(self.loss.item()):
            self._diverged()

    def after_batch(self) -> None:
        """Move the bar on."""
        if self.training:
            self.bar.update()

    def after_epoch(self) -> None:
        """Log the losses and metrics of the epoch."""
        names = self.recorder.metric_names[1:-1]
        values = self.recorder.log[1:]
        text = ", ".join(f"{name} {value:.4f}" for name, value in zip(names, values, strict=False))
        logger.log(self.level, "%s: epoch %d of %d: %s", self.title, self.epoch + 1, self.n_epoch, text)
        if values and not math.isfinite(values[0]):
            self._diverged()

    def after_fit(self) -> None:
        """Close the bar."""
        self.bar.close()

    def _diverged(self) -> None:
        self.bar.close()
        raise TrainingDiverged(
            f"the loss of {self.title} is no number any more",
            where=f"step {self.train_iter} of {self.n_epoch * len(self.dls.train)}",
            found=f"loss {self.loss.item()}, learning rate {self.opt.hypers[-1]['lr']:.3g}",
            remedy="lower the learning rate",
        )


def make_learner(
    name: str, train: Any, valid: Any, model: torch.nn.Module, *, level: int = logging.INFO, **options: Any
) -> Learner:
    """A Learner over two iterables of batches, quiet but for `TrainingProgress`, on the best device.

    level: that of a line an epoch in the log. Mixed precision is used where the device is a GPU. options go to
    `Learner`.
    """
    device = pick_device()
    learner = Learner(DataLoaders(train, valid, device=device), model.to(device), opt_func=fused_adam_w, **options)
    learner.remove_cb(ProgressCallback)
    learner.add_cb(TrainingProgress(name, level))
    if device.type == "cuda":
        learner.add_cb(MixedPrecision())
    return learner
