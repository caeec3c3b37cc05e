"""The processes that `benchmarks.faults` disturbs. Each says `ready` on standard output before it begins to work."""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pandas as pd

from latentflix.artifacts import Artifact, Handle, Store
from latentflix.config import StageConfig
from latentflix.errors import StoreError, TransientFetchError
from latentflix.reviews.refresh import Batch, RefreshConfig, due_films, group_films, read_history
from latentflix.reviews.sources.protocol import Answer, Availability, Film, newest_first
from latentflix.reviews.store import ReviewStore
from tests.support.synthetic_reviews import BEGAN, films, review

N_FILMS = 24
# Short waits, so that a kill falls between any two steps.
PAUSE = 0.002
# How long to wait for a process that may have failed.
PATIENCE = 10.0


def ready() -> None:
    """Signal that everything is imported."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


class GrowingSource:
    """A source with one review a day of each film."""

    name = "synthetic"
    local = False

    def __init__(self, per_film: int) -> None:
        self._per_film = per_film

    def availability(self) -> Availability:
        """Always available."""
        return Availability(True)

    def fetch(self, film: Film, marker: str) -> Answer:
        """Fetch all reviews, newest first, unless there are as many as when an answer had the `marker`."""
        time.sleep(PAUSE)
        current = str(self._per_film)
        if marker == current:
            return Answer("ok", marker=marker)
        days = [BEGAN + timedelta(days=number) for number in range(self._per_film)]
        reviews = [review(film.tconst, number, written_at=day) for number, day in enumerate(days)]
        return Answer("ok", newest_first(reviews), marker=current)


def refresh_films(uri: str, per_film: int, seed: int) -> None:
    """Store `per_film` reviews of each film, in batches in an order of this process's own; again after a conflict."""
    random = Random(seed)  # noqa: S311
    source = GrowingSource(per_film)
    config = RefreshConfig(stale_after_days=0, limit=per_film)
    store = ReviewStore(uri)
    ready()
    history = read_history(store.last_attempts(), config, datetime.now(UTC))
    groups = group_films(due_films(films(N_FILMS), [source], history), history, 6)
    random.shuffle(groups)
    for group in groups:
        batch = Batch(group, store, [source], config, history)
        for _ in range(100):
            try:
                batch.run()
                break
            except (StoreError, TransientFetchError):
                time.sleep(random.uniform(0, 0.05))
        else:
            raise AssertionError("conflicts without end")


def compact_store(uri: str, flag: str) -> None:
    """Compact the store again and again until the file `flag` is there."""
    store = ReviewStore(uri)
    ready()
    while not Path(flag).exists():
        try:
            store.compact()
            store.vacuum(keep_days=7)
        except StoreError:
            time.sleep(PAUSE)


def make_artifacts(root: str, me: str, other: str, count: int) -> None:
    """Make `count` artifacts, each at the same moment as the process that is called `other`."""
    store = Store(Path(root) / "artifacts")
    ready()
    for number in range(count):
        (Path(root) / f"{me}{number}").touch()
        deadline = time.monotonic() + PATIENCE
        while not (Path(root) / f"{other}{number}").exists() and time.monotonic() < deadline:
            time.sleep(0.0001)
        store.ensure(Handle(stage="numbers", key=f"{number:020}"), {}, StageConfig(), _fill)


def _fill(artifact: Artifact) -> None:
    artifact.checkpoints.mkdir(parents=True, exist_ok=True)
    for step in range(3):
        (artifact.checkpoints / "state").write_text(str(step))
        time.sleep(PAUSE)
    artifact.write_table("numbers", pd.DataFrame({"number": range(1000)}))


def reviews_of(per_film: int) -> set[str]:
    """The ids of the reviews that the films have after a complete refresh."""
    return {review(film.tconst, number).review_id for film in films(N_FILMS) for number in range(per_film)}
