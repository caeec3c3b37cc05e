"""Where fits run: one after the other, in threads, in processes and on a Dask cluster."""

import socket
import sys
import time
from dataclasses import dataclass

import pytest
from distributed import LocalCluster
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from prefect import flow

from latentflix.artifacts import Handle, Store
from latentflix.config import ParallelConfig
from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.errors import DependencyError, TrainingError
from latentflix.factors.extraction import FactorConfig
from latentflix.recommender.fit import seed_groups
from latentflix.recommender.halves import HalvesConfig, pair_groups
from latentflix.recommender.model import CollabConfig, Recommender
from latentflix.system.processes import end_with_parent
from tasks import factors, recommender
from tasks.stage import StageRunner
from tasks.task_runners import task_runner
from tests.support.factories.artifacts import put
from tests.support.synthetic_world import make_world

RATINGS = Handle(stage="ratings", key="0" * 20)
# Four fits, two per task.
COLLAB = CollabConfig(n_factors=4, epochs=2, batch_size=256, learning_rate=2e-2, n_seeds=4, seeds_per_task=2)
# Weight decay so strong that the weights grow without bound.
DIVERGING = COLLAB.model_copy(update={"seed": 2, "n_seeds": 2, "learning_rate": 1.0, "weight_decay": 1e4})
HALVES = HalvesConfig(n_pairs=2, n_seeds=1, pairs_per_task=1)
FACTORS = FactorConfig(rotation="pca", n_axes=3, min_ratings=10, n_rotations=20)


@dataclass(frozen=True)
class Fitted:
    """A store with ratings, and the recommenders and factors made of them."""

    run: StageRunner
    collab: list[Handle]
    factors: Handle

    def table(self, name):
        return self.run.store.read_table(self.factors, name)

    def weights(self):
        return [self.run.store.read(handle, Recommender).weights for handle in self.collab]


def new_store(root):
    world = make_world(n_users=100, n_items=40)
    ratings = read_ratings(world.ratings, world.items, RatingsConfig(), world.scale)
    store = Store(root)
    put(store, RATINGS.stage, RATINGS.key, tables={"ratings": ratings.ratings, "items": ratings.items})
    return store


@flow(name="fit", persist_result=False)
def fit(store, parallel, configs):
    run = StageRunner(store, parallel)
    return run, run.map(recommender.fit, ratings=RATINGS, configs=configs)


def extract(run, collab):
    halves = run.map(recommender.fit_user_halves, ratings=RATINGS, fits=collab, configs=pair_groups(HALVES))
    return run(factors.extract, ratings=RATINGS, fits=collab, halves=halves, config=FACTORS)


@flow(name="fit-and-extract", persist_result=False)
def fit_and_extract(store, parallel):
    run = StageRunner(store, parallel)
    collab = run.map(recommender.fit, ratings=RATINGS, configs=seed_groups(COLLAB))
    return Fitted(run, collab, extract(run, collab))


def written(store):
    return sorted(str(path.relative_to(store.root)) for path in (store.root / "collab").glob("*"))


def times(store):
    return {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()}


def assert_same(fitted, expected):
    assert (fitted.collab, fitted.factors) == (expected.collab, expected.factors)
    for one, other in zip(fitted.weights(), expected.weights(), strict=True):
        for name in one:
            assert_array_equal(one[name], other[name])
    for name in ("scores", "axes"):
        assert_frame_equal(fitted.table(name), expected.table(name))


@pytest.fixture(scope="module")
def in_sequence(prefect, tmp_path_factory):
    return fit_and_extract(new_store(tmp_path_factory.mktemp("sequence")), ParallelConfig())


@pytest.fixture(scope="module")
def cluster(prefect):
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def test_the_fits_of_all_groups_are_in_the_factors(in_sequence):
    assert len(set(in_sequence.collab)) == 2
    manifest = in_sequence.run.store.manifest(in_sequence.factors)
    halves = manifest.inputs["halves"]
    assert manifest.inputs == {"ratings": (RATINGS,), "fits": tuple(in_sequence.collab), "halves": halves}
    assert manifest.metrics.keys() == {"axes", "stable", "shared"}
    made = [in_sequence.run.store.manifest(half).metrics for half in halves]
    assert [(each["pairs"], each["seeds"], each["epochs"]) for each in made] == [(1, 1, 2)] * 2
    assert in_sequence.table("scores").shape == (40, 3)
    assert set(in_sequence.run.seconds) == set(in_sequence.run.cached) == {"collab", "halves", "factors"}
    assert in_sequence.run.cached == dict.fromkeys(("collab", "halves", "factors"), False)


# Two workers of Dask fit in the next test.
@pytest.mark.parametrize(("kind", "workers"), [("threads", 2), ("processes", 2), ("dask", 1)])
def test_fits_are_the_same_wherever_they_run(kind, workers, in_sequence, tmp_path):
    assert_same(fit_and_extract(new_store(tmp_path), ParallelConfig(kind=kind, workers=workers)), in_sequence)


