import io
import json
from types import SimpleNamespace
from unittest import mock

import pandas as pd
import pytest

import latentflix.genres.predictor
from latentflix.artifacts import Store
from latentflix.cli.predict import AT_ONCE, check_input, read_texts
from latentflix.data.tables import read_file, write_file
from latentflix.errors import DataError
from latentflix.factors.reader_model import NO_FACTOR_WORD
from latentflix.text.cleaning import UNKNOWN_WORDS
from tests.support.cli import run_command, run_error, run_ok
from tests.support.factories import genres, sentiment
from tests.support.factories.run import TEXT
from tests.support.factories.sentiment import BAD, GOOD

STORY = f"word1 {genres.WORDS['Horror']}"


@pytest.fixture(scope="module")
def sentiment_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    sentiment.save(sentiment.small_model("combined"), Store(folder))
    return ("--artifacts-dir", folder)


@pytest.fixture(scope="module")
def genre_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    genres.save(genres.train_small().model, Store(folder))
    with mock.patch.object(latentflix.genres.predictor, "load_encoder", lambda _: genres.WordEncoder()):
        yield ("--artifacts-dir", folder)


def test_one_review_gets_a_table_of_its_positions_and_the_words_that_speak_for_them(artifacts):
    head, _, first, second = run_ok("predict", TEXT, *artifacts).splitlines()
    assert head.split() == [*("pole", "name", "deviations", "held-out", "rho", "words", "that", "speak", "for", "it")]
    assert first.split() == [*("1+*", "machine,", "war,", "robot", "2.00", "0.47", "machine,", "war")]
    assert second.split() == [*("2-", "2.00", "0.10", "at", "war")]
    assert len(run_ok("predict", TEXT, "--top", "1", *artifacts).splitlines()) == 3


def test_each_line_gets_its_positions_or_why_it_has_none(artifacts, tmp_path):
    raw = f"{TEXT}\n\n".encode() + b"caf\xe9\n" + f"Love.\nThe, with!\nQuel film magnifique\nnul \0 {TEXT}".encode()
    (tmp_path / "reviews.txt").write_bytes(raw)
    lines = run_ok("predict", *artifacts, text=raw).splitlines()
    assert lines[:4] == ["1+* 2.0 2- 2.0", "-  (no text)", "-  (not UTF-8)", "1-* 2.0 2+ 0.0"]
    assert lines[4:6] == [f"-  ({NO_FACTOR_WORD})", f"-  ({UNKNOWN_WORDS})"]
    assert run_ok("predict", "-", *artifacts, text=raw).splitlines() == lines
    assert run_ok("predict", "--from", tmp_path / "reviews.txt", *artifacts).splitlines() == lines
    assert run_ok("predict", "", *artifacts) == "-  (no text)\n"
    assert run_ok("predict", *artifacts, text=b"") == ""


def test_positions_in_json_are_one_list_of_reviews(artifacts):
    reviews = json.loads(run_ok("predict", "--json", *artifacts, text=f"{TEXT}\n\n".encode()))
    first = reviews[0]["positions"][0]
    assert first == {
        "axis": "1",
        "label": "1+",
        "name": "machine, war, robot",
        "holds": True,
        "rho": 0.47,
        "position": pytest.approx(2),
        "expected": pytest.approx(1),
        "words": ["machine", "war"],
    }
    assert reviews[1] == {"positions": [], "note": "no text"}
    assert json.loads(run_ok("predict", TEXT, "--json", *artifacts)) == reviews[:1]


def test_positions_of_a_table_go_from_file_to_file(artifacts, tmp_path):
    pd.DataFrame({"review": [TEXT, "", "love"]}).to_parquet(tmp_path / "in.parquet")
    files = ["--from", tmp_path / "in.parquet", "--to", tmp_path / "out.parquet", "--text-column", "review"]
    assert run_ok("predict", *files, *artifacts) == f"3 reviews: {tmp_path / 'out.parquet'}\n"
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert list(table.columns) == ["review", "1", "2", "strongest", "note"]
    assert table["strongest"].tolist() == ["1+", "", "1-"]
    assert table["1"].fillna(9).tolist() == pytest.approx([2, 9, -2])


def test_with_the_network_one_review_gets_a_table_of_its_labels(artifacts):
    head, _, first, second, last = run_ok("predict", TEXT, "--network", *artifacts).splitlines()
    assert head.split() == ["label", "name", "probability", "threshold", "held-out", "AUC", "p"]
    assert first.split()[0] == "1+*"
    assert first.split()[-4:] == ["0.806", "0.500", "0.700", "0.010"]
    assert second.split()[0] == "1-"
    assert last == "The mean of the classifiers of all folds, each trained without the films of one."
    assert len(run_ok("predict", TEXT, "--network", "--top", "1", *artifacts).splitlines()) == 4


