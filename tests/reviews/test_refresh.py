import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import get_args
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from latentflix.errors import SettingsError, StoreConflict, StoreError, TransientFetchError
from latentflix.reviews.refresh import (
    NO_HISTORY,
    Batch,
    History,
    RefreshConfig,
    due_films,
    group_films,
    read_history,
    shortfalls,
    summarise,
    usable_sources,
)
from latentflix.reviews.sources.file import FileConfig, FileSource
from latentflix.reviews.sources.protocol import Answer, Film, Outcome
from latentflix.reviews.store import Attempt, Change, partition_of
from tests.support.synthetic_reviews import BEGAN, SyntheticSource, films, review, write

CONFIG = RefreshConfig(longest_pause=5)
STALE = RefreshConfig(stale_after_days=0)
RANDOM = np.random.default_rng(0)


def batch_of(store, *sources, count=3, config=CONFIG, history=NO_HISTORY):
    return Batch(films(count), store, sources, config, history)


def refresh_again(store, *sources, stale_after_days=0.0, **settings):
    """Run a batch with the history that the store has; return it, and how many films were due."""
    config = CONFIG.model_copy(update={"stale_after_days": stale_after_days, **settings})
    history = read_history(store.last_attempts(), config, datetime.now(UTC))
    batch = batch_of(store, *sources, config=config, history=history)
    batch.run()
    return batch, len(due_films(films(3), sources, history))


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
    batch.finish()
    assert outcomes(store)["tt0000002", "synthetic"] == "error"
    assert shortfalls([batch]) == {
        "synthetic": "error: no answer; expected: an answer; what to do: try again later (1 films)"
    }
    counts = summarise([batch], ["synthetic"]).loc["synthetic"]
    assert counts[counts > 0].to_dict() == {"asked": 3, "new": 6, "ok": 2, "error": 1}
    assert set(counts.index) == {"asked", *get_args(Change), "remaining", *get_args(Outcome)}


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
    history = read_history(store.last_attempts(), CONFIG, datetime.now(UTC))
    (due,) = due_films(films(3), [source], history)
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


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(), RuntimeError("the limiter is gone")])
def test_whatever_ends_a_batch_what_was_fetched_is_written_and_the_rest_queried_when_it_is_run_again(store, end):
    endings = [None, None, end]

    def before_request(_):
        if endings and (ending := endings.pop(0)):
            raise ending

    source = SyntheticSource()
    batch = Batch(films(5), store, [source], CONFIG, before_request=before_request)
    with pytest.raises(type(end)):
        batch.run()
    assert outcomes(store) == {(film.tconst, "synthetic"): "ok" for film in films(2)}
    assert len(store.read([film.tconst for film in films(5)])) == 6
    batch.run()
    assert set(source.asked.values()) == {1}
    assert len(outcomes(store)) == 5
    assert batch.merged == {("new", "synthetic"): 15}


def test_a_limiter_that_fails_for_a_moment_leaves_its_film_to_the_next_try(store):
    failures = [failed()]
    batch = Batch(films(3), store, [SyntheticSource()], CONFIG, before_request=lambda _: raise_next(failures))
    assert run_and_fail(batch) == ["tt0000001"]
    batch.run()
    assert set(outcomes(store).values()) == {"ok"}


def raise_next(errors):
    if errors:
        raise errors.pop()


def test_what_could_not_be_written_is_written_when_the_batch_ends(store, monkeypatch):
    source = SyntheticSource(answers={"tt0000002": [failed()]})
    batch = batch_of(store, source)
    with monkeypatch.context() as patched:
        patched.setattr(store, "record", Mock(side_effect=StoreError("disk full")))
        with pytest.raises(StoreError):
            batch.run()
    batch.finish()
    assert [outcomes(store)[film.tconst, "synthetic"] for film in films(3)] == ["ok", "error", "ok"]
    assert batch.merged == {("new", "synthetic"): 6}