def test_fits_run_on_an_existing_cluster_and_leave_it_running(cluster, in_sequence, tmp_path):
    parallel = ParallelConfig(kind="dask", dask_address=cluster.scheduler_address)
    assert_same(fit_and_extract(new_store(tmp_path), parallel), in_sequence)
    assert {worker.status.name for worker in cluster.workers.values()} == {"running"}
    again, _ = fit(new_store(tmp_path / "again"), parallel, seed_groups(COLLAB))
    assert again.cached == {"collab": False}


def test_only_what_is_missing_is_made(in_sequence, prefect, tmp_path):
    store = new_store(tmp_path)
    configs = seed_groups(COLLAB.model_copy(update={"n_seeds": 6}))
    _, (first, *_) = fit(store, ParallelConfig(), configs[:1])
    before = times(store)
    run, made = fit(store, ParallelConfig(kind="threads", workers=2), configs)
    assert (run.cached, len(set(made))) == ({"collab": False}, 3)
    assert made[0] == first
    assert before.items() <= times(store).items()
    assert len(written(store)) == 3

    before = times(store)
    run, again = fit(store, ParallelConfig(kind="threads", workers=2), configs)
    assert (run.cached, again, times(store)) == ({"collab": True}, made, before)


def test_an_altered_artifact_among_several_is_made_anew(prefect, tmp_path):
    store = new_store(tmp_path)
    _, made = fit(store, ParallelConfig(), seed_groups(COLLAB))
    weights = store.path(made[1]) / "weights.safetensors"
    original = weights.read_bytes()
    weights.write_bytes(original[:-1] + b"x")
    run, again = fit(store, ParallelConfig(kind="threads"), seed_groups(COLLAB))
    assert (run.cached, again) == ({"collab": False}, made)
    assert [store.find_problem(handle) for handle in made] == [None, None]


@pytest.mark.parametrize("kind", ["sequence", "threads", "dask"])
def test_a_failed_fit_says_why_and_the_others_are_kept(kind, request, tmp_path):
    address = request.getfixturevalue("cluster").scheduler_address if kind == "dask" else None
    request.getfixturevalue("prefect")
    store = new_store(tmp_path)
    configs = [DIVERGING, *seed_groups(COLLAB)]
    with pytest.raises(TrainingError, match=r"seeds 2 to 3 is NaN or infinite.*step \d+ of .*lower the learning rate"):
        fit(store, ParallelConfig(kind=kind, dask_address=address), configs)
    kept = [recommender.fit.handle({"ratings": (RATINGS,)}, config) for config in seed_groups(COLLAB)]
    assert written(store) == sorted(f"collab/{handle.key}" for handle in kept)
    assert [store.find_problem(handle) for handle in kept] == [None, None]


def test_one_seed_gives_factors_whose_stability_is_not_known(prefect, tmp_path):
    store = new_store(tmp_path)

    @flow(name="one-seed")
    def extract_from_one():
        run = StageRunner(store)
        collab = run(recommender.fit, ratings=RATINGS, config=COLLAB.model_copy(update={"n_seeds": 1}))
        return extract(run, [collab])

    assert store.read_table(extract_from_one(), "axes")["stability"].isna().all()


def test_a_scheduler_that_does_not_answer_is_named_within_the_timeout(prefect, tmp_path):
    store = new_store(tmp_path)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        parallel = ParallelConfig(kind="dask", dask_address=address, dask_timeout=1)
        with pytest.raises(DependencyError) as raised:
            fit(store, parallel, seed_groups(COLLAB))
    assert time.monotonic() - started < 10
    assert f"--parallel.dask-address {address}" in str(raised.value)
    assert "answers within 1 seconds" in str(raised.value)
    assert written(store) == []


def test_a_worker_is_not_mistaken_for_the_scheduler(cluster, tmp_path):
    address = cluster.workers[0].worker_address
    with pytest.raises(DependencyError, match=f"{address}; found: the address of a Worker"):
        fit(new_store(tmp_path), ParallelConfig(kind="dask", dask_address=address), seed_groups(COLLAB))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://here", "127.0.0.1"])
def test_an_address_without_a_scheduler_is_named(address, prefect, tmp_path):
    store = new_store(tmp_path)
    parallel = ParallelConfig(kind="dask", dask_address=address, dask_timeout=1)
    with pytest.raises(DependencyError, match=f"--parallel.dask-address {address}; found: "):
        fit(store, parallel, seed_groups(COLLAB))
    assert written(store) == []


def test_without_dask_the_message_says_what_to_install(prefect, monkeypatch, tmp_path):
    store = new_store(tmp_path)
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)
    with pytest.raises(DependencyError) as raised:
        fit(store, ParallelConfig(kind="dask"), seed_groups(COLLAB))
    assert str(raised.value).endswith("what to do: pip install 'latentflix[dask]'")
    assert "\n" not in str(raised.value)
    assert written(store) == []


def test_processes_that_run_tasks_end_with_the_run():
    with task_runner(ParallelConfig(kind="processes", workers=1)) as runner:
        assert runner._initializer is end_with_parent
