import json
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

import latentflix.genres.predictor
from latentflix.artifacts import Store
from latentflix.cli.main import app, main
from latentflix.genres.model import train_genres
from tests.support.factories.genres import QUICK, WORDS, WordEncoder, embed, prepare, save

STORY = f"word1 {WORDS['Horror']}"


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    prepared = prepare()
    plots = prepared.plot_summaries
    folder = tmp_path_factory.mktemp("artifacts")
    trained = train_genres(plots, prepared.has_genre, [embed(plots["plot"])], QUICK)
    save(trained.model, Store(folder), "one")
    return folder


@pytest.fixture
def run(artifacts, monkeypatch):
    monkeypatch.setattr(latentflix.genres.predictor, "load_encoder", lambda _: WordEncoder())

    def run(*arguments, text=None):
        command = ["genres", "--artifacts-dir", str(artifacts), *map(str, arguments)]
        result = CliRunner().invoke(app, command, input=text, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_a_plot_gets_its_genres_the_most_probable_first_with_a_star(run):
    lines = run(STORY).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == [lines[0].split()[0], "*", "Horror"]
    assert float(lines[0].split()[0]) > 0.5
    assert len(run(STORY, "--top", 1).splitlines()) == 1


def test_a_plot_is_read_from_a_file_or_standard_input_all_the_same(run, tmp_path):
    (tmp_path / "plot.txt").write_text(STORY)
    assert run(STORY) == run("-", text=STORY) == run(text=STORY) == run("--from", tmp_path / "plot.txt")


def test_json_has_every_genre(run):
    assert set(json.loads(run(STORY, "--json"))) == set(WORDS)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_goes_from_file_to_file(run, tmp_path, form):
    table = pd.DataFrame({"story": [STORY, ""], "year": [1999, 2001]})
    source, target = tmp_path / f"in.{form}", tmp_path / f"out.{form}"
    table.to_csv(source, index=False) if form == "csv" else table.to_parquet(source)
    assert run("--from", source, "--to", target, "--plot-column", "story") == f"2 plots: {target}\n"
    told = pd.read_csv(target) if form == "csv" else pd.read_parquet(target)
    assert told["year"].tolist() == [1999, 2001]
    assert told.loc[0, "Horror"] == pytest.approx(json.loads(run(STORY, "--json"))["Horror"], abs=1e-5)
    assert told.loc[1, "note"] == "no text"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a plot", "--from", "b.txt"], "latentflix: a plot is given twice"),
        (["--from", "b.csv"], "latentflix: a table is read from one file and written to another; found: --from b.csv"),
        (["--from", "nowhere.txt"], "latentflix: a plot cannot be read; where: nowhere.txt"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["latentflix", "genres", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1
