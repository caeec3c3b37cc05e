from dataclasses import replace

import pytest

from latentflix.reviews.sources.protocol import TRY_NEXT_SOURCE, Review

REVIEW = Review("tt0116282", "tmdb", "5b1c13b9", "It is good.")


@pytest.mark.parametrize("change", [{"text": "It is bad."}, {"rating": 3.0}, {"tconst": "tt0000001"}, {"url": "x"}])
def test_a_review_keeps_its_id_whatever_becomes_of_it(change):
    assert replace(REVIEW, **change).review_id == REVIEW.review_id


@pytest.mark.parametrize("change", [{"source": "file"}, {"source_review_id": "5b1c13ba"}])
def test_another_review_has_another_id(change):
    assert replace(REVIEW, **change).review_id != REVIEW.review_id


def test_source_and_number_do_not_run_together():
    assert replace(REVIEW, source="a", source_review_id="bc").review_id != (
        replace(REVIEW, source="ab", source_review_id="c").review_id
    )


def test_the_hash_is_of_the_text():
    assert REVIEW.content_sha256 == replace(REVIEW, rating=1.0).content_sha256
    assert REVIEW.content_sha256 != replace(REVIEW, text="It is good").content_sha256


@pytest.mark.parametrize("text", ["", "\x00\x07", "\ud800 alone", "\U0001f600"])
def test_any_text_has_a_hash(text):
    assert len(replace(REVIEW, text=text).content_sha256) == 64


def test_the_next_source_is_asked_only_where_nobody_refused():
    assert TRY_NEXT_SOURCE == ("empty", "not_covered")
