import hashlib

import pandas as pd
import pytest
from hypothesis import given, settings

from latentflix.data.items import number_items
from latentflix.errors import DataError
from latentflix.reviews.texts import TextsSource, join_texts, read_texts, with_fingerprint
from tests.support.hostile_files import HOSTILE, assert_linear, hostile_bytes, read_or_refuse

NUMBERS = number_items(["007", "x", "y"])
LONG = 1000


def join(rows, numbers=NUMBERS, **columns):
    table = pd.DataFrame(rows, columns=["item_id", "text"]).assign(**columns)
    return join_texts(table, numbers, LONG)


def test_texts_are_joined_by_id_and_their_markup_is_removed():
    found, coverage = join([("x", "A <b>tale</b> of whales."), ("007", "Spies.")])
    assert dict(zip(found["item_id"], found["text"], strict=True)) == {2: "A  tale  of whales.", 1: "Spies."}
    assert found["review_id"].tolist() == sorted(found["review_id"])
    assert hashlib.sha256(b"Spies.").hexdigest() in set(found["review_id"])
    assert found["kind"].tolist() == ["review", "review"]
    assert (coverage.items_asked, coverage.items_with_review, coverage.reviews) == (3, 2, 2)


def test_what_is_left_out_is_counted():
    rows = [
        *(("x", "Kept."), ("x", "Kept."), ("x", "Shared."), ("y", "Shared."), ("z", "Of nothing.")),
        *(("y", " "), ("y", None), ("y", "l" * (LONG + 1)), ("y", "Kept too.")),
    ]
    found, coverage = join(rows)
    assert sorted(found["text"]) == ["Kept too.", "Kept."]
    assert (coverage.ambiguous_reviews, coverage.repeated_reviews, coverage.unknown_reviews) == (2, 1, 4)


def test_a_text_is_measured_before_it_is_made_plain():
    found, coverage = join([("x", "<b>" * LONG + "Short."), ("y", "Kept.")])
    assert found["text"].tolist() == ["Kept."]
    assert coverage.unknown_reviews == 1


@pytest.mark.parametrize("no", [False, "no", 0, "False", None])
def test_no_model_learns_from_a_text_that_is_not_licensed(no):
    found, coverage = join([("x", "Free."), ("y", "Not free."), ("y", "Free too.")], licence=["yes", no, 1])
    assert sorted(found["text"]) == ["Free too.", "Free."]
    assert coverage.unlicensed_reviews == 1


def test_kinds_are_kept_and_of_equal_texts_the_newest():
    rows = [("x", "Twice."), ("x", "Twice."), ("y", "Once.")]
    found, _ = join(rows, kind=["blurb", "review", "blurb"], date=["2001-01-01", "2020-01-01", None])
    assert dict(zip(found["text"], found["kind"], strict=True)) == {"Twice.": "review", "Once.": "blurb"}


def test_ids_of_another_table_are_refused_with_ten_of_each_side():
    numbers = number_items([f"00{number}" for number in range(20)])
    with pytest.raises(DataError, match="texts: 0 of its 15 ids are among the 20 known ones") as caught:
        join([(number, f"Text {number}.") for number in range(15)], numbers)
    assert "found: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …; expected: ids such as 000, 001, 0010, 0011" in str(caught.value)


def test_few_texts_of_known_items_are_enough():
    numbers = number_items([f"i{number}" for number in range(1000)])
    assert join([("i1", "One."), ("i2", "Two.")], numbers)[1].reviews == 2


def test_texts_that_are_all_the_same_are_refused():
    with pytest.raises(DataError, match="all texts are the same; where: texts; found: 3 times 'n/a'"):
        join([("x", "n/a"), ("y", "n/a"), ("007", "n/a")])


def test_a_file_is_read_with_ids_as_they_are_written(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("book,blurb,more\n007,Spies.,1\nx,Whales.,2\n")
    source = with_fingerprint(TextsSource(path=path, item_column="book", text_column="blurb"))
    assert read_texts(source).to_dict("list") == {"item_id": ["007", "x"], "text": ["Spies.", "Whales."]}


def test_a_file_without_the_columns_that_are_named_is_refused(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("book,blurb\n007,Spies.\n")
    with pytest.raises(DataError, match=r"where: item_id, text; found: book, blurb; .*--texts\.item-column"):
        read_texts(with_fingerprint(TextsSource(path=path)))
    with pytest.raises(DataError, match="there is no such file"):
        with_fingerprint(TextsSource(path=tmp_path / "none.csv"))


@pytest.mark.parametrize(
    "dates", [["2003-01-01", "2004-05-03"], [20030101, 20040503], [2003, 2004], ["20031231", "2004"]]
)
def test_the_newest_of_equal_texts_is_kept_whether_dates_are_words_or_digits(dates):
    found, _ = join([("x", "Same."), ("x", "Same."), ("y", "Other.")], date=[*dates, None], kind=["old", "new", "old"])
    assert dict(zip(found["text"], found["kind"], strict=True)) == {"Same.": "new", "Other.": "old"}


TABLE = b'item_id,text,kind,date,licence\nx,"Good, and\nlong.",a,2004-05-03,yes\n007,Fine.,b,20040503,0\n'


def load(path):
    names = {"kind_column": "kind", "date_column": "date", "licence_column": "licence"}
    return join_texts(read_texts(with_fingerprint(TextsSource(path=path, **names))), NUMBERS, LONG)


@settings(HOSTILE)
@given(content=hostile_bytes(TABLE))
def test_whatever_a_file_of_texts_holds_it_is_read_or_refused(tmp_path, content):
    (tmp_path / "texts.csv").write_bytes(content)
    read_or_refuse(load, tmp_path / "texts.csv")


def test_an_open_quote_does_not_swallow_texts(tmp_path):
    (tmp_path / "texts.csv").write_bytes(TABLE + b'x,"Open.,a,2004,yes\ny,"Swallowed.",a,2004,yes\n')
    with pytest.raises(DataError, match="a quote is not closed; where: .*texts.csv, line 5"):
        load(tmp_path / "texts.csv")


@pytest.mark.parametrize("row", ['x,"\n', "x,Text {}.,a,2004,yes\n", 'x,"""{}"",",a,2004,yes\n'])
def test_reading_takes_no_longer_than_linear(tmp_path, row):
    def read(size):
        rows = "".join(row.replace("{}", str(number)) for number in range(size))
        (tmp_path / "texts.csv").write_text("item_id,text,kind,date,licence\n" + rows)
        load(tmp_path / "texts.csv")

    assert_linear(read, (1_000, 8_000))
