import hashlib
import re
from dataclasses import replace

import pandas as pd
import pytest

from latentflix.data.datasets import DATA_SETS, DataSetConfig, load_data_set
from latentflix.data.movielens import GENRE_SEPARATOR
from latentflix.errors import DataError
from tests.support.files import large_movie_files, write_folder, write_tar, write_zip
from tests.support.movielens_files import LAYOUTS, genre_flags, layout_csv


@pytest.fixture
def load_own(monkeypatch, tmp_path):
    """Load a data set from a file in the user's folder whose hash is taken for the right one."""

    def load(name, place=0):
        file = DATA_SETS[name].files[place]
        known_hash = f"sha256:{hashlib.sha256((tmp_path / file.name).read_bytes()).hexdigest()}"
        monkeypatch.setitem(DATA_SETS, name, replace(DATA_SETS[name], files=(replace(file, known_hash=known_hash),)))
        return load_data_set(DataSetConfig(name=name, data_dir=tmp_path))

    return load


def test_movielens_has_its_hundred_thousand_ratings_and_its_items(movielens_tables):
    ratings, items = movielens_tables["ratings"], movielens_tables["items"]
    assert list(ratings.columns) == ["user_id", "item_id", "rating", "timestamp"]
    assert ratings.shape == (100_000, 4)
    assert ratings[["user_id", "item_id"]].nunique().tolist() == [943, 1682]
    assert ratings["rating"].value_counts().to_dict() == {4: 34174, 3: 27145, 5: 21201, 2: 11370, 1: 6110}
    assert list(items.columns) == ["item_id", "title", "genres", "tconst"]
    assert list(items["item_id"]) == list(range(1, 1683))
    assert items.loc[0, ["title", "genres"]].tolist() == ["Toy Story (1995)", "Animation|Children's|Comedy"]
    assert items["title"].str.contains("Misérables, Les").sum() == 1


def test_reviews_are_the_labelled_training_half(imdb_reviews):
    assert list(imdb_reviews.columns) == ["text", "positive"]
    assert imdb_reviews.shape == (25_000, 2)
    assert imdb_reviews["positive"].value_counts().to_dict() == {0: 12_500, 1: 12_500}
    assert imdb_reviews["text"].str.len().min() >= 30


def test_the_plots_are_5000_films_with_their_genres():
    plots = load_data_set(DataSetConfig(name="film_plots"))["plots"]
    assert plots["plot_id"].tolist() == list(range(5000))
    assert plots.loc[2, ["title", "genres"]].tolist() == ["A Woman in Flames", '"Drama"']
    assert plots["plot"].str.len().min() > 80


