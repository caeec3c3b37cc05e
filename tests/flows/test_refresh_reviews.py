"""Refreshes of the review store: the tasks with scripted sources, and the whole flow."""

import hashlib
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from prefect import flow
from prefect.artifacts import Artifact as PrefectArtifact
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

import flows.refresh_reviews
import tasks.reviews
from flows.refresh_reviews import refresh_reviews
from latentflix.errors import StoreError, TransientFetchError
from latentflix.reviews.films import films_in_report
from latentflix.reviews.refresh import NO_HISTORY, Batch, RefreshConfig, group_films
from latentflix.reviews.sources.protocol import Answer
from latentflix.reviews.store import ReviewStore
from latentflix.runs import find_last_run
from latentflix.settings import RefreshSettings
from tasks.reviews import rate_limiter, read_secret, refresh_batches
from tests.support.synthetic_reviews import SyntheticSource, films, review
from tests.support.synthetic_run import RATING_STAGES, copy_stages, run_synthetic

pytestmark = pytest.mark.usefixtures("prefect")
QUICK = RefreshConfig(retries=3, backoff=0.05, workers=2, longest_pause=5)


def refresh(store, *sources, config=QUICK, count=10, size=2, before_request=None):
    """Run the batches of a refresh in a flow."""
    extra = {"before_request": before_request} if before_request else {}
    groups = group_films(films(count), NO_HISTORY, size)
    batches = [Batch(group, store, sources, config, **extra) for group in groups]
    flow(lambda: refresh_batches(batches, config), name="small-refresh", persist_result=False)()
    return batches


@pytest.fixture
def store(tmp_path):
    return ReviewStore(str(tmp_path / "store"))


def test_prefect_retries_only_the_film_that_failed(store):
    failures = [TransientFetchError("a moment", retry_after=0.1), TransientFetchError("again")]
    source = SyntheticSource(answers={"tt0000003": failures})
    refresh(store, source)
    assert source.asked["tt0000003"] == 3
    assert {count for tconst, count in source.asked.items() if tconst != "tt0000003"} == {1}
    assert len(store.read([film.tconst for film in films(10)])) == 30


def test_a_film_that_keeps_failing_affects_no_other(store):
    source = SyntheticSource(answers={"tt0000003": [TransientFetchError("down")] * 9})
    refresh(store, source)
    assert source.asked["tt0000003"] == 1 + QUICK.retries
    outcomes = store.last_attempts().set_index("tconst")["outcome"]
    assert outcomes.value_counts().to_dict() == {"ok": 9, "error": 1}
    assert outcomes["tt0000003"] == "error"


@pytest.mark.parametrize("outcome", ["blocked", "error", "unsupported"])
def test_permanent_outcomes_are_not_retried(store, outcome):
    source = SyntheticSource(answers={film.tconst: [Answer(outcome, reason="no")] for film in films(10)})
    refresh(store, source)
    assert set(source.asked.values()) == {1}
    assert set(store.last_attempts()["outcome"]) == {outcome}


def test_failures_of_the_store_are_raised_after_all_batches(store, monkeypatch):
    source = SyntheticSource()
    monkeypatch.setattr(store, "record", lambda _: (_ for _ in ()).throw(StoreError("disk full")))
    with pytest.raises(StoreError, match="disk full"):
        refresh(store, source)
    assert set(source.asked.values()) == {1}
    assert len(source.asked) == 10


def test_a_write_that_fails_is_tried_again_and_nothing_is_fetched_twice(store, monkeypatch):
    source, failures, record = SyntheticSource(), [StoreError("no room"), StoreError("no room")], store.record

    def record_later(attempts):
        if failures:
            raise failures.pop()
        record(attempts)

    monkeypatch.setattr(store, "record", record_later)
    batches = refresh(store, source)
    assert set(source.asked.values()) == {1}
    assert len(store.last_attempts()) == 10
    assert sum((batch.merged for batch in batches), Counter()) == {("new", "synthetic"): 30}


def test_an_interrupted_refresh_writes_what_was_fetched(store):
    asked = []

    def interrupt(source):
        asked.append(source)
        if len(asked) == 3:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    source = SyntheticSource(pause=0.2)
    with pytest.raises(KeyboardInterrupt):
        refresh(store, source, count=100, size=50, before_request=interrupt)
    fetched = {tconst for tconst, count in source.asked.items() if count}
    assert 3 <= len(fetched) < 100
    assert set(store.last_attempts()["tconst"]) == set(store.read(fetched)["tconst"]) == fetched


def test_a_limit_of_the_server_that_cannot_be_read_is_tried_again(store, monkeypatch):
    with get_client(sync_client=True) as client:
        limit = GlobalConcurrencyLimitCreate(name="latentflix-busy", limit=1, slot_decay_per_second=100)
        client.create_global_concurrency_limit(limit)
    wait, failures = rate_limiter(["busy"]), [RuntimeError("503")]
    limited = tasks.reviews.rate_limit
    monkeypatch.setattr(
        tasks.reviews,
        "rate_limit",
        lambda *names, **options: raise_next(failures) or limited(*names, **options),
    )
    refresh(store, SyntheticSource("busy"), count=3, before_request=wait)
    assert set(store.last_attempts()["outcome"]) == {"ok"}


def raise_next(errors):
    if errors:
        raise errors.pop()


def test_two_refreshes_at_once_complete_and_duplicate_nothing(store):
    sources = [SyntheticSource(pause=0.01) for _ in range(2)]
    stores = [ReviewStore(store.uri) for _ in range(2)]
    config = QUICK.model_copy(update={"retries": 10})
    store.version()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each, source: refresh(each, source, config=config), stores, sources))
    rows = store.read([film.tconst for film in films(10)])
    assert rows["review_id"].is_unique
    assert rows["tconst"].value_counts().to_dict() == {film.tconst: 3 for film in films(10)}
    assert [set(source.asked.values()) for source in sources] == [{1}, {1}]


