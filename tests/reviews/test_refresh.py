import multiprocessing
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import get_args
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from latentflix.artifacts import Store
from latentflix.errors import SettingsError, StoreConflict, TransientFetchError
from latentflix.reviews.refresh import (
    Batch,
    RefreshConfig,
    chunked,
    failure_reasons,
    films_by_id,
    films_in_report,
    films_with_imdb_id,
    last_answered,
    stale_films,
    summarise,
    usable_sources,
)
from latentflix.reviews.sources.protocol import Answer, Film, Outcome
from latentflix.reviews.store import Attempt, Change, ReviewStore, partition_of
from tests.support.factories.artifacts import put
from tests.support.synthetic_reviews import BEGAN, SyntheticSource, films, review

CONFIG = RefreshConfig(longest_pause=5)
RANDOM = np.random.default_rng(0)


def batch_of(store, *sources, count=3, config=CONFIG, answered=None):
    return Batch(films(count), store, sources, config, answered)


def outcomes(store):
    return {(row.tconst, row.source): row.outcome for row in store.last_attempts().itertuples()}


def last_attempt(store, tconst):
    return store.last_attempts().set_index("tconst").loc[tconst]


def run_and_fail(batch):
    """Run a batch of which some films fail, and return the ids of these."""
    with pytest.raises(TransientFetchError) as caught:
        batch.run()
    return list(caught.value.films)


def failed(retry_after=None):
    return TransientFetchError("no answer", retry_after=retry_after)


def test_answers_are_stored_with_their_attempts(store):
    batch = batch_of(store, SyntheticSource())
    began = datetime.now(UTC)
    batch.run()
    rows = store.read([film.tconst for film in films(3)])
    assert rows["tconst"].value_counts().to_dict() == {film.tconst: 3 for film in films(3)}
    assert batch.merged == {("new", "synthetic"): 9}
    attempts = store.last_attempts()
    assert attempts[["outcome", "reviews"]].to_numpy().tolist() == [["ok", 3]] * 3
    assert attempts["asked_at"].between(began, datetime.now(UTC)).all()


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_the_next_source_is_queried_only_if_one_has_nothing(store, outcome):
    first = SyntheticSource("first", answers={"tt0000001": [Answer(outcome, reason="so")]})
    second = SyntheticSource("second")
    batch_of(store, first, second, count=1).run()
    assert outcomes(store)["tt0000001", "first"] == outcome
    assert second.asked["tt0000001"] == (outcome in ("empty", "not_covered"))
    assert len(store.read(["tt0000001"])) == 3 * second.asked["tt0000001"]


def test_only_films_that_failed_are_queried_again(store):
    source = SyntheticSource(answers={"tt0000002": [failed(), failed()]})
    batch = batch_of(store, source)
    for _ in range(2):
        assert run_and_fail(batch) == ["tt0000002"]
        assert sorted(store.read([film.tconst for film in films(3)])["tconst"].unique()) == ["tt0000001", "tt0000003"]
    batch.run()
    assert source.asked == Counter(tt0000001=1, tt0000002=3, tt0000003=1)
    assert set(outcomes(store).values()) == {"ok"}
    assert batch.merged == {("new", "synthetic"): 9}


def test_a_film_that_keeps_failing_is_recorded_as_failed(store):
    batch = batch_of(store, SyntheticSource(answers={"tt0000002": [failed()]}))
    run_and_fail(batch)
    batch.record_failures()
    assert outcomes(store)["tt0000002", "synthetic"] == "error"
    assert failure_reasons([batch]) == {
        "synthetic": "error: no answer; expected: an answer; what to do: try again later (1 films)"
    }
    counts = summarise([batch], ["synthetic"]).loc["synthetic"]
    assert counts[counts > 0].to_dict() == {"asked": 3, "new": 6, "ok": 2, "error": 1}
    assert set(counts.index) == {"asked", *get_args(Change), *get_args(Outcome)}


def test_an_unforeseen_failure_affects_one_film_only(store):
    batch_of(store, SyntheticSource(answers={"tt0000001": [KeyError("reviews")]})).run()
    assert [outcomes(store)[film.tconst, "synthetic"] for film in films(3)] == ["error", "ok", "ok"]
    assert last_attempt(store, "tt0000001")["reason"] == "KeyError: 'reviews'"


def test_a_source_that_fails_several_times_in_a_row_is_queried_in_the_next_run_only(store):
    source = SyntheticSource(answers={film.tconst: [failed()] for film in films(30)})
    batch = batch_of(store, source, count=30)
    assert len(run_and_fail(batch)) == 30
    assert sum(source.asked.values()) == 5
    while batch.unanswered:
        with suppress(TransientFetchError):
            batch.run()
    assert set(outcomes(store).values()) == {"ok"}


def test_a_pause_that_a_source_asks_for_is_kept(store):
    batch = batch_of(store, SyntheticSource(answers={"tt0000001": [failed(retry_after=0.5)]}))
    began = time.monotonic()
    run_and_fail(batch)
    batch.run()
    assert time.monotonic() - began >= 0.5


def test_too_long_a_pause_leaves_the_film_to_the_next_refresh(store):
    source = SyntheticSource(answers={"tt0000001": [failed(retry_after=6)]})
    batch_of(store, source).run()
    assert source.asked["tt0000001"] == 1
    last = last_attempt(store, "tt0000001")
    assert last["outcome"] == "error"
    assert last["reason"].endswith("asks for a pause of 6 seconds")
    (due,) = stale_films(films(3), store.last_attempts(), CONFIG, datetime.now(UTC))
    assert due.tconst == "tt0000001"


