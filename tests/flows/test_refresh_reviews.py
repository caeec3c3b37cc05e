"""Refreshes of the review store: the tasks with planted sources, and the whole flow on the corpus."""

import hashlib
import threading
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from prefect import flow
from prefect.artifacts import Artifact as PrefectArtifact
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from tasks.refresh import read_key, run_batches, wait_for_turn

import flows.refresh_reviews
from flows.refresh_reviews import refresh_reviews
from latentflix.errors import StoreError, TransientFetchError
from latentflix.reviews.refresh import Batch, RefreshConfig, chunked, films_in_report
from latentflix.reviews.sources.protocol import Answer
from latentflix.reviews.store import ReviewStore
from latentflix.runs import find_last_run
from latentflix.settings import RefreshSettings
from tests.support.synthetic_reviews import PlantedSource, films, review
from tests.support.synthetic_run import RATING_STAGES, copy_stages, run_synthetic

pytestmark = pytest.mark.usefixtures("prefect")
QUICK = RefreshConfig(retries=3, backoff=0.05, workers=2, longest_rest=5)


def refresh(store, *sources, config=QUICK, count=10, size=2, before_asking=None):
    """The batches of a refresh, run as a flow runs them."""
    extra = {"before_asking": before_asking} if before_asking else {}
    batches = [Batch(group, store, sources, config, **extra) for group in chunked(films(count), size)]
    flow(lambda: run_batches(batches, config), name="small-refresh", persist_result=False)()
    return batches


@pytest.fixture
def store(tmp_path):
    return ReviewStore(str(tmp_path / "store"))


def test_prefect_asks_again_about_the_film_that_failed_alone(store):
    failures = [TransientFetchError("a moment", retry_after=0.1), TransientFetchError("again")]
    source = PlantedSource(answers={"tt0000003": failures})
    refresh(store, source)
    assert source.asked["tt0000003"] == 3
    assert {count for tconst, count in source.asked.items() if tconst != "tt0000003"} == {1}
    assert len(store.read([film.tconst for film in films(10)])) == 30


def test_a_film_that_fails_to_the_end_costs_no_other(store):
    source = PlantedSource(answers={"tt0000003": [TransientFetchError("down")] * 9})
    refresh(store, source)
    assert source.asked["tt0000003"] == 1 + QUICK.retries
    outcomes = store.last_attempts().set_index("tconst")["outcome"]
    assert outcomes.value_counts().to_dict() == {"ok": 9, "error": 1}
    assert outcomes["tt0000003"] == "error"


@pytest.mark.parametrize("outcome", ["blocked", "error", "unsupported"])
def test_what_asking_again_would_not_help_is_asked_once(store, outcome):
    source = PlantedSource(answers={film.tconst: [Answer(outcome, reason="no")] for film in films(10)})
    refresh(store, source)
    assert set(source.asked.values()) == {1}
    assert set(store.last_attempts()["outcome"]) == {outcome}


def test_what_is_no_failure_of_a_source_ends_the_refresh_when_all_batches_are_through(store, monkeypatch):
    source = PlantedSource()
    monkeypatch.setattr(store, "record", lambda _: (_ for _ in ()).throw(StoreError("disk full")))
    with pytest.raises(StoreError, match="disk full"):
        refresh(store, source)
    assert set(source.asked.values()) == {1}
    assert len(source.asked) == 10


def test_two_refreshes_at_once_both_end_and_double_nothing(store):
    sources = [PlantedSource(pause=0.01) for _ in range(2)]
    stores = [ReviewStore(store.uri) for _ in range(2)]
    config = QUICK.model_copy(update={"retries": 10})
    store.version()
    threads = [
        threading.Thread(target=refresh, args=(each, source), kwargs={"config": config})
        for each, source in zip(stores, sources, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = store.read([film.tconst for film in films(10)])
    assert rows["review_id"].is_unique
    assert rows["tconst"].value_counts().to_dict() == {film.tconst: 3 for film in films(10)}
    assert [set(source.asked.values()) for source in sources] == [{1}, {1}]


def test_the_key_comes_from_a_secret_block_else_from_the_environment(monkeypatch):
    monkeypatch.delenv("A_KEY", raising=False)
    assert read_key("latentflix-a-key", "A_KEY") is None
    monkeypatch.setenv("A_KEY", "of the environment")
    assert read_key("latentflix-a-key", "A_KEY").get_secret_value() == "of the environment"
    Secret(value="of the block").save("latentflix-a-key")
    key = read_key("latentflix-a-key", "A_KEY")
    assert key.get_secret_value() == "of the block"
    assert "block" not in repr(key)


def test_a_global_limit_of_the_server_slows_a_source_down(store):
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name="latentflix-slow", limit=1, slot_decay_per_second=5)
        )
    wait = wait_for_turn(["slow", "planted"])
    began = time.monotonic()
    refresh(store, PlantedSource("slow"), count=4, before_asking=wait)
    assert time.monotonic() - began >= 3 / 5
    assert set(store.last_attempts()["outcome"]) == {"ok"}


@pytest.fixture
def last_run(synthetic_run, world, tmp_path):
    """A full run in the planted world whose histograms count the two most probable labels."""
    copy_stages(synthetic_run, tmp_path)
    return run_synthetic(world, tmp_path, histograms={"top_k": 2})


def texts_by_film(world):
    """The texts that the world has of each film, by IMDb id."""
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in world.reviews["text"]]
    texts = world.reviews.assign(review_sha256=digests).merge(world.review_films, on="review_sha256")
    return texts.groupby("tconst")


def opposite(world, tconst):
    """The film that stands farthest from another one."""
    factors = world.true_factors.set_axis(
        world.film_titles.set_index("item_id")["tconst"].loc[world.true_factors.index]
    )
    return (factors @ factors.loc[tconst]).idxmin()


def retold(tconst, texts):
    """Reviews of a film that say what other texts say."""
    return tuple(review(tconst, number, f"{tconst} {text}") for number, text in enumerate(texts))


def test_new_reviews_alone_are_predicted_and_move_the_histograms_they_speak_against(
    last_run, world, tmp_path, monkeypatch
):
    shown = films_in_report(last_run.store, find_last_run(last_run.store))
    by_tconst = world.film_titles.set_index("tconst")["item_id"]
    opposed, agreeing = shown[:6], shown[6:12]
    texts = texts_by_film(world)["text"]
    told = {film.tconst: texts.get_group(opposite(world, film.tconst)) for film in opposed}
    told |= {film.tconst: texts.get_group(film.tconst) for film in agreeing}
    answers = {tconst: [Answer("ok", retold(tconst, found))] for tconst, found in told.items()}
    nothing = {film.tconst: [Answer("not_covered")] for film in shown[12:]}
    source = PlantedSource(answers={**answers, **nothing})
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
    assert "histograms with new reviews have drifted" in str(PrefectArtifact.get("refresh-drift").data)

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
