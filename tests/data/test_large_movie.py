import pytest

from latentflix.data.large_movie import film_urls, imdb_id, review_files
from tests.support.files import write_folder, write_tar

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
