"""Ratings of one's own in files that are odd, damaged or hostile."""

import gzip

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.data.ratings_file import RatingsSource, with_fingerprint
from latentflix.errors import DataError
from tests.support.hostile_files import HOSTILE, assert_linear, hostile_bytes, read_or_refuse
from tests.support.own_ratings import (
    COLUMNS,
    RATINGS,
    as_csv,
    as_parquet,
    check,
    load,
    load_own,
    load_with_items,
    zipped,
)


def test_ids_of_a_csv_file_are_kept_as_they_are_written(tmp_path):
    ratings = pd.DataFrame({"who": ["1", "2", "2"], "what": ["00017", "17", "00017"], "stars": [1, 2, 3]})
    items = pd.DataFrame({"id": ["00017", "17"], "name": ["Emma", "Heat"]})
    tables = load_with_items(tmp_path, ratings, items)
    assert tables["ratings"]["user_id"].tolist() == [1, 2, 2]
    assert tables["ratings"]["item_id"].tolist() == ["00017", "17", "00017"]
    assert check(tables).items["source_id"].tolist() == ["00017", "17"]


def test_blanks_around_ids_are_no_part_of_them(tmp_path):
    ratings = pd.DataFrame({"who": [" 7", "7 ", " 9"], "what": ["tt2 ", "tt10", " tt2"], "stars": [1, 2, 3]})
    ratings = load_own(tmp_path, ratings)["ratings"]
    assert ratings["user_id"].tolist() == [7, 7, 9]
    assert ratings["item_id"].tolist() == ["tt2", "tt10", "tt2"]


@pytest.mark.parametrize("name", ["own.csv", "own.parquet"])
@pytest.mark.parametrize("day", [20040503, "20040503", "2004-05-03"])
def test_a_date_in_digits_is_no_number_of_seconds(tmp_path, name, day):
    table = RATINGS.assign(when=day)
    (tmp_path / name).write_bytes(as_csv(table) if name == "own.csv" else as_parquet(table))
    assert set(load(tmp_path / name, **COLUMNS, timestamp_column="when")["ratings"]["timestamp"]) == {1083542400}


@pytest.mark.parametrize("time", [1083542400000, "0001-01-01T00:00:00+02:00"], ids=["milliseconds", "the year 1"])
def test_a_time_of_another_century_is_refused(tmp_path, time):
    with pytest.raises(DataError, match="row 0 has the time .*, not a time of the years 1800 to 2200"):
        load_own(tmp_path, RATINGS.assign(when=time), timestamp_column="when")


@pytest.mark.parametrize("delimiter", ["", "::", "\n", '"'])
def test_a_delimiter_is_one_character(delimiter):
    with pytest.raises(ValidationError, match="a delimiter is one character"):
        RatingsSource(delimiter=delimiter)


@pytest.mark.parametrize(
    ("stars", "message"),
    [
        (["1e39", "1", "2"], "a rating is too large; where: row 0"),
        (["inf", "1", "2"], "rating is not a number"),
        (["nan", "1", "2"], "rating is not a number"),
        (["-1e400", "1", "2"], "rating is not a number"),
    ],
)
def test_a_rating_that_no_scale_has_is_refused(tmp_path, stars, message):
    with pytest.raises(DataError, match=message):
        check(load_own(tmp_path, RATINGS.assign(stars=stars)))


UNREADABLE_FILES = {
    "empty.csv": (b"", "the file is empty"),
    "of another encoding.csv": (as_csv(RATINGS).decode().encode("utf-16"), "columns are missing"),
    "with a name twice.csv": (b"who,what,stars,who\n1,2,3,4\n", "two columns have the same name; .*found: who"),
    "with an open quote.csv": (b'who,what,stars\n1,"2,3\n2,"3",4\n', "a quote is not closed; where: .*, line 2"),
    "cut short.csv.gz": (gzip.compress(as_csv(RATINGS))[:-9], "ended before the end-of-stream"),
    "cut short.parquet": (as_parquet(RATINGS)[:-9], "ratings cannot be read"),
    "nested.parquet": (as_parquet(RATINGS.assign(stars=[[1], [2], [3]])), "rating is not a number"),
}


