"""What all trainings share: the device, progress, a stop at a NaN or infinite loss, and the learning-rate finder."""

import logging
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fastai.callback.schedule  # noqa: F401 (gives Learner its fit_one_cycle)
import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import valley
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from tqdm.auto import tqdm

from latentflix.errors import TrainingError


@dataclass(frozen=True)
class Epoch:
    """An epoch that has ended, by the name of its training: `done` of `planned`, with losses and metrics by name."""

    training: str
    done: int
    planned: int
    scores: Mapping[str, float]


EpochObserver = Callable[[Epoch], None]
_observer: ContextVar[EpochObserver | None] = ContextVar("epoch_observer", default=None)


@contextmanager
def observe_epochs(observer: EpochObserver) -> Iterator[None]:
    """Call `observer` for every epoch that ends in this thread within the context."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def report_epoch(epoch: Epoch) -> None:
    """Pass an epoch to the observer of this thread, if there is one."""
    if observer := _observer.get():
        observer(epoch)


logger = logging.getLogger(__name__)

# One call a step for all parameters; fastai's own Adam loops over them in Python.
fused_adam_w = partial(OptimWrapper, opt=partial(torch.optim.AdamW, fused=True))
# The same with the constants of fastai's Adam. They are better for the recommender (MovieLens 100K, 80/20, validation
# MSE 0.803 against 0.828 with PyTorch's) and worse for the language model (perplexity 140 against 113).
fused_fastai_adam = partial(OptimWrapper, opt=partial(torch.optim.AdamW, fused=True, betas=(0.9, 0.99), eps=1e-5))
# Reading the loss makes a GPU wait.
LOSS_CHECK_INTERVAL = 20
# Calling every callback costs more than a small step.
STEPS_BETWEEN_CALLS = 50
_counting = threading.Lock()
# For each training inside `single_threaded`, the number of threads before the first of them.
_threads_before: list[int] = []


def pick_device(place: int = 0) -> torch.device:
    """Choose the GPU of the `place`-th of several trainings, in turn; the CPU if there is no GPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", place % torch.cuda.device_count())


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let PyTorch compute in the calling thread alone, and flush denormal numbers to zero.

    Where a step's arithmetic takes less than a millisecond, threads wait for one another longer than they work: a step
    of 64 ratings takes half as long with one thread as with two. An optimiser's averages of rare gradients fade to
    numbers below 1e-38, which slow a processor down many times.
    """
    with _counting:
        # A thread starts with the number that another set last, so one that starts in here finds 1.
        _threads_before.append(_threads_before[0] if _threads_before else torch.get_num_threads())
        torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        with _counting:
            torch.set_num_threads(_threads_before.pop())


class TrainingProgress(Callback):
    """Shows a bar in a terminal, logs a line per epoch, and reports epochs to the observer.

    done: epochs of the training that have ended. Raises TrainingError at the first loss that is NaN or infinite.
    """

    order = 60

    def __init__(self, title: str, level: int = logging.INFO, n_epochs: int | None = None) -> None:
        """level: at which epochs are logged. n_epochs: of all fits together; not given, each fit counts for itself."""
        self.training_name, self.title, self.level, self.n_epochs = title, title, level, n_epochs
        self.done = 0

    def before_fit(self) -> None:
        """Open the bar."""
        if self.n_epochs is None:
            self.done = 0
        self.next_check, total = 0, self.n_epoch * len(self.dls.train)
        self.bar = tqdm(total=total, desc=self.title, unit="batch", leave=False, disable=not sys.stderr.isatty())

    def after_loss(self) -> None:
        """Check the loss every few steps."""
        if not self.training or self.train_iter < self.next_check:
            return
        self.next_check = self.train_iter + LOSS_CHECK_INTERVAL
        if not math.isfinite(self.loss.item()):
            self._diverged()

    def after_batch(self) -> None:
        """Move the bar on."""
        if self.training:
            self.bar.update(self.train_iter - self.bar.n)

    def after_epoch(self) -> None:
        """Log and report the losses and metrics of the epoch, unless it was skipped."""
        self.done += 1
        if not self.recorder.final_record:
            return
        names = self.recorder.metric_names[1:-1]
        values = self.recorder.log[1:]
        self.scores = {name: value for name, value in zip(names, values, strict=False) if value is not None}
        text = ", ".join(f"{name} {value:.4f}" for name, value in self.scores.items())
        logger.log(self.level, "%s: epoch %d of %d: %s", self.title, self.epoch + 1, self.n_epoch, text)
        self._report(self.done)
        if not all(math.isfinite(loss) for loss in values[:2] if loss is not None):
            self._diverged()

    def after_cancel_fit(self) -> None:
        """Report the epochs that were saved by stopping early as done."""
        self._report(self.n_epochs or self.n_epoch)

    def after_fit(self) -> None:
        """Close the bar."""
        self.bar.close()

    def _report(self, done: int) -> None:
        report_epoch(Epoch(self.training_name, done, self.n_epochs or self.n_epoch, self.scores))

    def _diverged(self) -> None:
        self.bar.close()
        raise TrainingError(
            f"the loss of {self.title} is NaN or infinite",
            where=f"step {self.train_iter} of {self.n_epoch * len(self.dls.train)}",
            found=f"loss {self.loss.item()}, learning rate {self.opt.hypers[-1]['lr']:.3g}",
            hint="lower the learning rate",
        )


class LeanLearner(Learner):
    """A Learner that calls its callbacks, the schedule among them, at every 50th training step only.

    It is for steps so small that a Learner's events cost more than their arithmetic; a short training has at least 100
    such calls. Callbacks that act on every batch (mixed precision, gradient clipping) do not work with it; those of
    epochs and validation do. Batches are pairs on the model's device; the optimiser is one of PyTorch's.
    """

    def all_batches(self) -> None:
        """Train on the batches of an epoch, or validate as a Learner does."""
        if not self.training:
            super().all_batches()
            return
        self.n_iter = len(self.dl)
        steps = self.n_iter * self.n_epoch
        between_calls = max(min(steps // 100, STEPS_BETWEEN_CALLS), 1)
        model, loss_func, optimiser = self.model, self.loss_func, self.opt.opt
        weights = list(model.parameters())
        for step, (inputs, targets) in enumerate(self.dl):
            if self.train_iter % between_calls == 0:
                self.one_batch(step, (inputs, targets))
                continue
            loss_func(model(inputs), targets).backward()
            optimiser.step()
            # As zero_grad does, without its bookkeeping, which costs as much as the loss.
            for weight in weights:
                weight.grad = None
            self.pct_train += 1 / steps
            self.train_iter += 1


def make_learner(
    name: str,
    train: Any,
    valid: Any,
    model: torch.nn.Module,
    *,
    device: torch.device | None = None,
    opt_func: Callable[..., OptimWrapper] = fused_adam_w,
    small_steps: bool = False,
    level: int = logging.INFO,
    n_epochs: int | None = None,
    **options: Any,
) -> Learner:
    """Make a Learner that shows its progress through `TrainingProgress` alone; on a GPU in mixed precision.

    Args:
        name: the training's name, for `TrainingProgress` as are level and n_epochs.
        train: an iterable of batches, as is valid.
        model: it is moved to the device.
        device: the GPU if there is one, unless given.
        small_steps: take a `LeanLearner` where the device allows it.
        **options: for `Learner`.
    """
    device = device or pick_device()
    learner_class = LeanLearner if small_steps and device.type == "cpu" else Learner
    data = DataLoaders(train, valid, device=device)
    learner = learner_class(data, model.to(device), opt_func=opt_func, **options)
    learner.remove_cb(ProgressCallback)
    learner.add_cb(TrainingProgress(name, level, n_epochs))
    if device.type == "cuda":
        learner.add_cb(MixedPrecision())
    return learner


LEAST_STEPS = 20


@dataclass(frozen=True)
class LRFinderResult:
    """What the learning-rate finder saw.

    curve: one row per step: learning_rate, loss (smoothed). suggested: the rate in the valley where the loss falls
    longest; None without a curve.
    """

    curve: pd.DataFrame
    suggested: float | None


def find_learning_rate(learner: Learner, n_steps: int) -> LRFinderResult:
    """Raise the learning rate from 1e-7 to 10 in `n_steps` steps or until the loss explodes, then undo the steps.

    Fewer than 20 steps draw no curve: then nothing is done and nothing suggested. Source: Smith 2015, section 3.3;
    fastai `Learner.lr_find` and its suggestion "valley".
    """
    if n_steps < LEAST_STEPS:
        return LRFinderResult(pd.DataFrame({"learning_rate": [], "loss": []}, dtype=float), None)
    path = learner.path
    with TemporaryDirectory() as folder, learner.no_bar(), learner.removed_cbs([learner.training_progress]):
        # fastai saves the weights there meanwhile.
        learner.path = Path(folder)
        try:
            learner.lr_find(num_it=n_steps, show_plot=False, suggest_funcs=None)
        finally:
            learner.path = path
    losses = np.array([float(loss) for loss in learner.recorder.losses])
    curve = pd.DataFrame({"learning_rate": np.array(learner.recorder.lrs, float), "loss": losses})
    curve = curve[np.isfinite(losses)].reset_index(drop=True)
    # As fastai does: the first losses are not smoothed yet, the last ones belong to the explosion.
    shown = curve.iloc[n_steps // 10 : -5]
    suggested = valley(list(shown["learning_rate"]), list(shown["loss"]), n_steps)[0] if len(shown) > 1 else None
    return LRFinderResult(curve, suggested)
