"""Data-parallel training in several processes, one per GPU, launched as `torchrun` launches them.

Sources: PyTorch, "Torch Distributed Elastic" and `DistributedDataParallel`.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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

    Messages = Queue[Epoch | logging.LogRecord | None]

Result = TypeVar("Result")
# Seconds to wait for the last messages of processes that were killed.
SHUTDOWN_TIMEOUT = 5.0
_LAUNCHER_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def n_processes(asked: int | None) -> int:
    """As many processes as are asked for, else one per GPU, or one. Raises SettingsError if there are too few GPUs."""
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
    """The number of this process among those of the training, counting from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """The number of processes that train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def run_processes(count: int, function: Callable[..., Result], *arguments: Any) -> Result:
    """What `function(*arguments)` returns in the first of `count` processes that run it together.

    A single process is this one. Otherwise the function, its arguments and its result have to be picklable, and what
    the first process logs, and its epochs, are reported here. Raises TrainingError if a process failed, and the others
    were stopped; with the message of the first that failed.
    """
    if count == 1:
        return function(*arguments)
    context = multiprocessing.get_context("spawn")
    messages: Messages = context.Queue()
    causes: SimpleQueue[str] = context.SimpleQueue()
    with TemporaryDirectory() as logs, ExitStack() as stack, _forward_messages(messages):
        if threading.current_thread() is threading.main_thread():
            # The launcher sets its own handlers.
            for number in _LAUNCHER_SIGNALS:
                stack.callback(signal.signal, number, signal.getsignal(number))
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
            results: dict[int, Result] = elastic_launch(config, _run_one)(messages, causes, function, arguments)
        except ChildFailedError as error:
            raise TrainingError(
                "one of several processes that train together failed, and all were stopped",
                # The launcher only knows which ended first, and all end at almost the same time.
                found=str(error.get_first_failure()[1].message) if causes.empty() else causes.get(),
            ) from error
    return results[0]


def _run_one(
    messages: "Messages", causes: "SimpleQueue[str]", function: Callable[..., Result], arguments: tuple[Any, ...]
) -> Result | None:
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        if rank():
            function(*arguments)
            return None
        logger = logging.getLogger(__name__.partition(".")[0])
        logger.addHandler(QueueHandler(messages))
        logger.setLevel(logging.INFO)
        with observe_epochs(messages.put):
            return function(*arguments)
    except Exception as error:
        # Before the others miss this process and fail too.
        causes.put(f"process {rank()} of {world_size()}, counting from 0: {type(error).__name__}: {error}")
        raise
    finally:
        distributed.destroy_process_group()


@contextmanager
def hide_world_size() -> Iterator[None]:
    """Keep a Learner from synchronising with the other processes; fastai knows of them from the environment."""
    hidden = os.environ.pop("WORLD_SIZE", None)
    try:
        yield
    finally:
        if hidden:
            os.environ["WORLD_SIZE"] = hidden


@contextmanager
def _forward_messages(messages: "Messages") -> Iterator[None]:
    """Report the epochs and log records of another process, while the context lasts, as if they were this thread's."""

    def forward() -> None:
        while (message := messages.get()) is not None:
            if isinstance(message, Epoch):
                report_epoch(message)
            else:
                logging.getLogger(message.name).handle(message)

    thread = threading.Thread(target=copy_context().run, args=(forward,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        messages.put(None)
        # A process that was killed while it wrote may have left the queue locked.
        messages.cancel_join_thread()
        thread.join(SHUTDOWN_TIMEOUT)


class _WrappedModel(DistributedDataParallel):
    """Passes fastai's call to forget the last batch on to the model."""

    def reset(self) -> None:
        self.module.reset()


def unwrap(model: torch.nn.Module) -> torch.nn.Module:
    """The model itself, whether or not it is wrapped for training in several processes."""
    return model.module if isinstance(model, _WrappedModel) else model


class SharedGradients(Callback):
    """Averages gradients over all processes of a training, if there are several."""

    # After the Learner moved the model to its device, before other callbacks use it.
    order = 11

    def before_fit(self) -> None:
        """Wrap the model; all processes start with the weights of the first."""
        if world_size() > 1:
            self.learn.model = _WrappedModel(self.model)

    def after_fit(self) -> None:
        """Unwrap the model."""
        self.learn.model = unwrap(self.model)
