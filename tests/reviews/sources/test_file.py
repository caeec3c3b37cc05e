import io
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from latentflix.data.csv_records import read_records
from latentflix.errors import DataError
from latentflix.reviews.sources.file import FileConfig, FileSource, Rejected, read_rows
from latentflix.reviews.sources.protocol import Film, query
from tests.support.hostile_files import HOSTILE, assert_linear, hostile_bytes, read_or_refuse

HEADER = "imdb_id,title,year,text\n"
GOOD = 'tt0116282,Fargo,1996,"Good, and\nlong."\n'


def read(tmp_path, text, **settings):
    path = tmp_path / "reviews.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_rows(FileConfig(path=path, **settings))


def test_rows_are_read_with_all_their_columns(tmp_path):
    text = "id;film;words;stars;who;day;page\n7;tt0116282;It is good.;8.5;Ann;2024-05-01T10:00:00+02:00;https://x.org\n"
    names = {
        "tconst": "film",
        "text": "words",
        "id": "id",
        "rating": "stars",
        "author": "who",
        "date": "day",
        "url": "page",
    }
    columns = {f"{field}_column": name for field, name in names.items()}
    (row,), rejected = read(tmp_path, text, delimiter=";", **columns)
    assert row.model_dump(exclude_none=True) == {
        "text": "It is good.",
        "tconst": "tt0116282",
        "id": "7",
        "rating": 8.5,
        "author": "Ann",
        "written_at": datetime(2024, 5, 1, 8, tzinfo=UTC),
        "url": "https://x.org",
    }
    assert rejected == []


@pytest.mark.parametrize("delimiter", ["\t", "\\t"])
def test_a_film_may_be_identified_by_title_and_year_only_and_columns_parted_by_tabs(tmp_path, delimiter):
    (row,), _ = read(tmp_path, "title\tyear\ttext\nFargo\t1996\tGood.\n", delimiter=delimiter)
    assert (row.tconst, row.title, row.year, row.text) == (None, "Fargo", 1996, "Good.")


def test_bad_rows_are_listed_with_their_lines_and_good_ones_read(tmp_path):
    bad = [
        ("116282,Fargo,1996,Good.", "imdb_id: String should match pattern"),
        ("nm0000001,,,Good.", "imdb_id: String should match pattern"),
        ("tt0116282,Fargo,1996,", "text: "),
        ('tt0116282,Fargo,1996,"  "', "text: there is no text"),
        (",,1996,Good.", "neither an id nor title and year"),
        (",Fargo,,Good.", "neither an id nor title and year"),
        (",Fargo,MCMXCVI,Good.", "year: "),
        ("tt0116282,Fargo,1996", "3 columns, expected 4"),
        ("tt0116282,Fargo,1996,Good, and more", "5 columns, expected 4"),
        ('tt0116282,Fargo,1996,"Good, and\nlong."', "the same review is in line 2"),
    ]
    lines = "".join(f"{row}\n" for row, _ in bad)
    rows, rejected = read(tmp_path, HEADER + GOOD + lines + "\ntt0113277,Heat,1995,Last.\n")
    assert [row.text for row in rows] == ["Good, and\nlong.", "Last."]
    assert [each.line for each in rejected] == list(range(4, 14))
    for each, (_, reason) in zip(rejected, bad, strict=True):
        assert reason in each.reason


@pytest.mark.parametrize("value", ["0", "11", "ten"])
def test_stars_outside_the_scale_are_rejected(tmp_path, value):
    _, (rejected,) = read(tmp_path, f"imdb_id,text,stars\ntt0116282,Good.,{value}\n", rating_column="stars")
    assert rejected.line == 2
    assert rejected.reason.startswith("stars: ")


def test_rows_of_another_encoding_are_rejected_by_line_and_a_byte_order_mark_is_ignored(tmp_path):
    lines = [HEADER.encode(), b"tt0116282,Fargo,1996,Caf\xe9.\n", "tt0116282,Fargo,1996,Café.\n".encode()]
    (row,), rejected = read(tmp_path, b"".join(lines))
    assert row.text == "Café."
    assert rejected == [Rejected(2, 2, "the row is not utf-8-sig")]
    assert read(tmp_path, b"".join(lines[:2]), encoding="latin-1")[0][0].text == "Café."
    assert len(read(tmp_path, (HEADER + GOOD).encode("utf-8-sig"))[0]) == 1