def test_nothing_is_fetched_again_if_only_writing_failed(store, monkeypatch):
    source = SyntheticSource()
    batch = batch_of(store, source)
    with monkeypatch.context() as patched:
        patched.setattr(store, "merge", Mock(side_effect=StoreConflict("another writer")))
        with pytest.raises(StoreConflict):
            batch.run()
    assert store.last_attempts().empty
    batch.run()
    assert set(source.asked.values()) == {1}
    assert batch.merged == {("new", "synthetic"): 9}
    assert set(outcomes(store).values()) == {"ok"}


def test_sources_are_queried_for_reviews_newer_than_the_newest_stored(store):
    source = SyntheticSource()
    batch_of(store, source).run()
    assert set(source.since.values()) == {None}
    version = store.version()
    source.per_film = 4
    again = batch_of(store, source)
    again.run()
    assert set(source.since.values()) == {BEGAN}
    assert (again.merged, store.version()) == ({}, version)
    source.answers = {"tt0000001": [Answer("ok", (review("tt0000001", -1),))]}
    newest = batch_of(store, source)
    newest.run()
    assert newest.merged == {("new", "synthetic"): 1}


def test_sources_without_dates_are_queried_since_their_last_answer(store):
    undated = {film.tconst: [Answer("ok", (review(film.tconst, 1, written_at=None),))] for film in films(3)}
    source = SyntheticSource(answers=undated)
    batch_of(store, source).run()
    answered = last_answered(store.last_attempts())
    batch_of(store, source, answered=answered).run()
    assert source.since == {tconst: time for (tconst, _), time in answered.items()}
    assert all(time > BEGAN for time in answered.values())


def test_the_hook_is_called_before_each_query(store):
    announced = []
    Batch(films(2), store, [SyntheticSource("one")], CONFIG, before_request=announced.append).run()
    assert announced == ["one", "one"]


def attempts(*rows):
    return pd.DataFrame(
        [Attempt(tconst, source, BEGAN + timedelta(days=day), outcome) for tconst, source, day, outcome in rows]
    ).astype({"asked_at": "datetime64[us, UTC]"})


def test_films_without_a_fresh_answer_are_due():
    table = attempts(
        ("tt0000001", "one", 0, "ok"),
        ("tt0000002", "one", 5, "ok"),
        ("tt0000003", "one", 5, "error"),
        ("tt0000004", "one", 5, "empty"),
        ("tt0000005", "one", 5, "not_covered"),
        ("tt0000005", "two", 6, "blocked"),
    )
    due = stale_films([*films(6), Film("unknown")], table, RefreshConfig(stale_after_days=4), BEGAN + timedelta(days=7))
    assert {film.tconst for film in due} == {"tt0000001", "tt0000003", "tt0000005", "tt0000006"}


def test_due_films_are_ordered_by_partition_unique_and_chunked_in_their_order():
    due = stale_films(films(200) * 2, attempts(("tt9", "one", 0, "ok")), CONFIG, BEGAN)
    places = [partition_of(film.tconst) for film in due]
    assert len(due) == 200
    assert places == sorted(places)
    assert [len(group) for group in chunked(films(7), 3)] == [3, 3, 1]
    assert [film for group in chunked(films(7), 3) for film in group] == films(7)


def test_unavailable_sources_are_left_out_with_their_reason():
    broken = SyntheticSource("broken", unavailable="no key")
    usable, unusable = usable_sources([broken, SyntheticSource("good")])
    assert [source.name for source in usable] == ["good"]
    assert unusable == {"broken": "no key"}
    with pytest.raises(SettingsError, match="no source of reviews can be queried; found: broken: no key"):
        usable_sources([broken])
    with pytest.raises(SettingsError, match="found: none named"):
        usable_sources([])


def refresh_all(uri, per_film, started=None):
    """Query all films in batches, and retry on conflicts, as Prefect does."""
    store, source = ReviewStore(uri), SyntheticSource(per_film=per_film, pause=0.002)
    # Every review is new, regardless of its date.
    source.answers = {
        film.tconst: [Answer("ok", tuple(review(film.tconst, number) for number in range(per_film)))] * 99
        for film in films(60)
    }
    due = stale_films(films(60), store.last_attempts(), RefreshConfig(stale_after_days=0), datetime.now(UTC))
    if started:
        started.set()
    for group in chunked(due, 6):
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
        ["latentflix.reviews.refresh", "tests.support.synthetic_reviews", "tests.reviews.test_refresh"]
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


TOY_STORY, POSTINO, EMMA = (Film(*film) for film in (
    ("Toy Story", 1995, "tt0114709"), ("Il Postino", 1994, "tt0110877"), ("Emma", 1996, "tt0116191"),
))  # fmt: skip
ITEMS = pd.DataFrame({
    "title": ["Toy Story (1995)", "Postino, Il (1994)", "unknown", "Emma (1996)"],
    "tconst": [TOY_STORY.tconst, POSTINO.tconst, None, EMMA.tconst],
}, index=pd.Index([1, 14, 267, 258], name="item_id"))  # fmt: skip


def test_films_with_an_imdb_id_have_title_and_year_and_may_be_chosen_by_it():
    assert films_with_imdb_id(ITEMS) == [TOY_STORY, POSTINO, EMMA]
    assert films_with_imdb_id(ITEMS[["title"]]) == []
    assert films_by_id(ITEMS, ["tt0116191", "tt9999999"]) == [EMMA, Film("", None, "tt9999999")]


def test_the_films_of_a_report_are_those_with_histograms(tmp_path):
    store, shares = Store(tmp_path), pd.DataFrame({"item_id": [14, 267], "label": "1+"})
    tables = {"ratings": {"items": ITEMS}, "histograms": {"shares": shares}}
    run = SimpleNamespace(handles={stage: put(store, stage, "a", tables=given) for stage, given in tables.items()})
    assert films_in_report(store, run) == [POSTINO]
