import json
import webbrowser

import pytest

from latentflix.artifacts import Handle, Store
from latentflix.report.inputs import ReportConfig
from tests.support.cli import run_error, run_ok
from tests.support.factories.artifacts import set_time
from tests.support.factories.run import write_run


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    write_run(Store(folder), "b" * 20)
    set_time(Store(folder), Handle(stage="report", key="b" * 20), "2026-01-01T00:00:00Z")
    write_run(Store(folder), "a" * 20, epochs=5, auc=0.8, rho=0.45)
    return ("--artifacts-dir", folder)


def test_runs_are_listed_the_last_one_first_or_it_is_said_that_there_are_none(artifacts, tmp_path):
    _, _, *rows = run_ok("runs", "list", *artifacts).splitlines()
    assert [row.split()[0] for row in rows] == ["aaaaaaaa", "bbbbbbbb"]
    assert " ".join(rows[0].split()).endswith("2 1 1 0.45 [0.30, 0.50] 0.15 1 of 1")
    runs = json.loads(run_ok("runs", "list", "--json", *artifacts))
    assert [(run["key"], run["auc"], run["stable_factors"]) for run in runs] == [("a" * 20, 0.8, 1), ("b" * 20, 0.7, 1)]
    assert run_ok("runs", "list", "--artifacts-dir", tmp_path) == "no run has finished yet\n"
    assert json.loads(run_ok("runs", "list", "--json", "--artifacts-dir", tmp_path)) == []


def test_a_run_of_an_earlier_version_is_listed_without_the_figures_that_it_lacks(tmp_path):
    store = Store(tmp_path)
    with store.new(Handle(stage="report", key="c" * 20), {}, ReportConfig()) as artifact:
        artifact.metrics.update(items=1_088, reviews=2)
    *_, row = run_ok("runs", "list", "--artifacts-dir", tmp_path).splitlines()
    assert " ".join(row.split()).endswith("1,088 2 – – – – – – of –")


def test_two_runs_are_compared_by_settings_and_metrics_and_one_does_not_differ_from_itself(artifacts):
    output = run_ok("runs", "compare", "b", "a", *artifacts)
    lines = [line.split() for line in output.splitlines()]
    assert ["language_model.epochs", "3", "5"] in lines
    assert ["label_evaluation.auc", "0.7", "0.8"] in lines
    assert "n_folds" not in output
    assert run_ok("runs", "compare", *artifacts) == output
    both = json.loads(run_ok("runs", "compare", "--json", *artifacts))
    assert (both["first"], both["second"]) == ("b" * 20, "a" * 20)
    assert both["differences"]["settings"] == [{"stage": "language_model", "name": "epochs", "first": 3, "second": 5}]
    assert run_ok("runs", "compare", "a", *artifacts).count("none differ") == 2
    assert run_error("runs", "compare", "x", *artifacts).startswith("latentflix: no run has such a key")


@pytest.fixture
def opened(monkeypatch):
    pages = []
    monkeypatch.setattr(webbrowser, "open", pages.append)
    return pages


def test_the_report_is_opened_and_its_path_printed_unless_it_is_not_to_be_opened(artifacts, opened):
    page = artifacts[1] / "report" / ("a" * 20) / "index.html"
    assert run_ok("report", *artifacts) == f"{page}\n"
    assert opened.pop() == page.as_uri()
    output = json.loads(run_ok("report", "--no-open", "--json", *artifacts))
    assert output["report"].endswith("index.html")
    assert (output["run"], output["figures"]["auc"]) == ("a" * 20, 0.8)
    assert opened == []


def test_without_a_report_nothing_is_opened(tmp_path, opened):
    assert run_error("report", "--artifacts-dir", tmp_path).startswith("latentflix: there is no finished run yet")
    assert opened == []