def test_strict_mode_refuses_the_file_and_names_the_first_rows(tmp_path):
    lines = "".join(f"nm{number},,,Good.\n" for number in range(13))
    with pytest.raises(DataError, match=r"13 rows cannot be used: line 4: .*line 13: .*; and 3 more"):
        read(tmp_path, HEADER + GOOD + lines, strict=True)
    assert len(read(tmp_path, HEADER + GOOD, strict=True)[0]) == 1


@pytest.mark.parametrize(
    "text, expected",
    [
        (HEADER + GOOD, "expected: stars"),
        ("imdb_id;text\ntt0116282;Good.\n", "expected: text; imdb_id, or title and year"),
        ("imdb_id,words\ntt0116282,Good.\n", "found: imdb_id, words; expected: text;"),
        ("title,text\nFargo,Good.\n", "expected: imdb_id, or title and year"),
        ("", "found: no columns"),
        ("\n\n", "found: no columns"),
    ],
)
def test_missing_columns_are_named_next_to_those_found(tmp_path, text, expected):
    with pytest.raises(DataError, match="lacks columns.*") as failure:
        read(tmp_path, text, rating_column="stars" if text == HEADER + GOOD else None)
    assert expected in str(failure.value)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (GOOD + 'tt0113277,Heat,1995,"Open\n', 4, "a quote is not closed"),
        ('tt0113277,Heat,1995,"A "hot" film"\n' + GOOD, 2, "expected after"),
        (f"tt0113277,Heat,1995,{'x' * 200_000}\n" + GOOD, 2, "field larger than"),
    ],
    ids=["a quote is never closed", "a quote within a text", "too long a text"],
)
def test_malformed_rows_are_rejected_without_affecting_others(tmp_path, text, line, reason):
    rows, (rejected,) = read(tmp_path, HEADER + text)
    assert [row.tconst for row in rows] == ["tt0116282"]
    assert rejected.line == line
    assert reason in rejected.reason


@pytest.mark.parametrize(
    "ending", ["", 'tt0116282,Fargo,1996,Great."\n'], ids=["never closed", "closed 1,001 rows later"]
)
def test_an_open_quote_costs_its_own_line_and_not_the_rows_after_it(tmp_path, ending):
    after = "".join(f"tt0113277,Heat,1995,Text {number}.\n" for number in range(1001))
    rows, (rejected,) = read(tmp_path, HEADER + 'tt0116191,Emma,1996,"Open\n' + after + ending)
    assert [row.text for row in rows][:1001] == [f"Text {number}." for number in range(1001)]
    assert len(rows) == 1001 + bool(ending)
    assert str(rejected).startswith(
        "line 2: a quote is not closed: a quote opens a text in this line that goes on to line"
    )


def test_a_rejected_row_names_all_its_lines(tmp_path):
    _, (rejected,) = read(tmp_path, HEADER + 'tt0116282,Fargo,1996,"Good,\n\nand long.",more\n' + GOOD)
    assert str(rejected) == "lines 2 to 4: 5 columns, expected 4"
    with pytest.raises(DataError, match="1 rows cannot be used: lines 2 to 4: 5 columns, expected 4"):
        read(tmp_path, HEADER + 'tt0116282,Fargo,1996,"Good,\n\nand long.",more\n' + GOOD, strict=True)


@pytest.mark.parametrize(
    ("day", "written_at"),
    [
        ("2004", datetime(2004, 1, 1, tzinfo=UTC)),
        ("20040503", datetime(2004, 5, 3, tzinfo=UTC)),
        ("1083542400", datetime(2004, 5, 3, tzinfo=UTC)),
        ("2004-05-03T01:00:00+02:00", datetime(2004, 5, 2, 23, tzinfo=UTC)),
        ("", None),
    ],
)
def test_a_year_or_a_date_in_digits_is_no_number_of_seconds(tmp_path, day, written_at):
    (row,), _ = read(tmp_path, f"imdb_id,text,day\ntt0116282,Good.,{day}\n", date_column="day")
    assert row.written_at == written_at


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("0001-01-01T00:00:00+02:00", "day: the year is not from 1870 to 2200"),
        ("9999", "day: the year is not from 1870 to 2200"),
        ("20041332", "day: "),
        ("12", "day: a number is a date if it is a year"),
        ("inf", "day: a number is a date if it is a year"),
        ("99999999999999999999", "day: "),
    ],
)
def test_a_date_that_is_none_is_a_reason_to_reject_the_row(tmp_path, day, reason):
    _, (rejected,) = read(tmp_path, f"imdb_id,text,day\ntt0116282,Good.,{day}\n", date_column="day")
    assert rejected.reason.startswith(reason)


