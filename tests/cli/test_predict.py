import io
import json
from types import SimpleNamespace

import pandas as pd
import pytest

from latentflix.artifacts import Store
from latentflix.cli.predict import AT_ONCE, check_input, read_texts
from latentflix.errors import DataError
from tests.support.cli import call, complain, say
from tests.support.factories.run import TEXT, write_run


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    write_run(Store(folder))
    return ("--artifacts-dir", folder)


def test_one_review_gets_a_table_of_its_labels(artifacts):
    head, _, first, second, last = say("predict", TEXT, *artifacts).splitlines()
    assert head.split() == ["label", "name", "probability", "threshold", "held-out", "AUC", "p"]
    assert first.split()[0] == "1+*"
    assert first.split()[-4:] == ["0.806", "0.500", "0.700", "0.010"]
    assert second.split()[0] == "1-"
    assert last == "The mean of 2 classifiers, each trained without one fold of films."
    assert len(say("predict", TEXT, "--top", "1", *artifacts).splitlines()) == 4


def test_a_review_a_line_gets_a_line_and_so_does_what_cannot_be_read(artifacts, tmp_path):
    raw = f"{TEXT}\n\n".encode() + b"caf\xe9\n" + f"nul \0 {TEXT}".encode()
    (tmp_path / "reviews.txt").write_bytes(raw)
    lines = say("predict", *artifacts, text=raw).splitlines()
    assert lines == ["1+* 0.806 1- 0.158", "-  (no text)", "-  (not UTF-8)", "1+* 0.806 1- 0.158"]
    assert say("predict", "-", *artifacts, text=raw).splitlines() == lines
    assert say("predict", "--from", tmp_path / "reviews.txt", *artifacts).splitlines() == lines


def test_an_empty_review_is_told(artifacts):
    assert say("predict", "", *artifacts) == "-  (no text)\n"
    assert say("predict", *artifacts, text=b"") == ""


def test_json_is_one_list_of_reviews(artifacts):
    told = json.loads(say("predict", "--json", *artifacts, text=f"{TEXT}\n\n".encode()))
    assert [[label["label"] for label in review["labels"]] for review in told] == [["1+", "1-"], []]
    assert told[0]["labels"][0]["predicted"] is True
    assert told[1]["note"] == "no text"
    assert json.loads(say("predict", TEXT, "--json", *artifacts)) == told[:1]
    assert json.loads(say("predict", "--json", *artifacts, text=b"")) == []


def test_a_table_goes_from_file_to_file(artifacts, tmp_path):
    pd.DataFrame({"review": [TEXT, "", TEXT]}).to_parquet(tmp_path / "in.parquet")
    asked = ["--from", tmp_path / "in.parquet", "--to", tmp_path / "out.parquet", "--text-column", "review"]
    assert say("predict", *asked, *artifacts) == f"3 reviews: {tmp_path / 'out.parquet'}\n"
    assert pd.read_parquet(tmp_path / "out.parquet")["labels"].tolist() == ["1+", "", "1+"]
    assert json.loads(say("predict", *asked, "--json", *artifacts))["reviews"] == 3


def test_what_cannot_be_read_at_all_is_one_line(artifacts, tmp_path):
    missing = complain("predict", "--from", tmp_path / "none.txt", *artifacts)
    assert missing.startswith("latentflix: there is no such file of reviews; where: ")
    pd.DataFrame({"year": [1]}).to_parquet(tmp_path / "in.parquet")
    asked = ["--from", tmp_path / "in.parquet", "--to", tmp_path / "out.parquet"]
    ended = call("predict", *asked, *artifacts)
    assert (ended.code, ended.output) == (1, "")
    assert ended.error.splitlines()[-1].startswith("latentflix: a table has no such column; where: ")
    (tmp_path / "in.parquet").write_bytes(b"no table")
    assert "latentflix: a table cannot be read; where: " in call("predict", *asked, *artifacts).error
    assert not (tmp_path / "out.parquet").exists()


def test_one_text_is_one_text_whatever_is_in_it():
    assert list(read_texts("two\nlines\r\n", None)) == [["two\nlines"]]
    assert list(read_texts("", None)) == [[""]]


def test_a_file_and_standard_input_hold_a_text_a_line(tmp_path, monkeypatch):
    raw = b"one\r\n\ncaf\xe9\nnul \x00\nlast"
    (tmp_path / "reviews.txt").write_bytes(raw)
    expected = [["one", "", b"caf\xe9", "nul \x00", "last"]]
    assert list(read_texts(None, tmp_path / "reviews.txt")) == expected
    for text in (None, "-"):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(raw)))
        assert list(read_texts(text, None)) == expected


def test_many_lines_come_some_at_a_time(tmp_path):
    (tmp_path / "reviews.txt").write_text("x\n" * (AT_ONCE + 1))
    assert [len(texts) for texts in read_texts(None, tmp_path / "reviews.txt")] == [AT_ONCE, 1]


def test_no_line_is_no_text(tmp_path):
    (tmp_path / "none.txt").touch()
    assert list(read_texts(None, tmp_path / "none.txt")) == []


def test_what_is_given_goes_together(tmp_path):
    source = tmp_path / "reviews.parquet"
    with pytest.raises(DataError, match="given twice"):
        check_input("a text", source, None)
    with pytest.raises(DataError, match="read from one file and written to another"):
        check_input(None, source, None)
    with pytest.raises(DataError, match="read from one file and written to another"):
        check_input(None, None, source)
    with pytest.raises(DataError, match="there is no such file of reviews; where: .*reviews.parquet"):
        check_input(None, source, source)
    source.touch()
    check_input(None, source, source)
    check_input("a text", None, None)
