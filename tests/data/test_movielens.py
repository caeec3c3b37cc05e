import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentflix.data.movielens import GENRES, items_of_flags, ml100k_imdb_ids, read_movielens
from latentflix.data.ratings_file import RatingsSource, load_ratings_source, with_fingerprint
from latentflix.errors import DataError
from tests.support.files import write_folder, write_zip
from tests.support.hostile_files import HOSTILE, assert_linear, hostile_bytes, read_or_refuse
from tests.support.movielens_files import LAYOUTS, RATINGS, TITLES, genre_flags, layout_100k, layout_csv, layout_dat

TYPES = {"user_id": "int32", "item_id": "int32", "rating": "float32", "timestamp": "int64"}
# How the files may be packed, and where in it they are.
PACKINGS = {"folder": "", "folder above": "ml-10M100K/", "zip with a folder": "ml-25m/", "zip": ""}


def pack(tmp_path, files, packing="folder"):
    if packing.startswith("zip"):
        return write_zip(tmp_path / "ml.zip", files, inner=PACKINGS[packing])
    write_folder(tmp_path / "ml" / PACKINGS[packing], files)
    return tmp_path / "ml"


def zipped_set():
    file = io.BytesIO()
    write_zip(file, layout_csv())
    return file.getvalue()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_every_layout_gives_the_same_tables(tmp_path, layout, packing):
    tables = read_movielens(pack(tmp_path, LAYOUTS[layout], packing))
    # Without official splits there is no column of folds.
    assert tables["ratings"].dtypes.astype(str).to_dict() == TYPES
    assert list(tables["ratings"].itertuples(index=False, name=None)) == RATINGS
    items = tables["items"]
    assert items["item_id"].dtype == "int32"
    assert list(items["item_id"]) == [10, 20, 30]
    assert list(items["title"]) == TITLES
    assert list(items["genres"]) == ["Drama|Musical", "Action|Sci-Fi", "unknown" if layout == "100K" else ""]
    assert ("tconst" in items) == (layout == "20M and later")


def test_links_name_the_imdb_title_of_an_item_and_without_them_none_is_known(tmp_path):
    folder = pack(tmp_path, layout_csv())
    tconst = read_movielens(folder)["items"]["tconst"]
    assert tconst.fillna("missing").tolist() == ["tt0113828", "tt12345678", "missing"]
    (folder / "links.csv").unlink()
    assert list(read_movielens(folder)["items"]) == ["item_id", "title", "genres"]


@pytest.mark.parametrize("layout", [lambda rows: layout_dat("utf-8", rows), layout_csv], ids=["dat", "csv"])
@pytest.mark.parametrize(("rating", "lowest"), [(3.0, 1.0), (3.5, 0.5)])
def test_the_scale_begins_at_half_a_star_if_there_are_half_stars(tmp_path, layout, rating, lowest):
    tables = read_movielens(pack(tmp_path, layout([*RATINGS, (3, 10, rating, 1_100_000_000)])))
    assert tables["scale"].to_dict("list") == {"lowest": [lowest], "highest": [5.0]}
    assert tables["ratings"]["rating"].iloc[-1] == rating


def test_official_splits_are_marked_with_their_number(tmp_path):
    tests = {"u1.test": b"2\t30\t1\t880606923\n", "u2.test": b"1\t10\t3\t881250949\n2\t10\t5\t878887116\n"}
    bases = {"u1.base": b"1\t10\t3\t881250949\n", "ua.test": b"1\t20\t4\t891717742\n"}
    ratings = read_movielens(pack(tmp_path, layout_100k() | tests | bases))["ratings"]
    assert ratings["official_fold"].dtype == "int8"
    assert list(ratings["official_fold"]) == [2, 0, 2, 1]
    assert list(ratings[list(TYPES)].itertuples(index=False, name=None)) == RATINGS


