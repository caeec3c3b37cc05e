import json
import subprocess
import sys
from pathlib import Path

import pytest

from latentflix.artifacts import Store
from tests.support.cli import run_error, run_ok
from tests.support.factories.meanings import NAMES, make_planted, write_planted_run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def planted():
    return make_planted()


@pytest.fixture
def folder(tmp_path, planted):
    write_planted_run(Store(tmp_path), *planted[:2])
    return ("--artifacts-dir", tmp_path)


def phrase_of(planted, label):
    return " ".join(planted[0].words[tuple(label)][:3])


def test_a_phrase_is_tested_on_a_factor_and_counted(folder, planted):
    phrase = phrase_of(planted, "A+")
    output = run_ok("test", "A", phrase, "--pole", "+", *folder)
    title, *lines = output.splitlines()
    assert title.strip() == f"A+ {phrase} (by words)"
    assert "(p = 0.0005)" in output
    assert f"the run's name   {NAMES['A+']}" in output
    assert all(word in output for word in planted[0].words["A", "+"])
    expected = "This is the 1st meaning tested on this run; of that many about 0.05 would have p below 0.05 by chance."
    assert lines[-1] == expected
    assert "2nd meaning tested on this run; of that many about 0.1" in run_ok("test", "A-", phrase, *folder)
    again = run_ok("test", "A+", phrase, *folder)
    assert "This was tested before. 2 meanings were tested on this run" in again
    unknown = run_ok("test", "A", f"{phrase} zanzibar", *folder)
    assert "in no text       zanzibar" in unknown


def test_the_factor_that_a_phrase_fits_best_is_listed_first(folder, planted):
    lines = run_ok("test", "--best", phrase_of(planted, "B-"), *folder).splitlines()
    assert lines[1].split() == ["pole", "rho", "p", "p", "of", "all", "the", "run's", "name"]
    assert lines[3].split()[0] == "B-"
    assert lines[3].strip().endswith(NAMES["B-"])
    assert lines[-1].startswith("This is the 1st meaning")


def test_json_is_one_value(folder, planted):
    phrase = phrase_of(planted, "A-")
    result = json.loads(run_ok("test", "A", phrase, "--pole", "-", "--by", "words", "--json", *folder))
    assert result["score"]["rho"] > 0.6
    assert (result["score"]["pole"], result["score"]["unknown"]) == ("-", [])
    assert result["name"]["name"] == NAMES["A-"]
    assert result["count"] == {"number": 1, "tested": 1, "expected_by_chance": 0.05}
    best = json.loads(run_ok("test", "--best", phrase, "--json", *folder))
    assert best["factors"][0]["label"] == "A-"
    assert set(best["factors"][0]) == {"label", "axis", "pole", "rho", "p", "p_max", "rho_low", "rho_high"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["9", "funny"], "there is no such factor; found: 9; expected: a number from A to B"),
        (["A", "zzz"], "no text of this run uses a word of the phrase; found: zzz"),
        (["A", " "], "the phrase has no word; found: ''; expected: a phrase of a few words"),
        (["A", "funny", "--pole", "up"], "there is no such pole; found: up; expected: + or -"),
        (["A", "funny", "--by", "sentences"], "the run has no sentence vectors to compare a phrase with"),
        (["--best", "?"], "the phrase has no word"),
    ],
)
def test_what_cannot_be_tested_is_an_error_of_one_line(folder, arguments, message):
    assert run_error("test", *arguments, *folder).startswith(f"latentflix: {message}")
    assert not (folder[1] / "meanings").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument: a factor and a phrase, or --best and a phrase."),
        (["7"], "Missing argument: a factor and a phrase"),
        (["--best"], "Missing argument"),
        (["7", "funny", "--best"], "--best tries all factors and poles, so it takes a phrase only."),
        (["funny", "--best", "--pole", "-"], "--best tries all factors and poles"),
        (["7-", "funny", "--pole", "+"], "The factor 7- and --pole + contradict each other."),
        (["7", "funny", "--by", "magic"], "Invalid value for '--by'"),
    ],
)
def test_wrong_usage_is_named(arguments, message, tmp_path):
    assert message in run_error("test", *arguments, "--artifacts-dir", tmp_path, code=2)


def test_a_run_without_documents_is_an_error(artifacts):
    error = run_error("test", "1", "machine", *artifacts)
    assert error.startswith("latentflix: the run has no documents to test a phrase on; where: run aaa")


def test_by_words_torch_is_not_imported(folder, planted):
    program = (
        "import sys; from latentflix.cli.main import main\ntry: main()\n"
        "finally: print({'torch', 'fastai', 'prefect', 'sentence_transformers'} & set(sys.modules))"
    )
    arguments = ["test", "A", phrase_of(planted, "A+"), *map(str, folder)]
    done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()", done.stderr