def test_with_the_network_each_line_gets_a_line_even_if_it_cannot_be_read(artifacts):
    raw = f"{TEXT}\n\n".encode() + b"caf\xe9\n" + f"nul \0 {TEXT}".encode()
    lines = run_ok("predict", "--network", *artifacts, text=raw).splitlines()
    assert lines == ["1+* 0.806 1- 0.158", "-  (no text)", "-  (not UTF-8)", "1+* 0.806 1- 0.158"]


def test_labels_in_json_are_one_list_of_reviews(artifacts):
    reviews = json.loads(run_ok("predict", "--network", "--json", *artifacts, text=f"{TEXT}\n\n".encode()))
    assert [[label["label"] for label in review["labels"]] for review in reviews] == [["1+", "1-"], []]
    assert reviews[1]["note"] == "no text"
    assert json.loads(run_ok("predict", "--network", "--json", *artifacts, text=b"")) == []


def test_labels_of_a_table_go_from_file_to_file(artifacts, tmp_path):
    pd.DataFrame({"review": [TEXT, "", TEXT]}).to_parquet(tmp_path / "in.parquet")
    files = ["--from", tmp_path / "in.parquet", "--to", tmp_path / "out.parquet", "--text-column", "review"]
    assert run_ok("predict", "--network", *files, *artifacts) == f"3 reviews: {tmp_path / 'out.parquet'}\n"
    assert pd.read_parquet(tmp_path / "out.parquet")["labels"].tolist() == ["1+", "", "1+"]
    assert json.loads(run_ok("predict", "--network", *files, "--json", *artifacts))["reviews"] == 3


def test_a_table_that_cannot_be_read_is_an_error_and_nothing_is_written(artifacts, tmp_path):
    pd.DataFrame({"year": [1]}).to_parquet(tmp_path / "in.parquet")
    files = ["--from", tmp_path / "in.parquet", "--to", tmp_path / "out.parquet"]
    result = run_command("predict", *files, *artifacts)
    assert (result.code, result.output) == (1, "")
    assert result.error.splitlines()[-1].startswith("latentflix: a table has no such column; where: ")
    (tmp_path / "in.parquet").write_bytes(b"no table")
    assert "latentflix: a table cannot be read; where: " in run_command("predict", *files, *artifacts).error
    assert not (tmp_path / "out.parquet").exists()


def test_a_review_gets_its_sentiment_and_in_json_reviews_are_one_list(sentiment_model):
    probability, label = run_ok("sentiment", GOOD, *sentiment_model).split()
    assert label == "positive"
    assert float(probability) > 0.5
    assert run_ok("sentiment", BAD, *sentiment_model).split()[1] == "negative"
    reviews = json.loads(run_ok("sentiment", "--json", *sentiment_model, text=f"{GOOD}\n\n".encode()))
    assert reviews[0]["label"] == "positive"
    assert reviews[0]["probability"] == pytest.approx(float(probability), abs=1e-3)
    assert reviews[1] == {"label": None, "probability": None, "note": "no text"}


def test_sentiment_keeps_the_order_of_the_lines(sentiment_model, tmp_path):
    raw = f"{GOOD}\n\n{BAD}\r\n".encode() + b"caf\xe9\n" + GOOD.encode()
    (tmp_path / "reviews.txt").write_bytes(raw)
    output = run_ok("sentiment", *sentiment_model, text=raw)
    lines = output.splitlines()
    assert [line.split()[1] for line in lines] == ["positive", "(no", "negative", "(not", "positive"]
    assert (lines[1], lines[3]) == ("-  (no text)", "-  (not UTF-8)")
    assert lines[0] == lines[4] == run_ok("sentiment", GOOD, *sentiment_model).strip()
    assert run_ok("sentiment", "-", *sentiment_model, text=raw) == output
    assert run_ok("sentiment", "--from", tmp_path / "reviews.txt", *sentiment_model) == output
    many = run_ok("sentiment", *sentiment_model, text="\n".join([GOOD, BAD] * 300).encode()).splitlines()
    assert [line.split()[1] for line in many] == ["positive", "negative"] * 300


@pytest.mark.parametrize(("source", "target"), [("csv", "parquet"), ("parquet", "csv"), ("parquet", "parquet")])
def test_sentiment_of_a_table_goes_from_file_to_file(sentiment_model, tmp_path, source, target):
    table = pd.DataFrame({"review": [GOOD, "", BAD], "year": [1999, 2001, 2003]})
    read, written = tmp_path / f"in.{source}", tmp_path / f"out.{target}"
    write_file(table, read)
    output = run_ok("sentiment", "--from", read, "--to", written, "--text-column", "review", *sentiment_model)
    assert output == f"3 reviews: {written}\n"
    predicted = read_file(written)
    assert predicted["year"].astype(int).tolist() == [1999, 2001, 2003]
    assert predicted["label"].tolist()[::2] == ["positive", "negative"]
    assert predicted["label"].isna().tolist() == [False, True, False]


