import json

import pandas as pd
import pytest

from latentflix.reviews.store import ReviewStore
from tests.support.cli import run_error, run_ok
from tests.support.synthetic_reviews import BEGAN, review


@pytest.fixture
def store(tmp_path):
    store = ReviewStore(str(tmp_path / "store"))
    store.merge([review("tt1", 1), review("tt1", 2), review("tt2", 1)], BEGAN)
    store.merge([review("tt1", 3, source="other", kind="plot")], BEGAN)
    return store


def test_coverage_is_said_by_source_and_kind_and_in_json_is_one_value(store):
    head, _, *rows, whole = run_ok("reviews", "coverage", "--store", store.uri).splitlines()
    assert head.split() == ["source", "kind", "films", "reviews", "newest"]
    assert [row.split() for row in rows] == [
        ["other", "plot", "1", "1", "2026-01-01"],
        ["synthetic", "review", "2", "3", "2026-01-01"],
    ]
    assert whole == "2 films, 4 reviews"
    coverage = json.loads(run_ok("reviews", "coverage", "--store", store.uri, "--json"))
    assert (coverage["films"], coverage["reviews"]) == (2, 4)
    assert [(each["source"], each["reviews"]) for each in coverage["sources"]] == [("other", 1), ("synthetic", 3)]
    assert coverage["sources"][0]["newest"].startswith("2026-01-01")


def test_coverage_of_each_film_goes_to_a_file(store, tmp_path):
    run_ok("reviews", "coverage", "--store", store.uri, "--to", str(tmp_path / "films.csv"))
    counts = pd.read_csv(tmp_path / "films.csv").set_index(["tconst", "kind"])["reviews"]
    assert counts.to_dict() == {("tt1", "plot"): 1, ("tt1", "review"): 2, ("tt2", "review"): 1}


def test_compaction_keeps_all_reviews(store):
    output = run_ok("reviews", "compact", "--store", store.uri, "--keep-days", "0", "--nothing-else-runs")
    assert output.endswith(f"version {store.version()}\n")
    assert json.loads(run_ok("reviews", "compact", "--store", store.uri, "--json"))["version"] >= store.version() - 1
    assert len(store.reviews.open().file_uris()) == 2
    assert len(store.read(["tt1", "tt2"])) == 4


def test_files_that_a_run_may_still_read_are_removed_only_if_nothing_else_runs(store):
    version = store.version()
    error = run_error("reviews", "compact", "--store", store.uri, "--keep-days", "6")
    assert "could lose files that it reads; found: 6 days" in error
    assert "--nothing-else-runs" in error
    assert store.version() == version


@pytest.mark.parametrize("command", ["coverage", "compact"])
def test_a_missing_store_is_an_error_and_none_is_made(command, tmp_path):
    error = run_error("reviews", command, "--store", tmp_path / "none")
    assert error.startswith("latentflix: there is no review store; where: ")
    assert not (tmp_path / "none").exists()
