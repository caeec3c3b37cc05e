from dataclasses import replace
from datetime import timedelta

import pytest

from latentflix.errors import PermanentFetchError
from latentflix.reviews.sources.protocol import TRY_NEXT_SOURCE, Answer, Film, Review, newest_first, query
from tests.support.synthetic_reviews import BEGAN, SyntheticSource

REVIEW = Review("tt0116282", "tmdb", "5b1c13b9", "It is good.")


@pytest.mark.parametrize("change", [{"text": "It is bad."}, {"rating": 3.0}, {"tconst": "tt0000001"}, {"url": "x"}])
def test_the_id_of_a_review_does_not_depend_on_its_contents_and_the_hash_only_on_the_text(change):
    assert replace(REVIEW, **change).review_id == REVIEW.review_id
    assert (replace(REVIEW, **change).content_sha256 == REVIEW.content_sha256) == ("text" not in change)


def test_another_review_has_another_id():
    names = [("tmdb", "5b1c13b9"), ("file", "5b1c13b9"), ("tmdb", "5b1c13ba"), ("a", "bc"), ("ab", "c")]
    reviews = [replace(REVIEW, source=source, source_review_id=own) for source, own in names]
    assert len({review.review_id for review in reviews}) == len(names)


@pytest.mark.parametrize("text", ["", "\x00\x07", "\ud800 alone", "\U0001f600"])
def test_any_text_has_a_hash(text):
    assert len(replace(REVIEW, text=text).content_sha256) == 64


@pytest.mark.parametrize("tconst", [None, "", 'tt1" } DROP', "tt1/../../movie/1", "nm0000001", "tt12", "tt0116282?x"])
def test_a_film_without_a_valid_imdb_id_is_not_covered(tconst):
    with pytest.raises(PermanentFetchError, match="IMDb id is not known") as failure:
        Film("Fargo", 1996, tconst).imdb_id  # noqa: B018
    assert failure.value.outcome == "not_covered"
    assert Film("Fargo", 1996, "tt0116282").imdb_id == "tt0116282"


@pytest.mark.parametrize("outcome", ["not_covered", "blocked", "error"])
def test_permanent_failures_are_answers_and_the_next_source_is_queried_only_if_nobody_refused(outcome):
    source = SyntheticSource(answers={"tt0116282": [PermanentFetchError("no", outcome=outcome)]})
    assert query(source, Film("Fargo", 1996, "tt0116282"), "") == Answer(outcome, reason="no")
    assert TRY_NEXT_SOURCE == ("empty", "not_covered")


def test_reviews_are_ordered_by_date_and_those_without_one_come_last():
    undated, old, new = (replace(REVIEW, written_at=time) for time in (None, BEGAN, BEGAN + timedelta(days=1)))
    assert newest_first([undated, old, new]) == (new, old, undated)


@pytest.mark.parametrize("rating", [1000.0, 10.1, 0.5, 0, -1, float("nan"), float("inf")])
def test_a_rating_that_is_none_is_dropped_and_the_text_kept(rating):
    assert replace(REVIEW, rating=rating) == REVIEW


@pytest.mark.parametrize("rating", [1, 5.5, 10.0])
def test_a_rating_of_one_to_ten_stars_is_kept(rating):
    assert replace(REVIEW, rating=rating).rating == rating
