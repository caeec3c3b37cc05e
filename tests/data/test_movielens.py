import zipfile

import numpy as np
import pandas as pd
import pytest

from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.movielens import GENRES, film_links, items_of_flags, read_movielens
from latentflix.errors import DataError

RATINGS = [(1, 10, 3.0, 881250949), (1, 20, 4.0, 891717742), (2, 10, 5.0, 878887116), (2, 30, 1.0, 880606923)]
TITLES = ["Misérables, Les (1995)", "Star Wars: Episode IV - A New Hope (1977)", "unknown"]
TYPES = {"user_id": "int32", "item_id": "int32", "rating": "float32", "timestamp": "int64"}


def flags(*genres):
    return [int(genre in genres) for genre in GENRES]


def lines(rows, separator, header=()):
    return "".join(separator.join(map(str, row)) + "\n" for row in [*([header] if header else []), *rows])


def quoted(title):
    return f'"{title}"' if "," in title else title


def form_100k(ratings=RATINGS):
    genres = (["Drama", "Musical"], ["Action", "Sci-Fi"], ["unknown"])
    items = [
        (item_id, title, "01-Jan-1995", "", "http://us.imdb.com/", *flags(*names))
        for item_id, title, names in zip((10, 20, 30), TITLES, genres, strict=True)
    ]
    whole = [(user, movie, int(rating), time) for user, movie, rating, time in ratings]
    return {
        "u.data": lines(whole, "\t").encode(),
        "u.item": lines(items, "|").encode("latin-1"),
        "u.genre": b"unknown|0\nAction|1\n",
        "README": b"SUMMARY & USAGE LICENSE",
    }


def form_dat(encoding, ratings=RATINGS):
    genres = ("Drama|Musical", "Action|Sci-Fi", "(no genres listed)")
    short = [(user, movie, f"{rating:g}", time) for user, movie, rating, time in ratings]
    return {
        "ratings.dat": lines(short, "::").encode(),
        "movies.dat": lines(zip((10, 20, 30), TITLES, genres, strict=True), "::").encode(encoding),
        "README": b"SUMMARY",
    }


def form_csv(ratings=RATINGS):
    genres = ("Drama|Musical", "Action|Sci-Fi", "(no genres listed)")
    items = zip((10, 20, 30), map(quoted, TITLES), genres, strict=True)
    return {
        "ratings.csv": lines(ratings, ",", ("userId", "movieId", "rating", "timestamp")).encode(),
        "movies.csv": lines(items, ",", ("movieId", "title", "genres")).encode(),
        "links.csv": b"movieId,imdbId,tmdbId\n10,0113828,4415\n20,12345678,11\n30,,\n",
        "tags.csv": b"userId,movieId,tag,timestamp\n",
    }


FILE_LAYOUTS = {
    "100K": form_100k(),
    "1M": form_dat("latin-1"),
    "10M": form_dat("utf-8"),
    "20M and later": form_csv(),
}


