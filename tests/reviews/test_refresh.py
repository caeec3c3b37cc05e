import multiprocessing
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from latentflix.errors import FilmsUnanswered, SettingsError, StoreConflict, TransientFetchError
from latentflix.reviews.refresh import (
    Batch,
    RefreshConfig,
    chunked,
    failure_reasons,
    last_answered,
    stale_films,
    summarise,
    usable_sources,
)
from latentflix.reviews.sources.protocol import Answer, Check, Film
from latentflix.reviews.store import Attempt, MergeCounts, ReviewStore, partition_of
from tests.support.synthetic_reviews import BEGAN, PlantedSource, films, review

CONFIG = RefreshConfig(longest_rest=5)
RANDOM = np.random.default_rng(0)


@pytest.fixture
def store(tmp_path):
    return ReviewStore(str(tmp_path / "store"))


def batch_of(store, *sources, count=3, config=CONFIG, answered=None):
    return Batch(films(count), store, sources, config, answered)


def outcomes(store):
    return {(row.tconst, row.source): row.outcome for row in store.last_attempts().itertuples()}


def failed(retry_after=None):
    return TransientFetchError("no answer", retry_after=retry_after)


def test_what_a_source_answers_is_kept_with_the_attempt(store):
    batch = batch_of(store, PlantedSource())
    began = datetime.now(UTC)
    batch.run()
    rows = store.read([film.tconst for film in films(3)])
    assert rows["tconst"].value_counts().to_dict() == {film.tconst: 3 for film in films(3)}
    assert batch.merged == MergeCounts(new=Counter(planted=9))
    attempts = store.last_attempts()
    assert attempts[["outcome", "reviews"]].to_numpy().tolist() == [["ok", 3]] * 3
    assert attempts["asked_at"].between(began, datetime.now(UTC)).all()


@pytest.mark.parametrize("outcome", ["empty", "not_covered"])
def test_the_next_source_is_asked_where_one_has_nothing(store, outcome):
    first = PlantedSource("first", answers={"tt0000002": [Answer(outcome, reason="none")]})
    second = PlantedSource("second")
    batch_of(store, first, second).run()
    assert second.asked == Counter(tt0000002=1)
    assert outcomes(store)["tt0000002", "first"] == outcome
    assert set(store.read(["tt0000002"])["source"]) == {"second"}


@pytest.mark.parametrize("outcome", ["ok", "blocked", "unsupported", "error"])
def test_no_other_source_is_asked_after_any_other_answer(store, outcome):
    first = PlantedSource("first", answers={film.tconst: [Answer(outcome, reason="so")] for film in films(3)})
    second = PlantedSource("second")
    batch_of(store, first, second).run()
    assert second.asked == Counter()
    assert set(outcomes(store).values()) == {outcome}


def test_only_the_films_that_failed_are_asked_again(store):
    source = PlantedSource(answers={"tt0000002": [failed(), failed()]})
    batch = batch_of(store, source)
    for _ in range(2):
        with pytest.raises(FilmsUnanswered) as caught:
            batch.run()
        assert list(caught.value.films) == ["tt0000002"]
        assert sorted(store.read([film.tconst for film in films(3)])["tconst"].unique()) == ["tt0000001", "tt0000003"]
    batch.run()
    assert source.asked == Counter(tt0000001=1, tt0000002=3, tt0000003=1)
    assert set(outcomes(store).values()) == {"ok"}
    assert batch.merged.new == Counter(planted=9)


def test_of_a_film_that_fails_to_the_end_that_is_written_down(store):
    source = PlantedSource(answers={"tt0000002": [failed()]})
    batch = batch_of(store, source)
    with pytest.raises(FilmsUnanswered):
        batch.run()
    batch.record_failures()
    assert outcomes(store)["tt0000002", "planted"] == "error"
    assert failure_reasons([batch]) == {
        "planted": "error: no answer; expected: an answer; what to do: try again later (1 films)"
    }
    assert summarise([batch], ["planted"]).loc["planted"].to_dict() == {
        "asked": 3,
        "new": 6,
        "changed": 0,
        "unchanged": 0,
        "repeated": 0,
        "ok": 2,
        "empty": 0,
        "not_covered": 0,
        "blocked": 0,
        "unsupported": 0,
        "error": 1,
    }


def test_a_source_that_stumbles_over_a_film_costs_no_other(store):
    source = PlantedSource(answers={"tt0000001": [KeyError("reviews")]})
    batch_of(store, source).run()
    assert outcomes(store) == {
        ("tt0000001", "planted"): "error",
        ("tt0000002", "planted"): "ok",
        ("tt0000003", "planted"): "ok",
    }
    reason = store.last_attempts().set_index("tconst").loc["tt0000001", "reason"]
    assert reason == "KeyError: 'reviews'"


def test_a_source_that_fails_for_one_film_after_the_other_is_left_alone_for_the_moment(store):
    source = PlantedSource(answers={film.tconst: [failed()] for film in films(30)})
    batch = batch_of(store, source, count=30)
    with pytest.raises(FilmsUnanswered) as caught:
        batch.run()
    assert len(caught.value.films) == 30
    assert sum(source.asked.values()) == 5
    while batch.unanswered:
        try:
            batch.run()
        except FilmsUnanswered:
            continue
    assert set(outcomes(store).values()) == {"ok"}