def test_the_key_comes_from_a_secret_block_else_from_the_environment(monkeypatch):
    monkeypatch.delenv("A_KEY", raising=False)
    assert read_secret("latentflix-a-key", "A_KEY") is None
    monkeypatch.setenv("A_KEY", "of the environment")
    assert read_secret("latentflix-a-key", "A_KEY").get_secret_value() == "of the environment"
    Secret(value="of the block").save("latentflix-a-key")
    key = read_secret("latentflix-a-key", "A_KEY")
    assert key.get_secret_value() == "of the block"
    assert "block" not in repr(key)


def test_a_global_limit_of_the_server_slows_down_a_source(store):
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name="latentflix-slow", limit=1, slot_decay_per_second=5)
        )
    wait = rate_limiter(["slow", "synthetic"])
    began = time.monotonic()
    refresh(store, SyntheticSource("slow"), count=4, before_request=wait)
    assert time.monotonic() - began >= 3 / 5
    assert set(store.last_attempts()["outcome"]) == {"ok"}


@pytest.fixture
def last_run(synthetic_run, world, tmp_path):
    """A full run in the synthetic world whose histograms count the two most probable labels."""
    copy_stages(synthetic_run, tmp_path)
    return run_synthetic(world, tmp_path, histograms={"top_k": 2})


def texts_by_film(world):
    """The texts of each film in the world, by IMDb id."""
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in world.reviews["text"]]
    texts = world.reviews.assign(review_sha256=digests).merge(world.review_films, on="review_sha256")
    return texts.groupby("tconst")


def least_similar(world, tconst):
    """The item least similar to another one."""
    factors = world.true_factors.set_axis(
        world.item_titles.set_index("item_id")["tconst"].loc[world.true_factors.index]
    )
    return (factors @ factors.loc[tconst]).idxmin()


def reviews_of(tconst, texts):
    """Reviews of a film with the words of other texts."""
    return tuple(review(tconst, number, f"{tconst} {text}") for number, text in enumerate(texts))


def test_only_new_reviews_are_predicted_and_those_of_other_words_move_the_histograms(
    last_run, world, tmp_path, monkeypatch
):
    shown = films_in_report(last_run.store, find_last_run(last_run.store))
    by_tconst = world.item_titles.set_index("tconst")["item_id"]
    opposed, agreeing = shown[:6], shown[6:12]
    texts = texts_by_film(world)["text"]
    texts_of = {film.tconst: texts.get_group(least_similar(world, film.tconst)) for film in opposed}
    texts_of |= {film.tconst: texts.get_group(film.tconst) for film in agreeing}
    answers = {tconst: [Answer("ok", reviews_of(tconst, found))] for tconst, found in texts_of.items()}
    nothing = {film.tconst: [Answer("not_covered")] for film in shown[12:]}
    source = SyntheticSource(answers={**answers, **nothing})
    monkeypatch.setattr(flows.refresh_reviews, "build_sources", lambda *_, **__: [source])
    settings = RefreshSettings.model_validate(
        {
            "artifacts_dir": last_run.store.root,
            "films": "report",
            "store": {"uri": str(tmp_path / "store")},
            "refresh": QUICK,
            "drift": {"drifted_from": 0.2},
        }
    )
    outcome = refresh_reviews(settings)
    assert outcome.headline["due"] == len(shown)
    (row,) = outcome.headline["sources"]
    assert (row["asked"], row["ok"], row["not_covered"]) == (len(shown), 12, len(shown) - 12)
    assert row["new"] == 96
    (folder,) = (last_run.store.root / "drift").iterdir()
    drift = pd.read_parquet(folder / "drift.parquet").set_index("item_id")["distance"]
    assert len(pd.read_parquet(folder / "predictions.parquet")) == 96
    distance = {film.tconst: drift[by_tconst[film.tconst]] for film in (*opposed, *agreeing)}
    against, along = (np.mean([distance[film.tconst] for film in group]) for group in (opposed, agreeing))
    assert against > 0.25
    assert against > 1.5 * along
    drifted = {shift["title"] for shift in outcome.headline["drifted"]}
    assert drifted
    table = PrefectArtifact.get("refresh-reviews")
    assert '"new"' in str(table.data)
    assert "histograms with new reviews" in str(PrefectArtifact.get("refresh-drift").data)

    again = refresh_reviews(settings)
    assert (again.headline["due"], again.headline["drifted"]) == (0, [])


def test_the_full_flow_reads_a_version_of_the_store_and_records_it(synthetic_run, world, tmp_path):
    copy_stages(synthetic_run, tmp_path, "datasets", "ratings", *RATING_STAGES)
    store = ReviewStore(str(tmp_path / "store"))
    linked = [
        review(tconst, number, row.text, rating=float(row.rating))
        for tconst, texts in texts_by_film(world)
        for number, row in enumerate(texts.itertuples())
    ]
    store.merge(linked, datetime.now(UTC))
    version = store.version()
    store.merge([review("tt9999999", 1)], datetime.now(UTC))
    run = run_synthetic(
        world,
        tmp_path,
        reviews={"store": store.uri, "store_version": version},
        language_model={"embedding_size": 32, "vocabulary_size": 1000, "batch_size": 16},
        classifier={"n_folds": 2, "random_split": False},
    )
    manifest = run.store.manifest(run.handle("reviews"))
    assert manifest.metrics["store_version"] == version
    assert manifest.config["store_version"] == version
    assert manifest.config["store_id"] == store.table_id()
    assert run.result.headline["reviews"] == len(linked)
