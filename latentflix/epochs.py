"""Who is told when a training has done an epoch."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """An epoch that is done. done, planned: epochs of the whole training. scores: losses and metrics by name."""

    training: str
    done: int
    planned: int
    scores: Mapping[str, float]


EpochObserver = Callable[[Epoch], None]
_observer: ContextVar[EpochObserver | None] = ContextVar("epoch_observer", default=None)


@contextmanager
def observe_epochs(observer: EpochObserver) -> Iterator[None]:
    """Have `observer` told of every epoch that ends in this thread within the context."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def report_epoch(epoch: Epoch) -> None:
    """Tell whoever observes this thread."""
    observer = _observer.get()
    if observer:
        observer(epoch)