@pytest.mark.parametrize("name", UNREADABLE_FILES)
def test_a_file_that_is_not_in_order_is_refused_for_what_it_is(tmp_path, name):
    content, message = UNREADABLE_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        check(load(tmp_path / name, **COLUMNS))


def test_a_header_alone_holds_no_ratings(tmp_path):
    with pytest.raises(DataError, match="there are no ratings"):
        check(load_own(tmp_path, RATINGS.head(0)))


def test_a_byte_order_mark_and_a_missing_last_line_end_make_no_difference(tmp_path):
    (tmp_path / "own.csv").write_bytes(as_csv(RATINGS).decode().encode("utf-8-sig").rstrip())
    assert len(load(tmp_path / "own.csv", **COLUMNS)["ratings"]) == 3


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "own.csv").write_bytes(as_csv(RATINGS))
    with pytest.raises(DataError, match="this is not a file; .*name the file in it with --ratings-source.items-path"):
        with_fingerprint(RatingsSource(path=tmp_path / "own.csv", items_path=tmp_path))


RATINGS_CSV = b'user_id,item_id,rating,when\n7,1,3.5,100\n7,2,10,200\n"9",1,0.5,2004-05-03\n'


HOSTILE_ROLES = {
    "path": RATINGS_CSV,
    "items_path": b'item_id,title,genres,imdb,day\n1,"1917, a",War|Drama,8579674,2004-05-03\n2,Emma,,tt1,2004-01-01\n',
    "users_path": b'user_id,age,town\n7,20,Rome\n9,30,"Oslo, x"\n',
    "tags_path": b'user_id,item_id,tag\n7,1,"good, ""old"""\n9,2,dark\n',
}


@pytest.mark.parametrize("role", HOSTILE_ROLES)
@settings(HOSTILE, max_examples=40)
@given(data=st.data())
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path, role, data):
    (tmp_path / "path.csv").write_bytes(RATINGS_CSV)
    (tmp_path / f"{role}.csv").write_bytes(data.draw(hostile_bytes(HOSTILE_ROLES[role])))
    more = {} if role == "path" else {role: tmp_path / f"{role}.csv"}
    if role == "items_path":
        more |= {"genres_column": "genres", "imdb_column": "imdb"}

    def read():
        tables = load(tmp_path / "path.csv", timestamp_column="when", **more)
        read_ratings(tables["ratings"], tables["items"], RatingsConfig(), tables["scale"], tables.get("users"))

    read_or_refuse(read)


ARCHIVES = {
    "a.csv.gz": [gzip.compress(RATINGS_CSV)],
    "a.zip": [zipped("a.csv", RATINGS_CSV)],
    "a.parquet": [as_parquet(RATINGS.rename(columns={"who": "user_id", "what": "item_id", "stars": "rating"}))],
}


@pytest.mark.parametrize("name", ARCHIVES)
@settings(HOSTILE)
@given(data=st.data())
def test_whatever_an_archive_holds_it_is_read_or_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data.draw(hostile_bytes(*ARCHIVES[name])))
    read_or_refuse(lambda: check(load(tmp_path / name)))


@pytest.mark.parametrize(
    "row", ['7,1,"\n', 'x","\n', "7,1,3.5,100\n", '"7","1",3,100\n'], ids=["open", "closed", "plain", "quoted"]
)
def test_reading_takes_no_longer_than_linear(tmp_path, row):
    def read(size):
        (tmp_path / "a.csv").write_text("user_id,item_id,rating,when\n" + row * size)
        load(tmp_path / "a.csv", timestamp_column="when")

    assert_linear(read, (2_000, 16_000))