def test_a_batch_that_is_stopped_ends_after_the_film_that_is_being_queried(store):
    batch = batch_of(store, SyntheticSource())
    batch._before_request = lambda _: batch.stop()
    batch.run()
    assert outcomes(store) == {("tt0000001", "synthetic"): "ok"}


def test_a_source_gets_back_the_marker_of_its_last_answer(store):
    source = SyntheticSource()
    refresh_again(store, source)
    assert set(source.markers.values()) == {""}
    version = store.version()
    again, _ = refresh_again(store, source)
    assert set(source.markers.values()) == {"3"}
    assert (again.merged, store.version()) == ({}, version)
    source.per_film = 4
    newest, _ = refresh_again(store, source)
    assert newest.merged == {("new", "synthetic"): 3, ("unchanged", "synthetic"): 9}
    refresh_again(store, source)
    assert set(source.markers.values()) == {"4"}


def test_reviews_beyond_the_limit_are_counted_and_come_with_the_next_refreshes(store):
    source = SyntheticSource(per_film=5)
    cut, _ = refresh_again(store, source, limit=2)
    assert cut.merged == {("new", "synthetic"): 6}
    assert summarise([cut], ["synthetic"]).loc["synthetic", "remaining"] == 9
    assert shortfalls([cut]) == {"synthetic": "ok: there are more new reviews than --refresh.limit 2 (3 films)"}
    # What was left is due at once, although the answers are fresh.
    further, due = refresh_again(store, source, limit=2, stale_after_days=7)
    assert due == 3
    assert further.merged == {("unchanged", "synthetic"): 6, ("new", "synthetic"): 6}
    last, _ = refresh_again(store, source, limit=2, stale_after_days=7)
    assert last.merged == {("unchanged", "synthetic"): 12, ("new", "synthetic"): 3}
    assert summarise([last], ["synthetic"]).loc["synthetic", "remaining"] == 0
    assert refresh_again(store, source, limit=2, stale_after_days=7)[1] == 0


def test_a_raised_limit_brings_the_rest_and_near_duplicates_do_not_count(store):
    repeated = [review("tt0000001", 10 + number, write("tt0000001 0") + ".") for number in range(3)]
    reviews = (review("tt0000001", 0), *repeated, *(review("tt0000001", number) for number in range(1, 6)))
    source = SyntheticSource(answers={"tt0000001": [Answer("ok", reviews)] * 2})
    refresh_again(store, source, limit=3)
    assert sorted(store.read(["tt0000001"])["source_review_id"]) == [f"tt0000001-{number}" for number in range(3)]
    refresh_again(store, source, limit=9)
    assert sorted(store.read(["tt0000001"])["source_review_id"]) == [f"tt0000001-{number}" for number in range(6)]


def test_the_users_own_file_is_read_whole_in_every_refresh(store, tmp_path):
    path = tmp_path / "mine.csv"
    rows = [("tt0000001", write(number), f"2024-01-{1 + number % 28:02}") for number in range(250)]
    later = [
        ("tt0000001", write(251), "2024-01-28"),
        ("tt0000001", write(252), "1999-01-01"),
        ("tt0000001", write(253), ""),
    ]

    def refresh_from_file(rows):
        pd.DataFrame(rows, columns=["imdb_id", "text", "day"]).to_csv(path, index=False)
        source = FileSource(FileConfig(path=path, date_column="day"))
        batch, due = refresh_again(store, source, stale_after_days=7)
        assert due == 3
        return batch.merged

    assert refresh_from_file(rows) == {("new", "file"): 250}
    assert refresh_from_file(rows + later) == {("new", "file"): 3, ("unchanged", "file"): 250}
    version = store.version()
    assert refresh_from_file(rows + later) == {("unchanged", "file"): 253}
    assert store.version() == version


def test_the_hook_is_called_before_each_query(store):
    announced = []
    Batch(films(2), store, [SyntheticSource("one")], CONFIG, before_request=announced.append).run()
    assert announced == ["one", "one"]


