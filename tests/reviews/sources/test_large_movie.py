import pytest

from latentflix.errors import DataError
from latentflix.reviews.sources.large_movie import LargeMovieConfig, LargeMovieSource, read_films
from latentflix.reviews.sources.protocol import Availability, Film
from tests.support.files import large_movie_files, write_folder, write_tar

FARGO, HEAT, EMMA = (Film(title, year, tconst) for title, year, tconst in (
    ("Fargo", 1996, "tt0116282"), ("Heat", 1995, "tt0113277"), ("Emma", 1996, "tt0116191"),
))  # fmt: skip
# By half and label: the film and the stars of each review, in the order of their numbers.
SYNTHETIC = {
    ("train", "pos"): [(FARGO, 9), (HEAT, 8), (FARGO, 10)],
    ("train", "neg"): [(HEAT, 1), (FARGO, 3)],
    ("train", "unsup"): [(EMMA, 0), (FARGO, 0)],
    ("test", "pos"): [(HEAT, 7)],
    ("test", "neg"): [(FARGO, 2)],
}


FILES = {
    **large_movie_files(
        {
            (half, label): [
                (f"{film.title} {half} {label} {number} é<br />", film.tconst, stars)
                for number, (film, stars) in enumerate(reviews)
            ]
            for (half, label), reviews in SYNTHETIC.items()
        }
    ),
    "README": b"read me",
    "train/labeledBow.feat": b"1 0:1",
}


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "aclImdb", FILES)


@pytest.fixture
def archive(tmp_path):
    return write_tar(tmp_path / "aclImdb_v1.tar.gz", FILES)


@pytest.fixture(params=["folder", "folder above", "archive"])
def copy(request):
    path = request.getfixturevalue(request.param.split()[0])
    return path.parent if request.param == "folder above" else path


def source(path, *films):
    return LargeMovieSource(LargeMovieConfig(path=path), films)


def test_line_n_of_a_list_names_the_film_of_review_n(copy):
    answer = source(copy, FARGO, HEAT).fetch(FARGO, "")
    assert answer.outcome == "ok"
    assert [(review.source_review_id, review.rating) for review in answer.reviews] == [
        ("test/neg/0_2", 2.0),
        ("train/neg/1_3", 3.0),
        ("train/pos/0_9", 9.0),
        ("train/pos/2_10", 10.0),
        ("train/unsup/1_0", None),
    ]
    assert all(review.text.startswith("Fargo ") and review.text.endswith("é<br />") for review in answer.reviews)
    assert {review.tconst for review in answer.reviews} == {FARGO.tconst}
    assert {review.url for review in answer.reviews} == {"http://www.imdb.com/title/tt0116282/usercomments"}
    found = read_films(copy, {HEAT.tconst, "tt9999999"})
    assert {tconst: len(reviews) for tconst, reviews in found.items()} == {HEAT.tconst: 3}


@pytest.mark.parametrize("film", [Film("", None, "tt9999999"), Film("Fargo", 1996)])
def test_a_film_without_a_review_is_not_covered(folder, film):
    assert source(folder, FARGO, film).fetch(film, "").outcome == "not_covered"


def test_reviews_are_counted(folder):
    assert source(folder, FARGO, HEAT).availability() == Availability(True, "8 reviews of 2 films")


def test_a_copy_without_lists_of_films_or_with_too_short_a_list_cannot_be_used(folder):
    (folder / "train" / "urls_pos.txt").write_text("http://www.imdb.com/title/tt0116282/usercomments\n")
    with pytest.raises(DataError, match=r"does not fit the reviews.*urls_pos.txt has 1 lines"):
        read_films(folder, {FARGO.tconst})
    for file in folder.rglob("urls_*.txt"):
        file.unlink()
    found = source(folder, FARGO).availability()
    assert not found.available
    assert "does not say which film" in found.reason


@pytest.mark.parametrize("body", [b"", b"no archive", b"\x1f\x8b\x08\x00 cut short", None], ids=str)
def test_a_damaged_or_truncated_archive_is_unavailable(archive, body):
    archive.write_bytes(archive.read_bytes()[:-40] if body is None else body)
    found = source(archive, FARGO).availability()
    assert not found.available
    assert "cannot be read" in found.reason


def test_a_review_that_is_not_utf_8_is_refused(folder):
    (folder / "train" / "pos" / "0_9.txt").write_bytes(b"\xff\xfe\xff")
    assert "is not UTF-8; where: " in source(folder, FARGO).availability().reason


@pytest.mark.parametrize("path", [None, "nowhere.tar.gz"])
def test_without_a_copy_the_source_is_unavailable(tmp_path, path):
    assert not source(path and tmp_path / path, FARGO).availability().available
