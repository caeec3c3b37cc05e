"""A lock on a file, which the kernel releases when its holder ends, however it ends."""

import errno
import logging
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

# What a file system answers that has no locks, as some network file systems have none.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
_SECONDS_BETWEEN_TRIES = 0.2


class NoLocks(Exception):
    """A file system has no locks."""


def wait_for_lock(path: Path, purpose: str) -> AbstractContextManager[Any]:
    """Take a lock, waiting as long as another thread, process or machine holds it; it is released with the context.

    The lock's file stays, for whoever waits holds it open. Where the file system has no locks, nothing is locked, and a
    warning says so. Raises OSError if the file cannot be written.

    Args:
        path: the lock's file; it and its folder are made.
        purpose: what the lock is taken for, for the log.
    """
    try:
        held = try_lock(path)
        if held is None:
            logger.info("%s: waiting for another run that is making the same", purpose)
            held = _lock(path).acquire(poll_interval=_SECONDS_BETWEEN_TRIES)
    except NoLocks:
        logger.warning("%s: the file system of %s has no locks, so two runs may do the same work", purpose, path)
        return nullcontext()
    return held


def try_lock(path: Path) -> AbstractContextManager[Any] | None:
    """Take a lock as `wait_for_lock` does; None if it is held. Raises OSError, and NoLocks where there are none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _lock(path).acquire(timeout=0)
    except Timeout:
        return None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NoLocks(path) from error
        raise


def _lock(path: Path) -> FileLock:
    # Without locks, filelock would write a marker that outlives a killed run.
    return FileLock(path, fallback_to_soft=False)
