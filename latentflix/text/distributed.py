"""Data-parallel training in several processes of this machine, one per GPU.

Source: PyTorch, `torch.multiprocessing`, `torch.distributed` and `DistributedDataParallel`.
"""

import logging
import multiprocessing
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from logging.handlers import QueueHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import torch
from fastai.callback.core import Callback
from torch import distributed
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, start_processes
from torch.nn.parallel import DistributedDataParallel

from latentflix.errors import SettingsError, TrainingError
from latentflix.system.processes import end_with_parent
from latentflix.training import Epoch, observe_epochs, report_epoch

if TYPE_CHECKING:
    from multiprocessing.queues import Queue, SimpleQueue

    Messages = Queue["Epoch | logging.LogRecord | _Returned | None"]

Result = TypeVar("Result")
# Seconds to wait for the last messages of processes that were killed, and for processes to end of themselves when one
# of them has failed.
SHUTDOWN_TIMEOUT, GRACE_PERIOD = 5.0, 2.0


@dataclass(frozen=True)
class _Returned:
    """What a function returned in another process."""

    value: Any


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

    A single process is this one. Otherwise the function and its arguments have to be picklable, and its result, which
    must not hold tensors, and what the first process logs, and its epochs, are reported here. Nothing listens on an
    address that another machine could reach. Raises TrainingError if a process failed, and the others were stopped;
    with the message of the first that failed.
    """
    if count == 1:
        return function(*arguments)
    context = multiprocessing.get_context("spawn")
    messages: Messages = context.Queue()
    causes: SimpleQueue[str] = context.SimpleQueue()
    with TemporaryDirectory() as folder, _forward_messages(messages) as results:
        shared = (count, Path(folder) / "rendezvous", messages, causes, function, arguments)
        together = start_processes(_run_one, shared, count, join=False, daemon=True)
        try:
            while not together.join(grace_period=GRACE_PERIOD):
                pass
        except (ProcessRaisedException, ProcessExitedException) as error:
            raise TrainingError(
                "one of several processes that train together failed, and all were stopped",
                # The first that was seen to end need not be the first that failed: all end at almost the same time.
                found=str(error) if causes.empty() else causes.get(),
            ) from error
        finally:
            for process in together.processes:
                process.kill()
    return results[0]


def _run_one(
    number: int,
    count: int,
    rendezvous: Path,
    messages: "Messages",
    causes: "SimpleQueue[str]",
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    end_with_parent()
    if torch.cuda.is_available():
        torch.cuda.set_device(number)
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    os.environ.update(GLOO_SOCKET_IFNAME=loopback, NCCL_SOCKET_IFNAME=loopback)
    # In a file: a rendezvous at an address listens on all interfaces, and unpickles what it is sent.
    distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        init_method=rendezvous.as_uri(),
        rank=number,
        world_size=count,
    )
    try:
        if number:
            function(*arguments)
        else:
            logger = logging.getLogger(__name__.partition(".")[0])
            logger.addHandler(QueueHandler(messages))
            logger.setLevel(logging.INFO)
            with observe_epochs(messages.put):
                messages.put(_Returned(function(*arguments)))
        distributed.barrier()
    except Exception as error:
        # Before the others miss this process and fail too.
        causes.put(f"process {number} of {count}, counting from 0: {type(error).__name__}: {error}")
        distributed.destroy_process_group()
        raise
    _leave(messages)


def _leave(messages: "Messages") -> NoReturn:
    """End this process at once, as `multiprocessing` ends forked ones.

    While an interpreter shuts down, threads of the process group still run and can abort the process.
    """
    messages.close()
    messages.join_thread()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def _forward_messages(messages: "Messages") -> Iterator[list[Any]]:
    """Report the epochs and log records of another process, while the context lasts, as if they were this thread's.

    Yields a list, to which the process's result is added before the context ends.
    """
    results: list[Any] = []

    def forward() -> None:
        while (message := messages.get()) is not None:
            match message:
                case Epoch():
                    report_epoch(message)
                case _Returned(value):
                    results.append(value)
                case _:
                    logging.getLogger(message.name).handle(message)

    thread = threading.Thread(target=copy_context().run, args=(forward,), daemon=True)
    thread.start()
    try:
        yield results
    except BaseException:
        # A process that was killed while it wrote may have left the queue locked.
        messages.cancel_join_thread()
        messages.put(None)
        thread.join(SHUTDOWN_TIMEOUT)
        raise
    messages.put(None)
    thread.join()


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
