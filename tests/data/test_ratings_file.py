import gzip
import io

import pandas as pd
import pytest
from pydantic import ValidationError

from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.data.ratings_file import RatingsSource, with_fingerprint
from latentflix.errors import DataError
from tests.support.files import write_folder, write_zip
from tests.support.movielens_files import LAYOUTS, layout_csv
from tests.support.own_ratings import (
    COLUMNS,
    FILES,
    ITEM_COLUMNS,
    ITEMS,
    NAMED,
    RATINGS,
    as_csv,
    as_parquet,
    check,
    load,
    load_own,
    load_with_items,
    zipped,
)


@pytest.mark.parametrize("name", FILES)
def test_a_table_is_read_from_any_file_format(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    tables = load(tmp_path / name, **COLUMNS, timestamp_column="when")
    assert list(tables["ratings"]) == ["user_id", "item_id", "rating", "timestamp"]
    assert tables["ratings"].to_numpy().tolist() == [[7, 1, 3.5, 100], [7, 2, 10, 200], [9, 1, 0.5, 300]]
    assert tables["items"].to_dict("list") == {"item_id": [1, 2], "title": ["1", "2"], "genres": ["", ""]}
    assert tables["scale"].to_dict("list") == {"lowest": [0.5], "highest": [10.0]}


@pytest.mark.parametrize(("delimiter", "given"), [(";", ";"), ("\t", "\t"), ("\t", "\\t")])
def test_the_delimiter_is_what_the_settings_say(tmp_path, delimiter, given):
    (tmp_path / "own.tsv").write_bytes(as_csv(RATINGS, delimiter))
    assert list(load(tmp_path / "own.tsv", **COLUMNS, delimiter=given)["ratings"]["item_id"]) == [1, 2, 1]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("write", "name"), [(write_zip, "ml.zip"), (write_folder, "ml")], ids=["zip", "folder"])
def test_movielens_is_recognised_by_its_layout(tmp_path, layout, write, name):
    tables = load(write(tmp_path / name, LAYOUTS[layout]))
    assert list(tables["ratings"]["rating"]) == [3, 4, 5, 1]
    assert tables["items"]["title"].iloc[1] == "Star Wars: Episode IV - A New Hope (1977)"
    assert list(tables["scale"].iloc[0]) == [1, 5]


def test_without_a_column_of_times_they_are_zero(tmp_path):
    assert list(load_own(tmp_path)["ratings"]["timestamp"]) == [0, 0, 0]


@pytest.mark.parametrize("name", ["own.csv", "own.parquet"])
@pytest.mark.parametrize(
    "times",
    [
        ["1970-01-01T00:01:40Z", "1970-01-01T00:03:20Z", "1970-01-02T00:00:00Z"],
        ["1970-01-01 00:01:40", "1970-01-01 00:03:20.9", "1970-01-02"],
        ["1970-01-01T02:01:40+02:00", "1970-01-01T00:03:20+00:00", "1970-01-02"],
        pd.to_datetime([100, 200, 86400], unit="s"),
    ],
    ids=["in UTC", "without a zone", "of several zones", "of a type of their own"],
)
def test_times_may_be_dates(tmp_path, name, times):
    table = RATINGS.assign(when=times)
    (tmp_path / name).write_bytes(as_csv(table) if name == "own.csv" else as_parquet(table))
    tables = load(tmp_path / name, **COLUMNS, timestamp_column="when")
    assert list(tables["ratings"]["timestamp"]) == [100, 200, 86400]


def test_items_bring_titles_genres_and_imdb_ids_of_which_some_may_be_missing(tmp_path):
    of_all = {"genres_column": "kinds", "genre_separator": ", ", "imdb_column": "imdb"}
    assert load_with_items(tmp_path, **of_all)["items"].to_dict("list") == {
        "item_id": [1, 2],
        "title": ["1917", "Emma (1996)"],
        "genres": ["War|Drama", ""],
        "tconst": ["tt8579674", "tt0116191"],
    }
    items = load_with_items(tmp_path, items=ITEMS.assign(imdb=[8579674, None]), imdb_column="imdb")["items"]
    assert items["tconst"].fillna("missing").tolist() == ["tt8579674", "missing"]


