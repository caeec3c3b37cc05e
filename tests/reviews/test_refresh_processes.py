"""Refreshes in processes that are killed, or that meet."""

import multiprocessing
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from latentflix.errors import StoreConflict
from latentflix.reviews.refresh import NO_HISTORY, Batch, RefreshConfig, due_films, group_films, read_history
from latentflix.reviews.sources.protocol import Answer
from latentflix.reviews.store import ReviewStore
from tests.support.synthetic_reviews import SyntheticSource, films, review

STALE = RefreshConfig(stale_after_days=0)
CONFIG = RefreshConfig(longest_pause=5)
RANDOM = np.random.default_rng(0)


def refresh_all(uri, per_film, started=None):
    """Query all films in batches, and retry on conflicts, as Prefect does."""
    store, source = ReviewStore(uri), SyntheticSource(per_film=per_film, pause=0.002)
    # Every review is new, regardless of its date.
    source.answers = {
        film.tconst: [Answer("ok", tuple(review(film.tconst, number) for number in range(per_film)))] * 99
        for film in films(60)
    }
    due = due_films(films(60), [source], read_history(store.last_attempts(), STALE, datetime.now(UTC)))
    if started:
        started.set()
    for group in group_films(due, NO_HISTORY, 6):
        batch = Batch(group, store, [source], CONFIG)
        for _ in range(50):
            try:
                batch.run()
                break
            except StoreConflict:
                time.sleep(RANDOM.uniform(0, 0.05))
        else:
            raise AssertionError("conflicts without end")


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["latentflix.reviews.refresh", "tests.support.synthetic_reviews", "tests.reviews.test_refresh_processes"]
    )
    return context


def stored(uri):
    reviews = ReviewStore(uri).read([film.tconst for film in films(60)])
    assert reviews["review_id"].is_unique
    return reviews


def test_a_killed_refresh_loses_and_duplicates_nothing(processes, tmp_path):
    uri = str(tmp_path / "store")
    began = time.monotonic()
    refresh_all(uri, 2)
    seconds = time.monotonic() - began
    before, killed, per_film = set(stored(uri)["review_id"]), 0, 2
    while killed < 20:
        per_film += 1
        started = processes.Event()
        process = processes.Process(target=refresh_all, args=(uri, per_film, started))
        process.start()
        assert started.wait(60)
        process.join(RANDOM.uniform(0, seconds))
        process.kill()
        process.join()
        killed += process.exitcode != 0
        rows = stored(uri)
        assert before <= set(rows["review_id"])
        # A film has all the reviews of a refresh or none of them.
        assert set(rows["tconst"].value_counts()) <= set(range(2, per_film + 1))
        assert len(ReviewStore(uri).last_attempts()) == 60
        before = set(rows["review_id"])
    refresh_all(uri, per_film)
    assert stored(uri)["tconst"].value_counts().to_dict() == {film.tconst: per_film for film in films(60)}


def test_two_refreshes_at_once_complete_and_duplicate_nothing(processes, tmp_path):
    uri = str(tmp_path / "store")
    running = [processes.Process(target=refresh_all, args=(uri, 4)) for _ in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    assert [process.exitcode for process in running] == [0, 0]
    assert stored(uri)["tconst"].value_counts().to_dict() == {film.tconst: 4 for film in films(60)}
    assert len(ReviewStore(uri).last_attempts()) == 60