@pytest.mark.parametrize("delimiter", ["", ",,", "\n", '"', "\\n"])
def test_a_delimiter_is_one_character(delimiter):
    with pytest.raises(ValidationError, match="a delimiter is one character"):
        FileConfig(delimiter=delimiter)


def test_ids_and_titles_in_a_parquet_file_may_be_numbers(tmp_path):
    path = tmp_path / "reviews.parquet"
    table = pd.DataFrame({"item": [7, 8], "title": [1917, 1984], "key": [1.0, None], "text": ["Good.", "Fine."]})
    table.assign(day=[2004, 20040503]).to_parquet(path)
    rows, rejected = read_rows(FileConfig(path=path, item_column="item", id_column="key", date_column="day"))
    assert rejected == []
    assert [(row.item, row.title, row.id) for row in rows] == [("7", "1917", "1"), ("8", "1984", None)]
    assert [row.written_at for row in rows] == [datetime(2004, 1, 1, tzinfo=UTC), datetime(2004, 5, 3, tzinfo=UTC)]


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(DataError, match="two columns have the same name; where: .*; found: text"):
        read(tmp_path, "imdb_id,text,text\ntt0116282,Good.,Bad.\n")


def test_a_file_of_another_encoding_is_refused_in_printable_words(tmp_path):
    with pytest.raises(DataError, match="lacks columns") as refused:
        read(tmp_path, (HEADER + GOOD).encode("utf-16"))
    assert str(refused.value).encode("utf-8")


def test_texts_are_not_changed(tmp_path):
    text = "<script>alert(1)</script>\x00\x07<br />é \U0001f600  "
    (row,), _ = read(tmp_path, f"imdb_id,text\ntt0116282,{text}\n")
    assert row.text == text


def test_a_parquet_file_is_read_by_row(tmp_path):
    path = tmp_path / "reviews.parquet"
    table = pd.DataFrame(
        {
            "imdb_id": ["tt0116282", None, "116282", "tt0113277"],
            "title": ["Fargo", "Heat", None, None],
            "year": [1996, 1995, None, None],
            "text": ["Good.", "Fine.", "Bad id.", None],
            "day": [pd.Timestamp("2024-05-01"), pd.NaT, pd.NaT, pd.NaT],
        }
    )
    table.to_parquet(path)
    rows, rejected = read_rows(FileConfig(path=path, date_column="day"))
    assert [(row.tconst, row.title, row.year) for row in rows] == [("tt0116282", "Fargo", 1996), (None, "Heat", 1995)]
    assert [row.written_at for row in rows] == [datetime(2024, 5, 1, tzinfo=UTC), None]
    assert [each.line for each in rejected] == [3, 4]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("damaged.parquet", {}, "cannot be read.*damaged.parquet"),
        ("nowhere.csv", {}, "cannot be read.*nowhere.csv"),
        ("reviews.csv", {"encoding": "utf-99"}, "cannot be read.*reviews.csv"),
        ("reviews.csv", {"path": None}, "no file of reviews is named"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name, settings, message):
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "reviews.csv").write_text(HEADER + GOOD)
    with pytest.raises(DataError, match=message):
        read_rows(FileConfig(**{"path": tmp_path / name, **settings}))


def test_without_ids_film_and_text_identify_a_review(tmp_path):
    rows, _ = read(tmp_path, HEADER + "tt0116282,,,Good.\ntt0113277,,,Good.\ntt0116282,,,Better.\n")
    assert len({row.source_review_id for row in rows}) == 3
    again, _ = read(tmp_path, HEADER + "tt0116282,,,Better.\ntt0113277,,,Good.\ntt0116282,,,Good.\n")
    assert {row.source_review_id for row in rows} == {row.source_review_id for row in again}


TABLE = """imdb_id,title,year,text,day
tt0116282,,,Old.,2020-01-01
tt0116282,,,New.,2024-01-01
,Fargo,1996,Undated.,
,The African Queen,1951,Queen.,
,Fargo,2014,The series.,2015-01-01
116282,,,Rejected.,
"""
FARGO = Film("Fargo (1996)", 1996, "tt0116282")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text(TABLE)
    return path


def source(path, **settings):
    return FileSource(FileConfig(path=path, date_column="day", **settings))


def texts(answer):
    return [review.text for review in answer.reviews]


