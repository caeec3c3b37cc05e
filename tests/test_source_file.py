from datetime import UTC, datetime

import pytest

from latentflix.review_file import FileConfig
from latentflix.review_source import Film
from latentflix.source_file import FileSource

TABLE = """imdb_id,title,year,text,day
tt0116282,,,Old.,2020-01-01
tt0116282,,,New.,2024-01-01
,Fargo,1996,Undated.,
,The African Queen,1951,Queen.,
,Fargo,2014,The series.,2015-01-01
116282,,,Rejected.,
"""
FARGO = Film("Fargo (1996)", 1996, "tt0116282")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text(TABLE)
    return path


def source(path, **settings):
    return FileSource(FileConfig(path=path, date_column="day", **settings))


def texts(answer):
    return [review.text for review in answer.reviews]


def test_a_film_is_found_by_id_and_by_title_and_year(path):
    answer = source(path).fetch(FARGO, None, 10)
    assert answer.outcome == "ok"
    assert texts(answer) == ["New.", "Old.", "Undated."]
    assert {review.tconst for review in answer.reviews} == {"tt0116282"}


@pytest.mark.parametrize("title", ["African Queen, The (1951)", "The African Queen", "the african queen"])
def test_a_title_is_found_as_anybody_may_write_it(path, title):
    assert texts(source(path).fetch(Film(title, 1951, "tt0043265"), None, 10)) == ["Queen."]


def test_only_newer_and_undated_reviews_are_given_since_a_time(path):
    since = datetime(2022, 1, 1, tzinfo=UTC)
    assert texts(source(path).fetch(FARGO, since, 10)) == ["New.", "Undated."]
    assert texts(source(path).fetch(FARGO, None, 1)) == ["New."]


@pytest.mark.parametrize("film", [Film("Heat", 1995, "tt0113277"), Film("Fargo", 1996), Film("Fargo", 1995, "tt1")])
def test_a_film_that_is_not_there_is_not_covered(path, film):
    assert source(path).fetch(film, None, 10).outcome == "not_covered"


def test_rejected_rows_are_told_and_the_others_used(path):
    file = source(path)
    check = file.check()
    assert check.works
    assert "1 rows cannot be used: line 7: imdb_id" in check.reason
    assert [each.line for each in file.rejected] == [7]


def test_in_strict_mode_it_does_not_work(path):
    check = source(path, strict=True).check()
    assert not check.works
    assert "line 7" in check.reason


@pytest.mark.parametrize("body", ["imdb_id,text,day\n", "imdb_id;text;day\ntt1;x;\n", "imdb_id,text,day\nx,y,\n"])
def test_without_a_row_that_can_be_used_it_does_not_work(path, body):
    path.write_text(body)
    check = source(path).check()
    assert not check.works
    assert check.reason


def test_what_the_user_says_of_the_texts_is_kept(path):
    (review,) = source(path, training_allowed=False, attribution="Our archive.").fetch(FARGO, None, 1).reviews
    assert (review.training_allowed, review.attribution, review.kind) == (False, "Our archive.", "review")