def test_named_ids_are_numbered_and_kept_as_source_ids(tmp_path):
    items = pd.DataFrame({"id": ["tt10", "tt2", "tt3"], "name": ["Emma", "Heat", "Fargo"]})
    tables = load_with_items(tmp_path, NAMED, items)
    read = check(tables)
    assert read.users.to_dict("index") == {1: {"ratings": 2, "source_id": "ann"}, 2: {"ratings": 1, "source_id": "bob"}}
    assert read.items[["title", "source_id", "ratings"]].to_dict("index") == {
        1: {"title": "Emma", "source_id": "tt10", "ratings": 1},
        2: {"title": "Heat", "source_id": "tt2", "ratings": 2},
        3: {"title": "Fargo", "source_id": "tt3", "ratings": 0},
    }
    assert read.ratings[["user_id", "item_id", "rating"]].to_numpy().tolist() == [[1, 1, 10], [1, 2, 3.5], [2, 2, 0.5]]
    assert read.ratings.dtypes.astype(str).to_list() == ["int32", "int32", "float32", "int64"]


@pytest.mark.parametrize("big", [2**31, -(2**31) - 1])
def test_numbers_too_large_for_int32_are_names(tmp_path, big):
    tables = load_own(tmp_path, RATINGS.assign(who=[7, 7, big]))
    assert list(tables["ratings"]["user_id"]) == ["7", "7", str(big)]
    assert set(check(tables).users["source_id"]) == {"7", str(big)}


