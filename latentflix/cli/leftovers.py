"""What killed runs left in a folder of artifacts."""

import shutil
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from latentflix.artifacts import CHECKPOINTS, MANIFEST, Handle, Store
from latentflix.errors import ArtifactError
from latentflix.system.disk import advice
from latentflix.system.locks import NoLocks, try_lock

# An interrupted training is hardly continued later.
_DAYS_TO_CONTINUE = 7


@dataclass(frozen=True)
class Leftover:
    """A folder that no run uses. size: in bytes. why: why it is not needed."""

    path: Path
    size: int
    why: str


def sweep(store: Store, *, remove: bool) -> Iterator[Leftover]:
    """Find what killed runs left behind, and if asked to, remove it; yield each folder as it is found or removed.

    A run locks the key that it makes, so what belongs to a key that is not locked was left behind. Raises ArtifactError
    if the file system has no locks, or something cannot be removed.
    """
    for handle, path in _candidates(store):
        lock = store.lock(handle)
        try:
            # Listing creates no lock files.
            held = try_lock(lock) if remove or lock.exists() else nullcontext()
            if held is None:
                continue
            with held:
                why = _why_unneeded(store, handle, path)
                left = Leftover(path, sum(file.stat().st_size for file in path.rglob("*") if file.is_file()), why)
                if remove and why:
                    shutil.rmtree(path)
        except NoLocks as error:
            raise ArtifactError(
                "what killed runs left cannot be distinguished from what runs use",
                where=str(store.root),
                found="a file system without locks",
                hint="when no run uses the folder, remove its hidden folders yourself",
            ) from error
        except FileNotFoundError:
            # A run, or another sweep, was faster.
            continue
        except OSError as error:
            raise ArtifactError(
                "a folder cannot be removed", where=str(path), found=str(error), hint=advice(error) or ""
            ) from error
        if why:
            yield left


def _candidates(store: Store) -> Iterator[tuple[Handle, Path]]:
    """Hidden folders, which a run may still use, and the artifacts that they are for."""
    for path in sorted(store.root.glob("[!.]*/.*-*")):
        key = path.name.removeprefix(".").partition("-")[0]
        yield Handle(stage=path.parent.name, key=key), path
    for path in sorted(store.root.glob(f"{CHECKPOINTS}/*/*")):
        yield Handle(stage=path.parent.name, key=path.name), path


def _why_unneeded(store: Store, handle: Handle, path: Path) -> str:
    """Why a folder is not needed, if no run uses it; empty if it may be."""
    if path.name != handle.key:
        return "an artifact that was not finished"
    if (store.path(handle) / MANIFEST).exists():
        return "a checkpoint of a finished training"
    changed = max((file.stat().st_mtime for file in path.rglob("*")), default=0)
    if time.time() - changed > _DAYS_TO_CONTINUE * 24 * 60 * 60:
        return f"a checkpoint that no run has continued for {_DAYS_TO_CONTINUE} days"
    return ""
