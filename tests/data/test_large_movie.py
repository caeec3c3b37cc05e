import pandas as pd
import pytest

from latentflix.data import large_movie
from latentflix.data.large_movie import film_urls, imdb_id, read_large_movie, review_counts, review_files, review_links
from latentflix.errors import DataError
from tests.support.files import large_movie_files, write_folder, write_tar

FILES = {
    "README": b"read me",
    "train/labeledBow.feat": b"1 0:1",
    "train/urls_pos.txt": b"http://www.imdb.com/title/tt0000010/usercomments\nhttp://\xff\n",
    "train/pos/1_10.txt": b"better",
    "train/pos/0_9.txt": b"good",
    "train/neg/own.txt": b"bad",
    "train/unsup/12.txt": b"so so",
    "test/neg/0_2.txt": b"dull",
}


@pytest.fixture(params=["folder", "folder above", "archive"])
def copy(request, tmp_path):
    if request.param == "archive":
        return write_tar(tmp_path / "aclImdb_v1.tar.gz", FILES)
    folder = write_folder(tmp_path / "aclImdb", FILES)
    return folder if request.param == "folder" else tmp_path


def test_every_review_has_the_split_label_number_and_stars_of_its_name(copy):
    found = [(file.name, file.split, file.label, file.number, file.stars, file.read()) for file in review_files(copy)]
    expected = [
        ("train/pos/0_9.txt", "train", "pos", 0, 9, b"good"),
        ("train/pos/1_10.txt", "train", "pos", 1, 10, b"better"),
        ("train/neg/own.txt", "train", "neg", None, None, b"bad"),
        ("train/unsup/12.txt", "train", "unsup", 12, None, b"so so"),
        ("test/neg/0_2.txt", "test", "neg", 0, 2, b"dull"),
    ]
    assert (found if copy.is_dir() else sorted(found)) == (expected if copy.is_dir() else sorted(expected))


def test_lists_name_the_film_of_each_review(copy):
    assert {place: [imdb_id(url) for url in urls] for place, urls in film_urls(copy).items()} == {
        ("train", "pos"): ["tt0000010", None]
    }


def test_an_archive_is_read_in_its_own_order(tmp_path):
    path = write_tar(
        tmp_path / "own.tar", {f"{name}.txt": b"" for name in ("train/neg/3_1", "test/pos/0_9", "train/neg/1_1")}
    )
    assert [file.number for file in review_files(path)] == [3, 0, 1]


WHOLE = large_movie_files(
    {
        ("train", "pos"): [("a joy é", "tt0116282", 9), ("fine<br />", "tt0113277", 8)],
        ("train", "unsup"): [("who knows", "tt0116282", 0)],
        ("test", "neg"): [("dull", "tt0113277", 2)],
    }
)
SIZES = {("train", "pos"): 2, ("train", "unsup"): 1, ("test", "neg"): 1}


@pytest.fixture
def small(monkeypatch):
    """A data set of few reviews is the whole one."""
    monkeypatch.setattr(large_movie, "SIZES", SIZES)


@pytest.mark.usefixtures("small")
def test_the_folder_and_the_archive_give_the_same_reviews(tmp_path):
    tables = [
        read_large_movie(path)["reviews"]
        for path in (write_tar(tmp_path / "aclImdb_v1.tar.gz", WHOLE), write_folder(tmp_path / "aclImdb", WHOLE))
    ]
    pd.testing.assert_frame_equal(*tables)
    expected = {
        "name": ["test/neg/0_2", "train/pos/0_9", "train/pos/1_8", "train/unsup/0_0"],
        "tconst": ["tt0113277", "tt0116282", "tt0113277", "tt0116282"],
        "stars": pd.array([2, 9, 8, None], dtype="Int8"),
        "text": ["dull", "a joy é", "fine<br />", "who knows"],
    }
    pd.testing.assert_frame_equal(tables[0], pd.DataFrame(expected), check_dtype=False)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train/pos/0_9.txt", b"\xff\xfe", r"a review is not UTF-8; where: .*aclImdb: train/pos/0_9\.txt"),
        (
            "train/pos/0_9.txt",
            None,
            r"does not fit the reviews; .*found: train/urls_pos\.txt has 2 lines; expected: 1,",
        ),
        ("train/urls_pos.txt", b"tt0116282\n" * 3, r"found: train/urls_pos\.txt has 3 lines; expected: 2, as many as"),
        ("train/urls_pos.txt", b"tt0116282\n", r"found: train/urls_pos\.txt has 1 lines; expected: more than 1: train"),
        ("test/urls_neg.txt", None, r"found: test/urls_neg\.txt has 0 lines; expected: more than 0: test/neg/0_2"),
    ],
)
def test_a_copy_with_a_wrong_file_is_refused_and_the_file_is_named(tmp_path, name, content, message):
    files = {key: value for key, value in {**WHOLE, name: content}.items() if value is not None}
    with pytest.raises(DataError, match=message):
        read_large_movie(write_folder(tmp_path / "aclImdb", files))


def test_another_edition_is_refused_with_the_number_of_its_reviews(tmp_path):
    with pytest.raises(
        DataError, match=r"another edition; .*found: 2 in train/pos, 0 in .*expected: 12,500 in train/pos"
    ):
        read_large_movie(write_folder(tmp_path / "aclImdb", WHOLE))


@pytest.mark.usefixtures("small")
def test_an_archive_that_was_cut_short_is_refused(tmp_path):
    path = write_tar(tmp_path / "aclImdb_v1.tar.gz", WHOLE)
    content = path.read_bytes()
    for length in range(0, len(content) * 3 // 4, len(content) // 20):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cannot be read|does not fit|does not say|another edition"):
            read_large_movie(path)


def test_the_counts_of_the_whole_data_set_cover_the_titles_of_its_training_half():
    counts = review_counts()
    assert len(counts) == 13_816
    assert counts.sum() == 97_609
    assert (counts.min(), counts.max()) == (1, 30)
    assert review_links()["tconst"].isin(counts.index).mean() > 0.98