def write_folder(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_zip(path, files, inner="ml-25m/"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(inner + name, content)
    return path


def in_a_folder(tmp_path, files):
    return write_folder(tmp_path / "ml", files)


def in_a_folder_in_a_folder(tmp_path, files):
    return write_folder(tmp_path / "ml" / "ml-10M100K", files).parent


def in_a_folder_in_a_zip(tmp_path, files):
    return write_zip(tmp_path / "ml.zip", files)


def directly_in_a_zip(tmp_path, files):
    return write_zip(tmp_path / "ml.zip", files, inner="")


LAYOUTS = [in_a_folder, in_a_folder_in_a_folder, in_a_folder_in_a_zip, directly_in_a_zip]


@pytest.mark.parametrize("form", FILE_LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_form_gives_the_same_tables(tmp_path, form, layout):
    tables = read_movielens(layout(tmp_path, FILE_LAYOUTS[form]))
    assert tables["ratings"].dtypes.astype(str).to_dict() == TYPES
    assert list(tables["ratings"].itertuples(index=False, name=None)) == RATINGS
    items = tables["items"]
    assert items["item_id"].dtype == "int32"
    assert list(items["item_id"]) == [10, 20, 30]
    assert list(items["title"]) == TITLES
    assert list(items["genres"])[:2] == ["Drama|Musical", "Action|Sci-Fi"]
    assert list(items["genres"])[2] == ("unknown" if form == "100K" else "")
    assert ("tconst" in items) == (form == "20M and later")


def test_links_name_the_imdb_title_of_a_film(tmp_path):
    tconst = read_movielens(in_a_folder(tmp_path, form_csv()))["items"]["tconst"]
    assert list(tconst.iloc[:2]) == ["tt0113828", "tt12345678"]
    assert pd.isna(tconst.iloc[2])


def test_without_links_no_imdb_title_is_known(tmp_path):
    files = {name: content for name, content in form_csv().items() if name != "links.csv"}
    assert list(read_movielens(in_a_folder(tmp_path, files))["items"]) == ["item_id", "title", "genres"]


@pytest.mark.parametrize("form", [lambda rows: form_dat("utf-8", rows), form_csv], ids=["dat", "csv"])
@pytest.mark.parametrize(("rating", "lowest"), [(3.0, 1.0), (3.5, 0.5)])
def test_the_scale_begins_at_half_a_star_where_half_stars_are_given(tmp_path, form, rating, lowest):
    rows = [*RATINGS, (3, 10, rating, 1_100_000_000)]
    tables = read_movielens(in_a_folder(tmp_path, form(rows)))
    assert tables["scale"].to_dict("list") == {"lowest": [lowest], "highest": [5.0]}
    assert tables["ratings"]["rating"].iloc[-1] == rating


def test_official_splits_are_marked_with_their_number(tmp_path):
    tests = {"u1.test": b"2\t30\t1\t880606923\n", "u2.test": b"1\t10\t3\t881250949\n2\t10\t5\t878887116\n"}
    bases = {"u1.base": b"1\t10\t3\t881250949\n", "ua.test": b"1\t20\t4\t891717742\n"}
    ratings = read_movielens(in_a_folder(tmp_path, form_100k() | tests | bases))["ratings"]
    assert ratings["official_fold"].dtype == "int8"
    assert list(ratings["official_fold"]) == [2, 0, 2, 1]
    assert list(ratings[list(TYPES)].itertuples(index=False, name=None)) == RATINGS


@pytest.mark.parametrize("form", FILE_LAYOUTS)
def test_without_official_splits_there_is_no_column_of_folds(tmp_path, form):
    assert list(read_movielens(in_a_folder(tmp_path, FILE_LAYOUTS[form]))["ratings"]) == list(TYPES)


@pytest.mark.parametrize(
    ("tests", "found"),
    [
        ({"u1.test": b"2\t99\t1\t880606923\n"}, "1 rows, 0 of them among the ratings"),
        ({"u1.test": b"1\t10\t3\t881250949\n", "u5.test": b"1\t10\t3\t881250949\n"}, "2 rows, 2 of them"),
    ],
    ids=["of a rating that there is not", "twice of one rating"],
)
def test_official_splits_that_do_not_fit_are_told(tmp_path, tests, found):
    with pytest.raises(DataError, match=rf"the official splits do not fit the ratings; where: .*; found: {found}"):
        read_movielens(in_a_folder(tmp_path, form_100k() | tests))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_unknown_form_is_told_with_what_there_is(tmp_path, layout):
    with pytest.raises(DataError) as caught:
        read_movielens(layout(tmp_path, {"ratings.json": b"[]", "movies.csv": b"movieId\n"}))
    message = str(caught.value)
    assert message.startswith("ratings are in no form that is known; where: ")
    inner = {in_a_folder: "", directly_in_a_zip: "", in_a_folder_in_a_zip: "ml-25m/"}.get(layout, "ml-10M100K/")
    assert f"found: {inner}movies.csv, {inner}ratings.json; " in message
    for expected in ("u.data and u.item", "ratings.dat and movies.dat", "ratings.csv and movies.csv"):
        assert expected in message.partition("expected: ")[2]


def test_of_many_files_only_some_are_named(tmp_path):
    with pytest.raises(DataError, match=r"found: 00\.txt, .*, 11\.txt, and 8 more; expected"):
        read_movielens(in_a_folder(tmp_path, {f"{number:02d}.txt": b"" for number in range(20)}))


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(DataError, match=r"found: no file; expected: u\.data and u\.item"):
        read_movielens(tmp_path)


def test_a_genre_flag_that_is_missing_is_not_set():
    table = pd.DataFrame([[7, "Emma (1996)", *flags("Drama", "Romance")]], columns=["item_id", "title", *GENRES])
    table = table.astype(dict.fromkeys(GENRES, "float64"))
    table.loc[0, ["Drama", "War"]] = np.nan
    assert items_of_flags(table).to_dict("list") == {
        "item_id": [7],
        "title": ["Emma (1996)"],
        "genres": ["Romance"],
    }


def test_film_links_are_as_they_were_gathered():
    table = film_links()
    assert table.dtypes.astype(str).to_dict() == {"item_id": "int64", "tconst": "str", "matched_by": "str"}
    assert len(table) == 1349
    assert table["item_id"].is_unique
    assert table["item_id"].between(1, 1682).all()
    assert table["tconst"].str.fullmatch(r"tt\d{7}").all()


def test_the_items_of_movielens_100k_are_linked_by_the_package():
    items = load_data_set(DataSetConfig(name="movielens_100k"))["items"].set_index("item_id")
    assert items["tconst"].notna().sum() == len(film_links())
    # IMDb's own numbers of Toy Story and Star Wars.
    assert (items.loc[1, "tconst"], items.loc[50, "tconst"]) == ("tt0114709", "tt0076759")