def test_named_ids_pass_through_a_file_unchanged(tmp_path):
    tables = load_own(tmp_path, NAMED)
    again = {name: pd.read_parquet(io.BytesIO(as_parquet(table))) for name, table in tables.items()}
    one, other = (check(given) for given in (tables, again))
    for name in ("ratings", "items", "users"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_errors_name_ids_as_the_source_does(tmp_path):
    with pytest.raises(DataError, match=r"a user rates an item twice; where: row 1 .*found: 'ann' and 'tt2'"):
        check(load_own(tmp_path, NAMED.assign(who="ann", what="tt2")))
    with pytest.raises(DataError, match=r"not among the items; where: row 1 .*found: 'tt10'"):
        check(load_with_items(tmp_path, NAMED, ITEMS.assign(id=["tt2", "tt3"])))


@pytest.mark.parametrize("ratings", [RATINGS, NAMED], ids=["numbers", "names"])
@pytest.mark.parametrize(("column", "name"), [("who", "user_id"), ("what", "item_id")])
def test_a_missing_id_is_named_by_its_row(tmp_path, ratings, column, name):
    tables = load_own(tmp_path, ratings.assign(**{column: ratings[column].where([True, True, False])}))
    with pytest.raises(DataError, match=rf"{name} is missing; where: row 2 \(counting from 0\), column {name}"):
        check(tables)


@pytest.mark.parametrize("name", ["own.csv", "own.csv.gz", "own.parquet"])
def test_missing_columns_are_named_with_those_that_are_there(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    expected = (
        f"^columns are missing from {tmp_path / name}; where: item_id, rating; found: who, what, stars, when, note; "
        "expected: who, item_id, rating; what to do: name them with "
    )
    with pytest.raises(DataError, match=expected):
        load(tmp_path / name, user_column="who")


def test_another_delimiter_shows_in_the_columns_that_are_found(tmp_path):
    (tmp_path / "own.csv").write_bytes(as_csv(RATINGS, ";"))
    with pytest.raises(DataError, match=r"found: who;what;stars;when;note; expected: .*--ratings-source.delimiter"):
        load(tmp_path / "own.csv", **COLUMNS)


def test_missing_columns_of_the_items_are_named(tmp_path):
    expected = r"missing from .*items\.csv; where: kind; found: id, name, kinds, imdb; expected: id"
    with pytest.raises(DataError, match=expected):
        load_with_items(tmp_path, genres_column="kind")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("own.json", b"[]"),
        ("json.zip", zipped("own.json", b"[]")),
        ("own.json.gz", gzip.compress(b"[]", mtime=0)),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"in no form that is known; where: .*; found: own\.json; expected: .*\.csv"):
        load(tmp_path / name, **COLUMNS)


def test_a_zip_or_folder_of_other_files_is_refused(tmp_path):
    path = write_zip(tmp_path / "own.zip", {"a.csv": b"", "b.csv": b""})
    with pytest.raises(DataError, match=r"found: ml-25m/a\.csv, ml-25m/b\.csv; expected: .*one csv or parquet file"):
        load(path, **COLUMNS)
    with pytest.raises(DataError, match=r"found: own\.csv; expected: u\.data and u\.item"):
        load(write_folder(tmp_path / "mine", {"own.csv": as_csv(RATINGS)}), **COLUMNS)


@pytest.mark.parametrize("name", ["own.csv.gz", "own.zip", "own.parquet", "own.csv"])
def test_an_unreadable_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xfe<html>not what it says" if name != "own.csv" else b"")
    with pytest.raises(DataError, match=rf"ratings cannot be read; where: .*{name}; found: .+; expected: a csv"):
        load(tmp_path / name, **COLUMNS)


def test_a_time_that_is_not_a_date_is_refused(tmp_path):
    with pytest.raises(DataError, match="ratings cannot be read; where: .*found: .*yesterday"):
        load_own(tmp_path, RATINGS.assign(when=["2020-01-01", "yesterday", "2020-01-02"]), timestamp_column="when")


@pytest.mark.parametrize("missing", ["path", "items_path", "tags_path", "users_path"])
def test_a_missing_file_is_named(tmp_path, missing):
    (tmp_path / "own.csv").write_bytes(as_csv(RATINGS))
    names = ("path", "items_path", "tags_path", "users_path")
    paths = dict.fromkeys(names, tmp_path / "own.csv") | {missing: tmp_path / "nowhere.csv"}
    with pytest.raises(DataError, match=r"there is no such file; where: .*nowhere\.csv"):
        with_fingerprint(RatingsSource(**paths))


def key(path, **settings):
    """The settings that are part of the key of the artifact."""
    return with_fingerprint(RatingsSource(path=path, **settings)).model_dump_json()


def test_the_key_depends_on_the_content_of_files_and_not_on_their_place(tmp_path):
    one, same, other = (tmp_path / name for name in ("one.csv", "same.csv", "other.csv"))
    one.write_bytes(as_csv(RATINGS))
    same.write_bytes(as_csv(RATINGS))
    other.write_bytes(as_csv(RATINGS.assign(stars=1)))
    assert key(one) == key(same)
    keys = {key(one), key(other), key(one, user_column="who"), key(one, items_path=other), key(one, items_path=one)}
    assert len(keys) == 5
    assert key(one, tags_path=one) not in {*keys, key(one, tags_path=other)}
    assert key(one, users_path=one) not in {*keys, key(one, tags_path=one), key(one, users_path=other)}


def test_the_key_depends_on_every_file_of_a_folder(tmp_path):
    folder = write_folder(tmp_path / "ml", layout_csv())
    before = key(folder)
    assert key(write_folder(tmp_path / "elsewhere" / "ml", layout_csv()).parent) == before
    (folder / "links.csv").rename(folder / "link.csv")
    assert key(folder) != before


@pytest.mark.parametrize("ids", [["b", "a", "b"], [7, 5, 7]], ids=["names", "numbers"])
@pytest.mark.parametrize("form", ["csv", "semicolons", "parquet"])
def test_tags_of_the_users_own_go_by_the_ids_of_the_ratings(tmp_path, ids, form):
    ratings = pd.DataFrame({"user_id": [1, 2, 3], "item_id": ids, "rating": [1.0, 2.0, 3.0]})
    ratings.to_csv(tmp_path / "own.csv", index=False)
    tags = pd.DataFrame({"label": ["null", "a; b", " "], "item_id": ids, "note": "x"})
    path = tmp_path / f"tags.{'parquet' if form == 'parquet' else 'csv'}"
    if form == "parquet":
        tags.to_parquet(path)
    else:
        tags.to_csv(path, index=False, sep=";" if form == "semicolons" else ",")
    tables = load(tmp_path / "own.csv", tags_path=path, tag_column="label")
    assert sorted(tables["tags"]["tag"]) == ["a; b", "null"]
    assert tables["tags"].set_index("tag")["item_id"].to_dict() == {"null": ids[0], "a; b": ids[1]}
    assert tables["tags_left_out"]["rows"].tolist() == [1]
    with pytest.raises(DataError, match="columns are missing from .*tags.*; where: tag; found: label, item_id, note"):
        load(tmp_path / "own.csv", tags_path=path)


USERS = pd.DataFrame({"id": [9, 7], "age": [30, 40], "town": ["rome", "oslo"], "post": ["a1", "b2"]})


def load_with_users(folder, users=USERS, name="users.csv", **settings):
    (folder / name).write_bytes(as_parquet(users) if name.endswith(".parquet") else as_csv(users))
    ratings = settings.pop("ratings", RATINGS)
    return load_own(folder, ratings, users_path=folder / name, user_id_column="id", **settings)


def describe(tables):
    read = read_ratings(tables["ratings"], tables["items"], RatingsConfig(), tables["scale"], tables["users"])
    return read.users.set_index("source_id", append=True) if "source_id" in read.users else read.users


@pytest.mark.parametrize("name", ["users.csv", "users.parquet"])
def test_users_bring_all_columns_or_those_that_are_named(tmp_path, name):
    users = describe(load_with_users(tmp_path, name=name))
    assert users.to_dict("index") == {
        7: {"ratings": 2, "age": 40, "town": "oslo", "post": "b2"},
        9: {"ratings": 1, "age": 30, "town": "rome", "post": "a1"},
    }
    users = describe(load_with_users(tmp_path, name=name, user_columns=("town",)))
    assert list(users) == ["ratings", "town"]


def test_users_are_found_whether_their_ids_are_numbers_or_text(tmp_path):
    named = USERS.assign(id=["bob", "ann"])
    assert describe(load_with_users(tmp_path, named, ratings=NAMED))["age"].to_dict() == {
        (1, "ann"): 40,
        (2, "bob"): 30,
    }
    as_text = USERS.assign(id=["9", "7"])
    users = describe(load_with_users(tmp_path, as_text, name="users.parquet"))
    assert users["age"].to_dict() == {(1, "7"): 40, (2, "9"): 30}


def test_users_may_be_described_beside_a_movielens_set(tmp_path):
    folder = write_folder(tmp_path / "ml", layout_csv())
    (tmp_path / "users.csv").write_text("user_id,age\n1,20\n2,30\n")
    assert describe(load(folder, users_path=tmp_path / "users.csv"))["age"].to_dict() == {1: 20, 2: 30}


def test_missing_columns_of_the_users_are_named(tmp_path):
    expected = r"missing from .*users\.csv; where: city; found: id, age, town, post; expected: city; .*user-columns"
    with pytest.raises(DataError, match=expected):
        load_with_users(tmp_path, user_columns=("city",))


def test_a_file_of_users_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "none.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot be read; where: .*none\.csv; found: the file is empty"):
        load_own(tmp_path, users_path=tmp_path / "none.csv")


