"""The full flow and a refresh on a small disk, for `benchmarks.faults`, which runs this in a mount namespace."""

import flows  # noqa: F401 # isort: skip  # its settings come before Prefect is imported

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from prefect.testing.utilities import prefect_test_harness

from benchmarks.fault_victims import N_FILMS, reviews_of
from benchmarks.faults import Losses, check_reviews, complete_results, hidden_files
from benchmarks.output import say
from latentflix.artifacts import MANIFEST, Store
from latentflix.errors import ArtifactError, LatentflixError, StageFailed, StoreError
from latentflix.reviews.delta import MIN_FREE
from latentflix.reviews.store import ReviewStore
from tests.support.synthetic_reviews import films, review
from tests.support.synthetic_run import HASTY, run_synthetic
from tests.support.synthetic_world import make_world

BLOCK = 4096
PER_FILM = 5


def resize(disk: Path, size: int, *, first: bool = False) -> None:
    """Mount an empty disk of so many bytes, or give the one that is mounted another size."""
    options = f"size={size}" if first else f"remount,size={size}"
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=True)


def occupied(folder: Path) -> int:
    """Bytes that the files of a folder take up."""
    return sum(-(-path.stat().st_size // BLOCK) * BLOCK for path in folder.rglob("*") if path.is_file())


def fill_with_results(folder: Path, losses: Losses) -> None:
    """Run the full flow up to each of its stages in turn, with half of the room that the stage's result needs."""
    world, whole, small = make_world(), folder / "whole", folder / "small"
    disk = small / "artifacts"
    for each in (whole, disk):
        each.mkdir(parents=True)
    made = complete_results(run_synthetic(world, whole, **HASTY).store)[0]
    names = sorted(made, key=lambda name: (whole / "artifacts" / name / MANIFEST).stat().st_mtime_ns)
    for number, name in enumerate(names):
        resize(disk, 10 * occupied(whole), first=True)
        for earlier in names[:number]:
            shutil.copytree(whole / "artifacts" / earlier, disk / earlier)
        before = complete_results(Store(disk))[0]
        half_of_it = max(occupied(whole / "artifacts" / name) // 2 // BLOCK, 1) * BLOCK
        resize(disk, occupied(disk) + half_of_it)
        losses.trials += 1
        try:
            run_synthetic(world, small, **HASTY)
        except (LatentflixError, StageFailed, OSError) as error:
            losses.struck += 1
            losses.unclear += not isinstance(error, ArtifactError)
            say(f"{name}: {error}")
        found, half = complete_results(Store(disk))
        losses.half += half
        resize(disk, 10 * occupied(whole))
        run_synthetic(world, small, **HASTY)
        after, half = complete_results(Store(disk))
        losses.half += half
        losses.lost += len(before.items() - found.items()) + len(found.items() - after.items())
        losses.lost += len(made.keys() - after.keys())
        losses.doubled += len(after.keys() - made.keys()) + hidden_files(disk)
        # Some results are still mapped into memory.
        subprocess.run(["/usr/bin/umount", "--lazy", str(disk)], check=True)


def fill_with_reviews(folder: Path, losses: Losses) -> None:
    """Store the reviews of one film after another, on a disk that grows by a block each time it is nearly full."""
    disk = folder / "reviews"
    disk.mkdir()
    size = MIN_FREE + 8 * BLOCK
    resize(disk, size, first=True)
    uri, found = str(disk / "store"), set[str]()
    for film in films(N_FILMS):
        reviews = [review(film.tconst, number) for number in range(PER_FILM)]
        while True:
            try:
                ReviewStore(uri).merge(reviews, datetime.now(UTC))
                break
            except (StoreError, OSError) as error:
                losses.trials += 1
                losses.struck += 1
                losses.unclear += not isinstance(error, LatentflixError)
                size += BLOCK
                resize(disk, size)
                found = check_reviews(uri, found, losses)
        found = check_reviews(uri, found, losses)
    losses.lost += len(reviews_of(PER_FILM) - found)


def main() -> None:
    """Fill both disks, and print what was lost as JSON."""
    losses, folder = Losses("full disk"), Path(sys.argv[1])
    os.environ["PREFECT_HOME"] = str(folder / "prefect")
    fill_with_reviews(folder, losses)
    with prefect_test_harness(server_startup_timeout=120):
        fill_with_results(folder, losses)
    sys.stdout.write(f"{json.dumps(asdict(losses))}\n")


if __name__ == "__main__":
    main()
