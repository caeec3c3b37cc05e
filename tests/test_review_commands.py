import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from latentflix.commands import app, main
from latentflix.review_store import ReviewStore
from tests.planted_reviews import BEGAN, review


@pytest.fixture
def store(tmp_path):
    store = ReviewStore(str(tmp_path / "store"))
    store.merge([review("tt1", 1), review("tt1", 2), review("tt2", 1)], BEGAN)
    store.merge([review("tt1", 3, source="other", kind="plot")], BEGAN)
    return store


def run(*arguments):
    result = CliRunner().invoke(app, ["reviews", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_coverage_is_said_by_source_and_kind(store):
    assert run("coverage", "--store", store.uri).splitlines() == [
        "other        plot               1 films           1 reviews, the newest of 2026-01-01",
        "planted      review             2 films           3 reviews, the newest of 2026-01-01",
        "2 films, 4 reviews",
    ]


def test_coverage_of_each_film_goes_to_a_file(store, tmp_path):
    run("coverage", "--store", store.uri, "--to", str(tmp_path / "films.csv"))
    counts = pd.read_csv(tmp_path / "films.csv").set_index(["tconst", "kind"])["reviews"]
    assert counts.to_dict() == {("tt1", "plot"): 1, ("tt1", "review"): 2, ("tt2", "review"): 1}


def test_compaction_keeps_all_reviews(store):
    output = run("compact", "--store", store.uri, "--keep-days", "0")
    assert output.endswith(f"version {store.version()}\n")
    assert len(store.reviews.open().file_uris()) == 2
    assert len(store.read(["tt1", "tt2"])) == 4


@pytest.mark.parametrize("command", ["coverage", "compact"])
def test_no_store_is_told_and_none_is_made(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["latentflix", "reviews", command, "--store", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("latentflix: there is no review store; where: ")
    assert not (tmp_path / "none").exists()


def test_refresh_takes_the_options_of_the_flow(capfd):
    result = CliRunner().invoke(app, ["reviews", "refresh", "--refresh.workers", "0"])
    assert result.exit_code == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert error.startswith("python -m flows.refresh_reviews: a setting cannot be used; where: --refresh.workers")
