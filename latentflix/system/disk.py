"""Files and folders that appear whole or not at all, and what to do where the system refuses to write."""

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space"),
    errno.EFBIG: "raise the limit of a file's size",
    errno.EROFS: "make the file system writable",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "give yourself the right to read and write there"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "move the file that is where a folder should be"),
    errno.EIO: "check the disk",
}


def advice(error: Exception) -> str | None:
    """What to do about an error of the file system; None for any other error. The message may be all that names it."""
    number = getattr(error, "errno", None)
    if number is None:
        # safetensors and pyarrow pass the system's error on as text.
        number = next((each for each in _ADVICE if os.strerror(each) in str(error)), None)
    return _ADVICE.get(number) if number is not None else None


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path of its own beside `target` to write a file to, which replaces `target` when the body has ended."""
    partial = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def hidden_folder(target: Path) -> Iterator[Path]:
    """A folder of its own beside `target`, to fill and then to move; what has not been moved is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Unlike a temporary folder, it has the rights that the user's umask gives.
    folder = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_through(path: Path) -> None:
    """Wait until the contents of a file are on the disk; otherwise its rename could reach the disk first."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def discard(path: Path, aside: Path) -> None:
    """Remove a file or folder, in one step for whoever looks; do nothing if it is gone. aside: a path to move it to."""
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    remove: Callable[[Path], Any] = shutil.rmtree if aside.is_dir() else os.unlink
    remove(aside)
