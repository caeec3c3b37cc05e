from datetime import UTC, datetime

import pandas as pd
import pytest

from latentflix.errors import DataError
from latentflix.reviews.sources.file import FileConfig, FileSource, Rejected, read_rows
from latentflix.reviews.sources.protocol import Film, query

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
    assert rejected == [Rejected(2, "the row is not utf-8-sig")]
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
        (GOOD + 'tt0113277,Heat,1995,"Open\ntt0116191,Emma,1996,Fine.\n', 4, "unexpected end of data"),
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
