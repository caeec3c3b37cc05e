import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latentflix.artifacts import Store
from tests.support.cli import complain, say
from tests.support.factories.run import write_run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    write_run(Store(folder), "b" * 20)
    time.sleep(1.1)
    write_run(Store(folder), "a" * 20, epochs=5, auc=0.8)
    return ("--artifacts-dir", folder)


def test_runs_are_listed_the_last_one_first(artifacts):
    _, _, *rows = say("runs", "list", *artifacts).splitlines()
    assert [row.split()[0] for row in rows] == ["aaaaaaaa", "bbbbbbbb"]
    assert "0.80 [0.70, 0.90]" in rows[0]
    runs = json.loads(say("runs", "list", "--json", *artifacts))
    assert [(run["key"], run["auc"], run["stable_factors"]) for run in runs] == [("a" * 20, 0.8, 1), ("b" * 20, 0.7, 1)]


def test_no_run_is_no_error(tmp_path):
    assert say("runs", "list", "--artifacts-dir", tmp_path) == "no run has finished yet\n"
    assert json.loads(say("runs", "list", "--json", "--artifacts-dir", tmp_path)) == []


def test_two_runs_are_compared_by_settings_and_metrics(artifacts):
    told = say("runs", "compare", "b", "a", *artifacts)
    lines = [line.split() for line in told.splitlines()]
    assert ["language_model.epochs", "3", "5"] in lines
    assert ["evaluation.auc", "0.7", "0.8"] in lines
    assert "n_folds" not in told
    assert say("runs", "compare", *artifacts) == told
    both = json.loads(say("runs", "compare", "--json", *artifacts))
    assert (both["one"], both["other"]) == ("b" * 20, "a" * 20)
    assert both["differences"]["settings"] == [{"stage": "language_model", "name": "epochs", "one": 3, "other": 5}]


def test_a_run_is_the_same_as_itself(artifacts):
    assert say("runs", "compare", "a", *artifacts).count("none differs") == 2


def test_an_unknown_run_is_told(artifacts):
    assert complain("runs", "compare", "x", *artifacts).startswith("latentflix: no run has such a key")


def start(folder, *arguments):
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from latentflix.cli.main import main; main()"
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(folder), "PREFECT_HOME": str(folder)}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def test_run_takes_the_settings_of_the_flow_wherever_it_is_started(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").write_text("raise SystemExit('these are other flows')")
    done = start(tmp_path, "run", "--collab.epochs", "0")
    assert (done.returncode, done.stdout) == (2, "")
    error = done.stderr.splitlines()[-1]
    assert error.startswith("python -m flows.full: a setting cannot be used; where: --collab.epochs")
