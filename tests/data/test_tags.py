from collections import Counter

import pandas as pd
import pytest

from latentflix.data.movielens import read_movielens
from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.data.tags import count_taggers, genome_by_item, has_tags, parse_csv, read_tag_files, tags_by_item
from latentflix.errors import DataError
from tests.support.files import write_folder, write_zip
from tests.support.movielens_files import layout_csv, layout_dat

COLUMNS = {"userId": "user_id", "movieId": "item_id", "tag": "tag"}
# Tags that a careless reader would cut, join or lose.
NASTY = ["a, b", 'the "best" one', "two\nlines", "null", "NA", "ends; here", "tab\there", "Ünïcode", "007"]


def quote(tag, separator=","):
    return '"' + tag.replace('"', '""') + '"' if set(tag) & {separator, '"', "\n", ",", ";"} else tag


def csv_of(tags, separator=","):
    rows = [f"{user}{separator}10{separator}{quote(tag, separator)}{separator}99" for user, tag in enumerate(tags, 1)]
    return "\n".join([separator.join(["userId", "movieId", "tag", "timestamp"]), *rows, ""])


def read(tmp_path, **files):
    names = {
        name.replace("_", "-").replace("-csv", ".csv").replace("-dat", ".dat"): text for name, text in files.items()
    }
    write_folder(tmp_path, {name: text.encode() for name, text in names.items()})
    return read_tag_files(tmp_path)


def left_out(tables):
    return tables["tags_left_out"].set_index("reason")["rows"].to_dict()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_csv_file_of_any_separator_gives_every_tag_as_it_was_typed(separator, newline):
    text = csv_of(NASTY, separator).replace("\n", newline) if newline == "\r\n" else csv_of(NASTY, separator)
    counted = Counter()
    table = parse_csv(text, "tags.csv", COLUMNS, counted)
    tags = [tag.replace("\r\n", "\n") for tag in table["tag"]]
    assert tags == NASTY
    assert table["user_id"].tolist() == [str(user) for user in range(1, len(NASTY) + 1)]
    assert not counted


def test_a_dat_file_gives_tags_with_colons_quotes_and_line_breaks(tmp_path):
    tags = ["a::b", "a:b", '"', "3::4", "two\nlines", "", "ends::7"]
    rows = [f"{user}::10::{tag}::1234" for user, tag in enumerate(tags, 1)]
    tables = read(tmp_path, tags_dat="\n".join([*rows, "8::11::cut sho", "9::11::whole::5", ""]))
    of_first = tables["tags"][tables["tags"]["item_id"] == 10]
    assert sorted(of_first["tag"]) == sorted(["a::b", "a:b", '"', "3::4", "two lines", "ends::7"])
    assert tables["tags"].query("item_id == 11")["tag"].tolist() == ["whole"]
    assert left_out(tables) == {"rows of tags that are not user::item::tag::time": 1, "rows without a tag": 1}


def test_a_tag_counts_once_for_each_user_however_it_is_written():
    given = pd.DataFrame(
        [
            *[("1", "10", " Twist  Ending"), ("1", "10", "twist ending"), ("2", "10", "TWIST\tENDING")],
            *[("2", "10", "dull"), ("3", "11", " "), ("4", "x", "dull"), ("5", "11", "dull")],
        ],
        columns=["user_id", "item_id", "tag"],
    )
    counted = Counter()
    table = count_taggers(given, counted)
    assert list(table.itertuples(index=False, name=None)) == [
        (10, "dull", 1, 2, 2),
        (10, "twist ending", 2, 2, 2),
        (11, "dull", 1, 1, 2),
    ]
    assert table.dtypes.astype(str).tolist() == ["int32", "str", "int32", "int32", "int32"]
    assert counted == {"rows without a tag": 1, "tags of an item whose id is not a number": 1}


def test_without_users_each_row_is_a_user_of_its_own():
    table = count_taggers(pd.DataFrame({"item_id": ["b", "b", "a"], "tag": ["x", "x", "x"]}), Counter(), named=True)
    assert list(table.itertuples(index=False, name=None)) == [("a", "x", 1, 1, 3), ("b", "x", 2, 2, 3)]


def test_rows_of_another_length_are_counted_and_a_quote_that_is_never_closed_is_an_error(tmp_path):
    tables = read(tmp_path, tags_csv="userId,movieId,tag,timestamp\n1,10,good,9\n1,10\n1,10,a,b,9\n")
    assert tables["tags"]["tag"].tolist() == ["good"]
    assert left_out(tables) == {"lines of tags with more or fewer fields than the first line": 2}
    with pytest.raises(
        DataError, match=r"^tags cannot be read; where: .*tags.csv, line 3; found: a quote is not closed"
    ):
        read(tmp_path, tags_csv='userId,movieId,tag,timestamp\n1,10,fine,9\n1,10,"good,9\n1,10,bad,9\n')
    with pytest.raises(DataError, match=r"columns are missing from .*tags.csv; where: movieId, tag"):
        read(tmp_path, tags_csv="a,b\n1,2\n")