def test_the_rest_that_a_source_asks_for_is_kept(store):
    batch = batch_of(store, PlantedSource(answers={"tt0000001": [failed(retry_after=0.5)]}))
    with pytest.raises(FilmsUnanswered):
        batch.run()
    until = time.monotonic() + 0.4
    batch.run()
    assert time.monotonic() >= until


def test_a_source_that_wants_too_long_a_rest_is_asked_by_the_next_refresh(store):
    source = PlantedSource(answers={"tt0000001": [failed(retry_after=6)]})
    batch_of(store, source).run()
    assert source.asked["tt0000001"] == 1
    last = store.last_attempts().set_index("tconst").loc["tt0000001"]
    assert last["outcome"] == "error"
    assert last["reason"].endswith("asks to be left alone for 6 seconds")
    assert [film.tconst for film in stale_films(films(3), store.last_attempts(), CONFIG, datetime.now(UTC))] == [
        "tt0000001"
    ]


def test_nothing_is_fetched_again_when_only_writing_failed(store, monkeypatch):
    source = PlantedSource()
    batch = batch_of(store, source)
    with monkeypatch.context() as patched:

        def conflict(*_):
            raise StoreConflict("another writer")

        patched.setattr(store, "merge", conflict)
        with pytest.raises(StoreConflict):
            batch.run()
    assert store.last_attempts().empty
    batch.run()
    assert set(source.asked.values()) == {1}
    assert batch.merged.new == Counter(planted=9)
    assert set(outcomes(store).values()) == {"ok"}


def test_a_source_is_told_since_when_reviews_are_new(store):
    source = PlantedSource()
    batch_of(store, source).run()
    assert set(source.since.values()) == {None}
    version = store.version()
    source.per_film = 4
    batch = batch_of(store, source)
    batch.run()
    assert set(source.since.values()) == {BEGAN}
    assert (batch.merged, store.version()) == (MergeCounts(), version)
    source.answers = {"tt0000001": [Answer("ok", (review("tt0000001", -1),))]}
    batch = batch_of(store, source)
    batch.run()
    assert batch.merged == MergeCounts(new=Counter(planted=1))


def test_of_a_source_without_dates_what_counts_is_when_it_last_answered(store):
    undated = {film.tconst: [Answer("ok", (review(film.tconst, 1, written_at=None),))] for film in films(3)}
    source = PlantedSource(answers=undated)
    batch_of(store, source).run()
    answered = last_answered(store.last_attempts())
    batch_of(store, source, answered=answered).run()
    assert source.since == {tconst: time for (tconst, _), time in answered.items()}
    assert all(time > BEGAN for time in answered.values())


def test_before_each_film_the_source_is_announced(store):
    announced = []
    Batch(films(2), store, [PlantedSource("one")], CONFIG, before_asking=announced.append).run()
    assert announced == ["one", "one"]


def attempts(*rows):
    return pd.DataFrame(
        [Attempt(tconst, source, BEGAN + timedelta(days=day), outcome) for tconst, source, day, outcome in rows]
    ).astype({"asked_at": "datetime64[us, UTC]"})


def test_films_are_due_that_were_never_answered_or_too_long_ago():
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


def test_films_that_are_due_stand_by_partition_each_once():
    due = stale_films(films(200) * 2, attempts(("tt9", "one", 0, "ok")), CONFIG, BEGAN)
    places = [partition_of(film.tconst) for film in due]
    assert len(due) == 200
    assert places == sorted(places)


def test_films_are_dealt_in_their_order():
    assert [len(group) for group in chunked(films(7), 3)] == [3, 3, 1]
    assert [film for group in chunked(films(7), 3) for film in group] == films(7)


def test_a_source_that_cannot_work_here_is_left_out_and_named():
    broken = PlantedSource("broken", works=Check(False, "no key"))
    usable, unusable = usable_sources([broken, PlantedSource("good")])
    assert [source.name for source in usable] == ["good"]
    assert unusable == {"broken": "no key"}
    with pytest.raises(SettingsError, match="no source of reviews to ask; found: broken: no key"):
        usable_sources([broken])
    with pytest.raises(SettingsError, match="found: none named"):
        usable_sources([])


def refresh_all(uri, per_film, started=None):
    """Ask about all films in batches, and try again what may pass, as Prefect does."""
    store, source = ReviewStore(uri), PlantedSource(per_film=per_film, pause=0.002)
    # Each review is new, whatever the dates say.
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


def test_a_refresh_that_is_killed_loses_and_doubles_nothing(processes, tmp_path):
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


def test_two_refreshes_at_once_both_end_and_double_nothing(processes, tmp_path):
    uri = str(tmp_path / "store")
    running = [processes.Process(target=refresh_all, args=(uri, 4)) for _ in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    assert [process.exitcode for process in running] == [0, 0]
    assert stored(uri)["tconst"].value_counts().to_dict() == {film.tconst: 4 for film in films(60)}
    assert len(ReviewStore(uri).last_attempts()) == 60
