"""One training in several processes side by side, one a GPU.

They are launched as `torchrun` launches them: when one fails, the others are ended. Each computes the gradients of its
own part of a batch; the mean of all is what every process learns from, so all have the same weights after each step.
Sources: PyTorch, "Torch Distributed Elastic" and `DistributedDataParallel`.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from logging.handlers import QueueHandler
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from fastai.callback.core import Callback
from torch import distributed
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.nn.parallel import DistributedDataParallel

from latentflix.errors import SettingsError, TrainingError
from latentflix.training import Epoch, observe_epochs, report_epoch

if TYPE_CHECKING:
    from multiprocessing.queues import Queue, SimpleQueue

Result = TypeVar("Result")
# How long to wait for the last words of processes that were ended from outside.
_LAST_WORDS = 5.0
_LAUNCHER_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def n_processes(asked: int | None) -> int:
    """As many processes as are asked for; not asked, one for each GPU, one if there is none.

    Raises SettingsError if there are GPUs, but fewer than that.
    """
    gpus = torch.cuda.device_count()
    if asked and 0 < gpus < asked:
        raise SettingsError(
            "there are more processes than GPUs",
            where="--language-model.processes",
            found=str(asked),
            expected=f"at most {gpus}",
        )
    return asked or max(gpus, 1)


def rank() -> int:
    """Which of the processes of a training this one is, counting from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """How many processes train side by side."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def run_processes(count: int, function: Callable[..., Result], *arguments: Any) -> Result:
    """What `function(*arguments)` returns in the first of `count` processes that run it side by side.

    One process is this one. Of several, the function, its arguments and what it returns have to be picklable; what the
    first one logs, and its epochs, are told here. Raises TrainingError, with what the first that failed said.
    """
    if count == 1:
        return function(*arguments)
    context = multiprocessing.get_context("spawn")
    said: Queue[Epoch | logging.LogRecord | None] = context.Queue()
    causes: SimpleQueue[str] = context.SimpleQueue()
    with TemporaryDirectory() as logs, _signals_kept(), _told(said):
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            logs_specs=DefaultLogsSpecs(logs),
            max_restarts=0,
        )
        try:
            results: dict[int, Result] = elastic_launch(config, _run_one)(said, causes, function, arguments)
        except ChildFailedError as error:
            raise TrainingError(
                "one of several processes that train together failed, and all were ended",
                # The launcher knows only who ended first, and all end soon after one another.
                found=str(error.get_first_failure()[1].message) if causes.empty() else causes.get(),
            ) from error
    return results[0]


def _run_one(
    said: "Queue[Epoch | logging.LogRecord | None]",
    causes: "SimpleQueue[str]",
    function: Callable[..., Result],
    arguments: tuple[Any, ...],
) -> Result | None:
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        if rank():
            function(*arguments)
            return None
        logger = logging.getLogger(__name__.partition(".")[0])
        logger.addHandler(QueueHandler(said))
        logger.setLevel(logging.INFO)
        with observe_epochs(said.put):
            return function(*arguments)
    except Exception as error:
        # Said before the others miss this process, so that what comes of that is said later.
        causes.put(f"process {rank()} of {world_size()}, counting from 0: {type(error).__name__}: {error}")
        raise
    finally:
        distributed.destroy_process_group()


@contextmanager
def alone() -> Iterator[None]:
    """Have a Learner of this process ask nothing of the others; fastai knows of them from the environment."""
    hidden = os.environ.pop("WORLD_SIZE", None)
    try:
        yield
    finally:
        if hidden:
            os.environ["WORLD_SIZE"] = hidden


@contextmanager
def _told(said: "Queue[Epoch | logging.LogRecord | None]") -> Iterator[None]:
    """Pass on what another process says, for as long as the context lasts, as if it were said in this thread."""

    def listen() -> None:
        while (told := said.get()) is not None:
            if isinstance(told, Epoch):
                report_epoch(told)
            else:
                logging.getLogger(told.name).handle(told)

    listener = threading.Thread(target=copy_context().run, args=(listen,), daemon=True)
    listener.start()
    try:
        yield
    finally:
        said.put(None)
        # A process that was killed while it spoke may have left the queue shut.
        said.cancel_join_thread()
        listener.join(_LAST_WORDS)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Put back, at the end, what this process does on signals: the launcher sets that for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in _LAUNCHER_SIGNALS}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


class _WrappedModel(DistributedDataParallel):
    """A model whose memory of the last batch can be let go, as fastai does, while it is wrapped."""

    def reset(self) -> None:
        self.module.reset()


def bare(model: torch.nn.Module) -> torch.nn.Module:
    """The model itself, also while it is wrapped for a training in several processes."""
    return model.module if isinstance(model, _WrappedModel) else model


class SharedGradients(Callback):
    """Has every process of a training learn from the gradients of all, if there are several."""

    # Before what looks at the model, after the Learner has moved it to its device.
    order = 11

    def before_fit(self) -> None:
        """Wrap the model; all processes begin with the weights of the first."""
        if world_size() > 1:
            self.learn.model = _WrappedModel(self.model)

    def after_fit(self) -> None:
        """Unwrap the model."""
        self.learn.model = bare(self.model)