def attempts(*rows):
    return pd.DataFrame(
        [Attempt(tconst, source, BEGAN + timedelta(days=day), outcome) for tconst, source, day, outcome in rows]
    ).astype({"asked_at": "datetime64[us, UTC]"})


ONE, TWO = SyntheticSource("one"), SyntheticSource("two")
A_WEEK_LATER = BEGAN + timedelta(days=7)


def due_ids(sources, *rows, count=6):
    history = read_history(attempts(*rows), RefreshConfig(stale_after_days=4), A_WEEK_LATER)
    return {film.tconst for film in due_films([*films(count), Film("unknown")], sources, history)}


def test_films_without_a_fresh_answer_are_due():
    rows = [
        ("tt0000001", "one", 0, "ok"),
        ("tt0000002", "one", 5, "ok"),
        ("tt0000003", "one", 5, "error"),
        ("tt0000004", "one", 5, "empty"),
        ("tt0000005", "one", 5, "blocked"),
    ]
    assert due_ids([ONE], *rows) == {"tt0000001", "tt0000003", "tt0000005", "tt0000006"}


def test_an_answer_that_a_wrong_clock_dated_later_than_now_is_not_fresh():
    assert due_ids([ONE], ("tt0000001", "one", 8, "ok"), count=1) == {"tt0000001"}


def test_freshness_belongs_to_film_and_source():
    rows = [("tt0000001", "one", 6, "ok"), ("tt0000002", "one", 6, "empty"), ("tt0000003", "one", 6, "not_covered")]
    rows += [("tt0000003", "two", 6, "ok")]
    assert due_ids([ONE], *rows, count=3) == set()
    # A source that is newly named is asked at once, unless one before it has reviews of the film.
    assert due_ids([TWO], *rows, count=3) == {"tt0000001", "tt0000002"}
    assert due_ids([ONE, TWO], *rows, count=3) == {"tt0000002"}
    assert due_ids([TWO, ONE], *rows, count=3) == {"tt0000001", "tt0000002"}


def test_a_source_on_this_computer_is_always_due():
    assert due_ids([SyntheticSource("one", local=True)], ("tt0000001", "one", 6, "ok"), count=1) == {"tt0000001"}


def test_only_sources_without_a_fresh_answer_are_queried(store):
    one, two = SyntheticSource("one", answers={"tt0000001": [Answer("empty")]}), SyntheticSource("two")
    refresh_again(store, one)
    assert one.asked == Counter(tt0000001=1, tt0000002=1, tt0000003=1)
    refresh_again(store, one, two, stale_after_days=7)
    assert one.asked == Counter(tt0000001=1, tt0000002=1, tt0000003=1)
    assert two.asked == Counter(tt0000001=1)


def test_due_films_are_ordered_by_partition_and_unique():
    due = due_films(films(200) * 2, [ONE], History())
    places = [partition_of(film.tconst) for film in due]
    assert len(due) == 200
    assert places == sorted(places)


def test_films_are_grouped_in_their_order_and_those_that_may_be_unchanged_in_larger_groups():
    assert group_films(films(7), NO_HISTORY, 3) == [films(3), films(6)[3:], films(7)[6:]]
    known = History(markers={(film.tconst, "one"): "a marker" for film in films(20)[2:]} | {("tt0000001", "one"): ""})
    assert [len(group) for group in group_films(films(20), known, 3)] == [2, 12, 6]
    assert [film for group in group_films(films(20), known, 3) for film in group] == films(20)


def test_unavailable_sources_are_left_out_with_their_reason():
    broken = SyntheticSource("broken", unavailable="no key")
    usable, unusable = usable_sources([broken, SyntheticSource("good")])
    assert [source.name for source in usable] == ["good"]
    assert unusable == {"broken": "no key"}
    with pytest.raises(SettingsError, match="no source of reviews can be queried; found: broken: no key"):
        usable_sources([broken])
    with pytest.raises(SettingsError, match="found: none named"):
        usable_sources([])