GENOME = {
    "genome_tags_csv": 'tagId,tag\n1,"Dark, Gritty"\n2,space\n',
    "genome_scores_csv": "movieId,tagId,relevance\n20,1,0.25\n10,1,0.5\n10,2,1\n",
}


def test_the_genome_is_a_table_of_items_and_tags(tmp_path):
    genome = read(tmp_path, **GENOME)["genome"]
    assert genome.columns.tolist() == ["dark, gritty", "space"]
    assert genome.index.tolist() == [10, 20]
    assert genome.to_numpy().tolist() == [[0.5, 1], [0.25, 0]]
    assert genome.dtypes.eq("float32").all()


def test_a_genome_without_names_of_its_tags_is_left_out_and_said(tmp_path):
    tables = read(tmp_path, genome_scores_csv=GENOME["genome_scores_csv"])
    assert list(tables) == ["tags_left_out"]
    assert "genome-tags.csv" in tables["tags_left_out"]["reason"].item()
    scores = GENOME["genome_scores_csv"] + "10,3,0.5\n"
    found = read(tmp_path, genome_tags_csv=GENOME["genome_tags_csv"], genome_scores_csv=scores)
    assert found["genome"].shape == (2, 2)
    assert left_out(found) == {"scores of the tag genome for a tag without a name of its own": 1}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "10,2,1.5",
            r"a relevance of the tag genome is out of bounds; where: .*row 3 .*found: 1.5; expected: .*0 to 1",
        ),
        ("10,2,", "a relevance of the tag genome is out of bounds; .*found: nan"),
        ("10,2,high", "the tag genome cannot be read; where: .*genome-scores.csv or genome-tags.csv; found: .*high"),
        ("10,x,0.5", "the tag genome cannot be read"),
    ],
)
def test_a_genome_that_is_no_genome_is_one_clear_error(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, **GENOME | {"genome_scores_csv": f"{GENOME['genome_scores_csv']}{row}\n"})


def test_a_movielens_set_brings_its_tags_from_a_folder_or_a_zip(tmp_path):
    files = layout_csv() | {"tags.csv": csv_of(NASTY).encode()}
    tables = read_movielens(write_zip(tmp_path / "ml.zip", files, inner="ml-25m/"))
    assert len(tables["tags"]) == len(NASTY)
    assert list(tables["tags_left_out"].columns) == ["reason", "rows"]
    tables = read_movielens(write_zip(tmp_path / "old.zip", layout_dat("utf-8") | {"tags.dat": b"1::10::x::9\n"}))
    assert tables["tags"]["tag"].tolist() == ["x"]
    assert "tags" not in read_movielens(write_zip(tmp_path / "none.zip", layout_dat("utf-8")))


def test_items_that_are_merged_have_the_tags_of_all():
    items = pd.DataFrame({"item_id": [5, 7, 9], "title": ["A (1990)", "A (1990)", "B (1991)"], "genres": ""})
    ratings = pd.DataFrame({"user_id": [1, 2, 1], "item_id": [5, 7, 9], "rating": [1.0, 2, 3], "timestamp": 0})
    item_ids = read_ratings(ratings, items, RatingsConfig()).item_ids
    tags = pd.DataFrame(
        [(5, "x", 2, 3, 5), (7, "x", 1, 1, 5), (7, "y", 1, 1, 1), (9, "x", 1, 4, 5), (99, "x", 1, 1, 5)],
        columns=["item_id", "tag", "users", "taggers", "givers"],
    )
    merged = tags_by_item(tags, item_ids)
    assert list(merged.itertuples(index=False, name=None)) == [
        (5, "x", 3, 4, 5),
        (5, "y", 1, 4, 1),
        (9, "x", 1, 4, 5),
    ]
    genome = pd.DataFrame({"x": [0.2, 0.4, 1, 1]}, pd.Index([5, 7, 9, 99], name="item_id"))
    assert genome_by_item(genome, item_ids)["x"].to_dict() == pytest.approx({5: 0.3, 9: 1})


def test_tags_of_items_with_names_follow_their_numbers():
    items = pd.DataFrame({"item_id": pd.Categorical(["b", "a"]), "title": ["B", "A"], "genres": ""})
    ratings = pd.DataFrame(
        {"user_id": [1, 2], "item_id": pd.Categorical(["b", "a"]), "rating": [1.0, 2], "timestamp": 0}
    )
    checked = read_ratings(ratings, items, RatingsConfig())
    tags = pd.DataFrame({"item_id": ["b"], "tag": ["x"], "users": [1], "taggers": [1], "givers": [1]})
    assert checked.items.loc[tags_by_item(tags, checked.item_ids)["item_id"], "title"].tolist() == ["B"]


@pytest.mark.parametrize(
    ("rows", "has"), [({}, False), ({"tags_rows": 0}, False), ({"tags_rows": 2}, True), ({"genome_rows": 1}, True)]
)
def test_a_source_has_tags_if_a_table_of_them_has_rows(rows, has):
    assert has_tags(rows) == has