def test_every_data_set_has_a_licence_a_home_and_files_of_its_own_with_their_hash():
    files = [file for data_set in DATA_SETS.values() for file in data_set.files]
    assert all(data_set.licence and data_set.home.startswith("https://") for data_set in DATA_SETS.values())
    assert all(re.fullmatch("md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.known_hash) for file in files)
    # Two sets of reviews share an archive, and so do MovieLens 20M and its items.
    assert len({file.known_hash for file in files}) == len(files) - 2 == len(DATA_SETS)
    for name in (name for name in DATA_SETS if name.startswith("movielens")):
        file = DATA_SETS[name].files[0]
        assert file.url == f"https://files.grouplens.org/datasets/movielens/{file.name}"
        assert file.name == f"{name.removesuffix('_items').replace('movielens_', 'ml-').replace('_', '-')}.zip"


@pytest.mark.parametrize(
    ("name", "layout"),
    [("movielens_1m", "1M"), ("movielens_10m", "10M")]
    + [(f"movielens_{name}", "20M and later") for name in ("20m", "25m", "32m", "latest_small")],
)
def test_a_movielens_set_of_any_size_is_read_from_the_users_folder(load_own, tmp_path, name, layout):
    file = DATA_SETS[name].files[0]
    path = write_zip(tmp_path / file.name, LAYOUTS[layout])
    with pytest.raises(DataError, match=f"where: {path}; found: md5 .*; expected: {file.known_hash[:3]} "):
        load_data_set(DataSetConfig(name=name, data_dir=tmp_path))
    tables = load_own(name)
    assert list(tables["ratings"]["item_id"]) == [10, 20, 10, 30]
    assert tables["items"]["title"].iloc[0] == "Misérables, Les (1995)"
    tags = {"tags", "tags_left_out"} if layout == "20M and later" else set()
    assert set(tables) == {"ratings", "items", "scale"} | tags


def test_the_original_movielens_archive_gives_the_same_tables(load_own, tmp_path, movielens_tables):
    ratings = movielens_tables["ratings"].astype({"rating": int}).itertuples(index=False)
    lines = {
        "u.data": ["\t".join(map(str, row)) for row in ratings],
        "u.item": [
            "|".join(
                [str(item.item_id), item.title, "01-Jan-1995", "", ""]
                + [str(flag) for flag in genre_flags(*item.genres.split(GENRE_SEPARATOR))]
            )
            for item in movielens_tables["items"].itertuples()
        ],
    }
    files = {name: "\n".join([*rows, ""]).encode("latin-1") for name, rows in lines.items()}
    write_zip(tmp_path / "ml-100k.zip", files, inner="ml-100k/")
    tables = load_own("movielens_100k")
    for name in ("ratings", "items", "scale"):
        pd.testing.assert_frame_equal(tables[name], movielens_tables[name])


def test_the_original_review_archive_gives_the_same_table(load_own, tmp_path, imdb_reviews):
    some = imdb_reviews.groupby("positive").head(25).reset_index(drop=True)
    files = {"README": b"read me", "test/pos/0_10.txt": b"of the other half"}
    for row in some.itertuples():
        files[f"train/{'pos' if row.positive else 'neg'}/{row.Index}_5.txt"] = row.text.encode()
    files |= {"train/unsup/0_0.txt": b"without a label", "train/pos.feat": b"1:2"}
    write_tar(tmp_path / "aclImdb_v1.tar.gz", files)
    pd.testing.assert_frame_equal(load_own("imdb_reviews")["reviews"], some)


def test_all_reviews_are_read_from_the_folder_that_the_archive_unpacks_to(tmp_path):
    write_folder(tmp_path / "aclImdb", large_movie_files({("train", "pos"): [("good", "tt0116282", 9)]}))
    with pytest.raises(DataError, match=r"not the whole data set.*found: 1 in train/pos"):
        load_data_set(DataSetConfig(name="large_movie_reviews", data_dir=tmp_path))


def test_archives_without_the_expected_files_are_refused(load_own, tmp_path):
    write_zip(tmp_path / "ml-100k.zip", {"README": b"no data"}, inner="ml-100k/")
    with pytest.raises(DataError, match=r"ml-100k\.zip.*; found: ml-100k/README; expected: u\.data and u\.item"):
        load_own("movielens_100k")
    write_tar(tmp_path / "aclImdb_v1.tar.gz", {"test/pos/0_10.txt": b"of the other half"})
    with pytest.raises(DataError, match=r"found: .*aclImdb/train/\{neg,pos\}"):
        load_own("imdb_reviews")


@pytest.mark.parametrize("name", ["movielens_100k", "imdb_reviews"])
@pytest.mark.parametrize("place", [0, 1], ids=["original", "wheel"])
def test_a_file_that_is_not_an_archive_is_refused(load_own, tmp_path, name, place):
    file = DATA_SETS[name].files[place].name
    (tmp_path / file).write_bytes(b"<html>Not what you asked for</html>" * 100)
    with pytest.raises(DataError, match=rf"an archive does not hold what it should; where: .*{file}"):
        load_own(name, place)


@pytest.mark.parametrize(
    ("member", "content", "found"),
    [
        ("ratings.csv", b"user,movieId,rating,timestamp\n1,10,3,0\n", "userId"),
        ("ratings.csv", b"userId,movieId,rating,timestamp\n1,10,three,0\n", "three"),
        ("ratings.csv", b"userId,movieId,rating,timestamp\n1,99999999999999999999,3,0\n", "."),
        ("movies.csv", b"movieId,title\n10,Emma\n", "genres"),
        ("movies.csv", b"movieId,title,genres\nten,Emma,Drama\n", "ten"),
        ("links.csv", b"movieId,tmdbId\n10,1\n", "imdbId"),
    ],
)
def test_a_movielens_table_that_cannot_be_used_is_refused(load_own, tmp_path, member, content, found):
    write_zip(tmp_path / "ml-25m.zip", layout_csv() | {member: content})
    with pytest.raises(DataError, match=rf"does not hold what it should; where: .*ml-25m\.zip; found: .*{found}"):
        load_own("movielens_25m")
