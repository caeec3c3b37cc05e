import numpy as np
import pandas as pd
import pytest

from latentflix.errors import DataError
from latentflix.sentiment.dataset import SentimentReviewConfig, prepare_sentiment, split_by_group
from tests.support.factories.sentiment import make_links, make_reviews

CONFIG = SentimentReviewConfig(max_characters=1000)
REVIEWS = make_reviews()
NO_LINKS = make_links(REVIEWS[:0])


def prepare(table=REVIEWS, links=NO_LINKS, **changes):
    return prepare_sentiment(table, links, CONFIG.model_copy(update=changes))


@pytest.mark.parametrize("seed", range(4))
def test_no_film_is_in_two_parts_and_the_parts_have_their_shares(seed):
    reviews = prepare(seed=seed).reviews
    assert reviews.groupby("film")["part"].nunique().max() == 1
    shares = reviews["part"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.03)
    assert shares["valid"] == pytest.approx(0.12, abs=0.03)


def test_films_come_from_the_links_if_the_source_has_none():
    table = REVIEWS.drop(columns="tconst")
    prepared = prepare(table, make_links(REVIEWS))
    pd.testing.assert_frame_equal(prepared.reviews, prepare().reviews)
    alone = prepare(table).reviews
    assert (alone["film"] == alone["review_id"]).all()


def test_the_split_depends_on_the_seed_only():
    first, other = prepare().reviews, prepare(REVIEWS.sample(frac=1, random_state=3)).reviews
    pd.testing.assert_frame_equal(first, other)
    assert not prepare(seed=1).reviews["part"].equals(first["part"])


def test_a_source_keeps_its_own_test_half_and_its_shared_films_are_counted():
    table = REVIEWS.assign(part=np.where(REVIEWS.index < 121, "test", "train"))
    prepared = prepare(table)
    reviews = prepared.reviews.set_index("text")
    assert set(reviews.index[reviews["part"] == "test"]) == set(table["text"][:121])
    assert prepared.shared_films == 1
    rest = reviews[reviews["part"] != "test"]
    assert rest.groupby("film")["part"].nunique().max() == 1
    assert (rest["part"] == "valid").mean() == pytest.approx(0.12, abs=0.04)


def test_what_cannot_be_used_is_named_by_row():
    bad = pd.DataFrame(
        {
            "text": ["  ", None, "x" * 1001, "torn", "torn", "two films", "two films", REVIEWS["text"][0], "odd"],
            "positive": [1, 1, 1, 0, 1, 1, 1, REVIEWS["positive"][0], 7],
            "tconst": [*(["tt0000001"] * 5), "tt0000001", "tt0000002", REVIEWS["tconst"][0], "tt0000001"],
        }
    )
    prepared = prepare(pd.concat([REVIEWS, bad]))
    n_good = len(REVIEWS)
    assert {row - n_good: reason for row, reason in prepared.left_out.itertuples(index=False)} == {
        0: "no text",
        1: "no text",
        2: "longer than 1,000 characters",
        3: "positive in one row and negative in another",
        4: "positive in one row and negative in another",
        5: "of several films",
        6: "of several films",
        7: "duplicate",
        8: "no label 0 or 1",
    }
    pd.testing.assert_frame_equal(prepared.reviews, prepare().reviews)


def test_a_text_in_both_halves_is_not_trained_on():
    table = pd.concat([REVIEWS.assign(part="train"), REVIEWS[:40].assign(part="test")], ignore_index=True)
    prepared = prepare(table)
    assert prepared.left_out["row"].tolist() == list(range(40))
    assert (prepared.reviews["part"] == "test").sum() == 40


def test_a_part_with_only_one_kind_is_refused():
    with pytest.raises(
        DataError, match="no positive or no negative .*; where: (train|valid|test); found: .* 0 positive"
    ):
        prepare(REVIEWS.assign(positive=False))


def test_all_reviews_of_a_film_are_in_one_part_whatever_its_size():
    films = pd.Series(["big"] * 500 + [f"small{number}" for number in range(500)])
    parts = pd.Series(split_by_group(films, {"test": 0.3}, seed=0))
    assert parts.groupby(films).nunique().max() == 1
    assert set(parts) == {"test", "train"}
