import json
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from latentflix.artifacts import Store
from latentflix.cli.main import app, main
from latentflix.sentiment.model import COMBINED
from tests.support.factories.sentiment import BAD, GOOD, save, small_model


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    save(small_model(COMBINED), Store(folder), "one")
    return folder


@pytest.fixture
def run(artifacts):
    def run(*arguments, text=None):
        command = ["sentiment", "--artifacts-dir", str(artifacts), *map(str, arguments)]
        result = CliRunner().invoke(app, command, input=text, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_a_text_gets_its_probability_and_label(run):
    probability, label = run(GOOD).split()
    assert label == "positive"
    assert float(probability) > 0.5
    assert run(BAD).split()[1] == "negative"


def test_lines_of_a_file_or_of_standard_input_are_told_in_their_order(run, tmp_path):
    raw = f"{GOOD}\n\n{BAD}\r\n".encode() + b"caf\xe9\n" + GOOD.encode()
    (tmp_path / "reviews.txt").write_bytes(raw)
    lines = run(text=raw).splitlines()
    assert [line.split()[1] for line in lines] == ["positive", "(no", "negative", "(not", "positive"]
    assert lines[1] == "-  (no text)"
    assert lines[3] == "-  (not UTF-8)"
    assert lines[0] == lines[4] == run(GOOD).strip()
    assert run("-", text=raw) == run("--from", tmp_path / "reviews.txt") == run(text=raw)


def test_more_lines_than_are_told_at_once_keep_their_order(run):
    lines = run(text="\n".join([GOOD, BAD] * 300)).splitlines()
    assert [line.split()[1] for line in lines] == ["positive", "negative"] * 300


def test_json_is_one_list_of_reviews(run):
    told = json.loads(run("--json", text=f"{GOOD}\n\n"))
    assert told[0]["label"] == "positive"
    assert told[0]["probability"] == pytest.approx(float(run(GOOD).split()[0]), abs=1e-3)
    assert told[1] == {"label": None, "probability": None, "note": "no text"}


@pytest.mark.parametrize(("source", "target"), [("csv", "parquet"), ("parquet", "csv"), ("parquet", "parquet")])
def test_a_table_goes_from_file_to_file(run, tmp_path, source, target):
    table = pd.DataFrame({"review": [GOOD, "", BAD], "year": [1999, 2001, 2003]})
    read, written = tmp_path / f"in.{source}", tmp_path / f"out.{target}"
    table.to_csv(read, index=False) if source == "csv" else table.to_parquet(read)
    assert run("--from", read, "--to", written, "--text-column", "review") == f"3 reviews: {written}\n"
    told = pd.read_csv(written) if target == "csv" else pd.read_parquet(written)
    assert told["year"].astype(int).tolist() == [1999, 2001, 2003]
    assert told["label"].tolist()[::2] == ["positive", "negative"]
    assert told["label"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a text", "--from", "b.txt"], "latentflix: reviews are given twice"),
        (["--from", "b.csv"], "latentflix: a table is read from one file and written to another; found: --from b.csv"),
        (["--from", "nowhere.txt"], "latentflix: there is no such file of reviews; where: nowhere.txt"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["latentflix", "sentiment", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1