@pytest.mark.parametrize(
    ("tests", "found"),
    [
        ({"u1.test": b"2\t99\t1\t880606923\n"}, "1 rows, 0 of them among the ratings"),
        ({"u1.test": b"1\t10\t3\t881250949\n", "u5.test": b"1\t10\t3\t881250949\n"}, "2 rows, 1 of them"),
    ],
    ids=["an unknown rating", "a rating in two splits"],
)
def test_official_splits_that_do_not_fit_are_refused(tmp_path, tests, found):
    with pytest.raises(DataError, match=rf"the official splits do not fit the ratings; where: .*; found: {found}"):
        read_movielens(pack(tmp_path, layout_100k() | tests))


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_unknown_layout_is_refused_with_the_files_that_are_there(tmp_path, packing):
    with pytest.raises(DataError) as caught:
        read_movielens(pack(tmp_path, {"ratings.json": b"[]", "movies.csv": b"movieId\n"}, packing))
    message, inner = str(caught.value), PACKINGS[packing]
    assert message.startswith("ratings are in no form that is known; where: ")
    assert f"found: {inner}movies.csv, {inner}ratings.json; " in message
    for expected in ("u.data and u.item", "ratings.dat and movies.dat", "ratings.csv and movies.csv"):
        assert expected in message.partition("expected: ")[2]


@pytest.mark.parametrize(("n_files", "found"), [(20, r"00\.txt, .*, 11\.txt, and 8 more"), (0, "no file")])
def test_only_some_of_many_files_are_named(tmp_path, n_files, found):
    with pytest.raises(DataError, match=rf"found: {found}; expected: u\.data and u\.item"):
        read_movielens(pack(tmp_path, {f"{number:02d}.txt": b"" for number in range(n_files)}))


def test_a_missing_genre_flag_is_not_set():
    table = pd.DataFrame([[7, "Emma (1996)", *genre_flags("Drama", "Romance")]], columns=["item_id", "title", *GENRES])
    table = table.astype(dict.fromkeys(GENRES, "float64"))
    table.loc[0, ["Drama", "War"]] = np.nan
    assert items_of_flags(table).to_dict("list") == {"item_id": [7], "title": ["Emma (1996)"], "genres": ["Romance"]}


def test_movielens_100k_is_linked_by_the_table_of_the_package(movielens_tables):
    table = ml100k_imdb_ids()
    assert table.dtypes.astype(str).to_dict() == {"item_id": "int64", "tconst": "str", "matched_by": "str"}
    assert len(table) == 1349
    assert table["item_id"].is_unique
    assert table["item_id"].between(1, 1682).all()
    assert table["tconst"].str.fullmatch(r"tt\d{7}").all()
    items = movielens_tables["items"].set_index("item_id")
    assert items["tconst"].notna().sum() == len(table)
    # IMDb's own numbers of Toy Story and Star Wars.
    assert (items.loc[1, "tconst"], items.loc[50, "tconst"]) == ("tt0114709", "tt0076759")


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(HOSTILE, max_examples=60)
@given(data=st.data())
def test_whatever_a_set_holds_it_is_read_or_refused(tmp_path, layout, data):
    tags = {"tags.csv": b'userId,movieId,tag,timestamp\n1,10,"a, b",9\n'}
    tags |= {"genome-scores.csv": b"movieId,tagId,relevance\n10,1,0.5\n", "genome-tags.csv": b"tagId,tag\n1,a\n"}
    files = LAYOUTS[layout] | {"dat": {"tags.dat": b"1::10::a::9\n"}}.get(layout, tags)
    name = data.draw(st.sampled_from(sorted(files)))
    folder = write_folder(tmp_path, files | {name: data.draw(hostile_bytes(files[name]))})
    read_or_refuse(lambda: load_ratings_source(with_fingerprint(RatingsSource(path=folder))))


@settings(HOSTILE, max_examples=60)
@given(content=hostile_bytes(zipped_set()))
def test_whatever_a_zip_holds_it_is_read_or_refused(tmp_path, content):
    (tmp_path / "ml.zip").write_bytes(content)
    read_or_refuse(lambda: load_ratings_source(with_fingerprint(RatingsSource(path=tmp_path / "ml.zip"))))


def test_an_open_quote_does_not_swallow_films(tmp_path):
    files = layout_csv() | {"movies.csv": b'movieId,title,genres\n10,"Open,Drama\n20,"Two, The",Drama\n30,x,Drama\n'}
    with pytest.raises(DataError, match="a quote is not closed; where: .*movies.csv, line 2"):
        read_movielens(pack(tmp_path, files))


def test_splits_with_repeated_rows_take_no_longer_than_linear(tmp_path):
    def read(size):
        files = layout_100k() | dict.fromkeys(("u.data", "u1.test"), b"1\t10\t3\t881250949\n" * size)
        read_movielens(pack(tmp_path, files))

    assert_linear(read, (2_000, 16_000))