def test_a_film_is_found_by_id_and_by_title_and_year_the_newest_reviews_first(path):
    answer = source(path).fetch(FARGO, "")
    assert answer.outcome == "ok"
    assert texts(answer) == ["New.", "Old.", "Undated."]
    assert {review.tconst for review in answer.reviews} == {"tt0116282"}


@pytest.mark.parametrize("title", ["African Queen, The (1951)", "The African Queen", "the african queen"])
def test_titles_are_found_in_any_spelling(path, title):
    assert texts(source(path).fetch(Film(title, 1951, "tt0043265"), "")) == ["Queen."]


@pytest.mark.parametrize("film", [Film("Heat", 1995, "tt0113277"), Film("Fargo", 1996), Film("Fargo", 1995, "tt1")])
def test_a_film_without_a_review_is_not_covered(path, film):
    assert query(source(path), film, "").outcome == "not_covered"


@pytest.mark.parametrize("strict", [False, True])
def test_rejected_rows_are_reported_and_make_a_strict_source_unavailable(path, strict):
    file = source(path, strict=strict)
    found = file.availability()
    assert found.available == (not strict)
    assert "1 rows cannot be used: line 7: imdb_id" in found.reason
    if not strict:
        assert [each.line for each in file.rejected] == [7]


@pytest.mark.parametrize("body", ["imdb_id,text,day\n", "imdb_id;text;day\ntt1;x;\n", "imdb_id,text,day\nx,y,\n"])
def test_without_a_usable_row_the_source_is_unavailable(path, body):
    path.write_text(body)
    found = source(path).availability()
    assert not found.available
    assert found.reason


def test_reviews_have_the_attribution_and_permission_of_the_settings(path):
    review, *_ = source(path, training_allowed=False, attribution="Our archive.").fetch(FARGO, "").reviews
    assert (review.training_allowed, review.attribution, review.kind) == (False, "Our archive.", "review")


HOSTILE_TABLE = b"""imdb_id,title,year,text,day,stars
tt0116282,Fargo,1996,"Good, and
long.",2004-05-03,8
,Heat,1995,Fine.,20040503,
"""


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "utf-16"])
@settings(HOSTILE)
@given(content=hostile_bytes(HOSTILE_TABLE))
def test_whatever_a_file_of_reviews_holds_its_rows_are_read_or_rejected(tmp_path, encoding, content):
    (tmp_path / "r.csv").write_bytes(content)
    config = FileConfig(path=tmp_path / "r.csv", encoding=encoding, date_column="day", rating_column="stars")
    found = read_or_refuse(read_rows, config)
    if isinstance(found, tuple):
        assert all(row.written_at is None or 1869 < row.written_at.year < 2202 for row in found[0])


@settings(HOSTILE)
@given(data=st.data())
def test_whatever_a_parquet_file_of_reviews_holds_its_rows_are_read_or_rejected(tmp_path, data):
    table = pd.DataFrame({"imdb_id": ["tt0116282", None], "title": [1917, 2], "year": [1999, 2000], "text": ["x", "y"]})
    table.assign(day=[2004, 20040503]).to_parquet(tmp_path / "good.parquet")
    (tmp_path / "r.parquet").write_bytes(data.draw(hostile_bytes((tmp_path / "good.parquet").read_bytes())))
    read_or_refuse(read_rows, FileConfig(path=tmp_path / "r.parquet", date_column="day"))


@given(rows=st.lists(st.tuples(st.booleans(), st.text('ab ,\n"', max_size=8)), max_size=12))
@settings(HOSTILE)
def test_no_line_is_lost(tmp_path, rows):
    lines = [f'tt0116282,,,"{text.replace(chr(34), chr(34) * 2)}x"\n' if good else f"{text}\n" for good, text in rows]
    content = HEADER + "".join(lines)
    records = list(read_records(io.StringIO(content, newline=""), ","))
    reached = 0
    for record in records:
        assert record.first == reached + 1
        reached = record.first if record.fault else record.last
    assert reached == len(content.splitlines())


@pytest.mark.parametrize(
    "row", ['x,"\n', 'x","\n', '"\n', "tt0116282,F,1996,Text {}.\n", '""x\n', '"a\n""\n'], ids=range(6)
)
def test_reading_takes_no_longer_than_linear(tmp_path, row):
    assert_linear(
        lambda size: read(tmp_path, HEADER + "".join(row.replace("{}", str(number)) for number in range(size))),
        (1_000, 8_000),
    )