WITHOUT_STARS = {"user_column": "who", "item_column": "what", "rating_column": ""}


@pytest.mark.parametrize("name", FILES)
def test_interactions_are_read_from_any_file_format_and_count_one_each_unless_a_column_counts_them(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    tables = load(tmp_path / name, **WITHOUT_STARS)
    assert tables["ratings"].to_dict("list") == {
        "user_id": [7, 7, 9],
        "item_id": [1, 2, 1],
        "timestamp": [0, 0, 0],
        "count": [1, 1, 1],
    }
    assert list(tables["scale"]) == ["lowest", "highest"]
    assert tables["scale"].empty
    counted = load(tmp_path / name, **WITHOUT_STARS, count_column="stars", timestamp_column="when")["ratings"]
    assert counted["count"].tolist() == [3.5, 10.0, 0.5]
    assert counted["timestamp"].tolist() == [100, 200, 300]


def test_interactions_with_named_items_are_checked_as_ratings_are(tmp_path):
    items = pd.DataFrame({"id": ["tt10", "tt2"], "name": ["Emma", "Heat"]})
    twice = pd.concat([NAMED, NAMED.head(1)])
    (tmp_path / "own.csv").write_bytes(as_csv(twice))
    (tmp_path / "items.csv").write_bytes(as_csv(items))
    read = check(load(tmp_path / "own.csv", **WITHOUT_STARS, items_path=tmp_path / "items.csv", **ITEM_COLUMNS))
    assert read.interactions
    assert read.ratings[["user_id", "item_id", "rating"]].to_numpy().tolist() == [[1, 1, 1], [1, 2, 2], [2, 2, 1]]


def test_a_missing_column_of_interactions_is_named(tmp_path):
    (tmp_path / "own.csv").write_bytes(as_csv(RATINGS))
    expected = r"where: user_id, plays; found: who, what, .*; expected: user_id, what, plays; what to do: name them"
    with pytest.raises(DataError, match=expected):
        load(tmp_path / "own.csv", item_column="what", rating_column="", count_column="plays")


def test_a_file_without_ratings_is_refused_with_the_setting_that_reads_interactions(tmp_path):
    (tmp_path / "own.csv").write_bytes(as_csv(RATINGS.drop(columns="stars")))
    with pytest.raises(DataError, match="of interactions without stars, --ratings-source.rating-column is ''"):
        load(tmp_path / "own.csv", **COLUMNS)


def test_a_movielens_set_holds_no_interactions(tmp_path):
    with pytest.raises(DataError, match="a MovieLens set has ratings; where: .*ml; .*--ratings.likes-from"):
        load(write_folder(tmp_path / "ml", layout_csv()), rating_column="")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"rating_column": ""}, "a MovieLens set has ratings, which --ratings.likes-from turns into likes"),
        ({"path": "own.csv", "count_column": "plays"}, "ratings have no counts: for interactions"),
    ],
)
def test_settings_of_interactions_that_contradict_one_another_are_refused(settings, expected):
    with pytest.raises(ValidationError, match=expected):
        RatingsSource(**settings)
