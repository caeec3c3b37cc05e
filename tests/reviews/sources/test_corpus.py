import pytest

from latentflix.data.large_movie import review_links
from latentflix.reviews.sources.corpus import CorpusSource
from latentflix.reviews.sources.protocol import Film
from tests.support.synthetic_reviews import make_links

SMALL = CorpusSource(
    ["good", "bad", "twice", "unlinked"],
    make_links(
        ("good", "tt1", 9), ("bad", "tt1", 2), ("twice", "tt1", 5), ("twice", "tt2", 5), ("elsewhere", "tt3", 5)
    ),
)


def test_a_film_has_the_reviews_linked_to_no_other():
    answer = SMALL.fetch(Film("Fargo", 1996, "tt1"), "")
    assert answer.outcome == "ok"
    assert {(review.text, review.rating) for review in answer.reviews} == {("good", 9.0), ("bad", 2.0)}
    assert all(review.training_allowed and review.kind == "review" for review in answer.reviews)
    assert not CorpusSource(["unlinked"], make_links(("good", "tt1", 9))).availability().available
    assert SMALL.availability().available


@pytest.mark.parametrize("tconst", ["tt2", "tt3", "tt4", None])
def test_a_film_without_a_review_of_its_own_is_not_covered(tconst):
    assert SMALL.fetch(Film("Fargo", 1996, tconst), "").outcome == "not_covered"


def test_films_of_the_real_corpus_have_all_their_reviews(imdb_reviews):
    whole = CorpusSource(imdb_reviews["text"], review_links())
    linked = review_links()
    one_film = linked[~linked["review_sha256"].duplicated(keep=False)]
    counts = one_film["tconst"].value_counts()
    assert whole.availability().available
    for tconst in counts.index[:3]:
        reviews = whole.fetch(Film("", None, tconst), "").reviews
        assert len(reviews) == len({review.review_id for review in reviews}) == counts[tconst]