def test_a_plot_gets_its_genres_the_most_probable_first_with_a_star_wherever_it_comes_from(genre_model, tmp_path):
    lines = run_ok("genres", STORY, *genre_model).splitlines()
    assert len(lines) == 3
    probability, star, genre = lines[0].split()
    assert (star, genre) == ("*", "Horror")
    assert float(probability) > 0.5
    assert len(run_ok("genres", STORY, "--top", 1, *genre_model).splitlines()) == 1
    assert set(json.loads(run_ok("genres", STORY, "--json", *genre_model))) == set(genres.WORDS)
    (tmp_path / "plot.txt").write_text(STORY)
    expected = run_ok("genres", STORY, *genre_model)
    assert run_ok("genres", "-", *genre_model, text=STORY.encode()) == expected
    assert run_ok("genres", *genre_model, text=STORY.encode()) == expected
    assert run_ok("genres", "--from", tmp_path / "plot.txt", *genre_model) == expected


def test_a_plot_that_is_not_utf8_is_an_error(tmp_path):
    (tmp_path / "plot.txt").write_bytes(b"caf\xe9")
    error = run_error("genres", "--from", tmp_path / "plot.txt")
    assert error.startswith(f"latentflix: a plot cannot be read; where: {tmp_path / 'plot.txt'}; found: 'utf-8' codec")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_genres_of_a_table_go_from_file_to_file(genre_model, tmp_path, form):
    table = pd.DataFrame({"story": [STORY, ""], "year": [1999, 2001]})
    source, target = tmp_path / f"in.{form}", tmp_path / f"out.{form}"
    write_file(table, source)
    output = run_ok("genres", "--from", source, "--to", target, "--plot-column", "story", *genre_model)
    assert output == f"2 plots: {target}\n"
    predicted = read_file(target)
    assert predicted["year"].tolist() == [1999, 2001]
    expected = json.loads(run_ok("genres", STORY, "--json", *genre_model))["Horror"]
    assert predicted.loc[0, "Horror"] == pytest.approx(expected, abs=1e-5)
    assert predicted.loc[1, "note"] == "no text"


@pytest.mark.parametrize(("command", "kind"), [("predict", "reviews"), ("sentiment", "reviews"), ("genres", "plots")])
def test_input_that_does_not_go_together_is_one_line(command, kind, tmp_path):
    assert run_error(command, "a text", "--from", "b.txt").startswith(f"latentflix: {kind} come from two places")
    message = "latentflix: a table is read from one file and written to another; found: --from b.csv"
    assert run_error(command, "--from", "b.csv").startswith(message)
    missing = run_error(command, "--from", tmp_path / "none.txt")
    assert missing == f"latentflix: there is no such file of {kind}; where: {tmp_path / 'none.txt'}\n"


def test_one_text_is_one_and_a_file_and_standard_input_hold_one_per_line(tmp_path, monkeypatch):
    assert list(read_texts("two\nlines\r\n", None)) == [["two\nlines"]]
    assert list(read_texts("", None)) == [[""]]
    raw = b"one\r\n\ncaf\xe9\nnul \x00\nlast"
    (tmp_path / "reviews.txt").write_bytes(raw)
    expected = [["one", "", b"caf\xe9", "nul \x00", "last"]]
    assert list(read_texts(None, tmp_path / "reviews.txt")) == expected
    for text in (None, "-"):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(raw)))
        assert list(read_texts(text, None)) == expected


@pytest.mark.parametrize(("lines", "counts"), [(AT_ONCE + 1, [AT_ONCE, 1]), (0, [])])
def test_lines_are_read_some_at_a_time(tmp_path, lines, counts):
    (tmp_path / "reviews.txt").write_text("x\n" * lines)
    assert [len(texts) for texts in read_texts(None, tmp_path / "reviews.txt")] == counts


def test_a_table_needs_a_target_and_a_text_does_not(tmp_path):
    source = tmp_path / "reviews.parquet"
    with pytest.raises(DataError, match="read from one file and written to another"):
        check_input("reviews", None, None, source)
    with pytest.raises(DataError, match="there is no such file of reviews; where: .*reviews.parquet"):
        check_input("reviews", None, source, source)
    source.touch()
    check_input("reviews", None, source, source)
    check_input("reviews", "a text", None, None)
