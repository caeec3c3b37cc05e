import tarfile

import pytest

from latentflix.data.large_movie import film_urls, imdb_id, review_files

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
    folder = tmp_path / "aclImdb"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if request.param == "archive":
        with tarfile.open(tmp_path / "aclImdb_v1.tar.gz", "w:gz") as archive:
            archive.add(folder, "aclImdb")
        return tmp_path / "aclImdb_v1.tar.gz"
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
    with tarfile.open(tmp_path / "own.tar", "w") as archive:
        for name in ("aclImdb/train/neg/3_1.txt", "aclImdb/test/pos/0_9.txt", "aclImdb/train/neg/1_1.txt"):
            archive.addfile(tarfile.TarInfo(name))
    assert [file.number for file in review_files(tmp_path / "own.tar")] == [3, 0, 1]
