import io
from types import SimpleNamespace

import pytest

from latentflix.errors import InvalidReviews
from latentflix.text_input import AT_ONCE, check_input, read_texts


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
    with pytest.raises(InvalidReviews, match="given twice"):
        check_input("a text", source, None)
    with pytest.raises(InvalidReviews, match="read from one file and written to another"):
        check_input(None, source, None)
    with pytest.raises(InvalidReviews, match="read from one file and written to another"):
        check_input(None, None, source)
    with pytest.raises(InvalidReviews, match="there is no such file of reviews; where: .*reviews.parquet"):
        check_input(None, source, source)
    source.touch()
    check_input(None, source, source)
    check_input("a text", None, None)
