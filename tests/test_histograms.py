import numpy as np
import pandas as pd
import pytest

from latentflix.histograms import HistogramConfig, count_predictions

LABELS = ["1+", "1-", "2+", "2-"]
PROBABILITIES = pd.DataFrame(
    [[0.9, 0.1, 0.8, 0.2], [0.7, 0.6, 0.1, 0.5], [0.6, 0.2, 0.1, 0.5], [0.3, 0.8, 0.9, 0.2]], columns=LABELS
)
MOVIE_IDS = pd.Series([5, 5, 3, 3])


def count(top_k, probabilities=PROBABILITIES, movie_ids=MOVIE_IDS):
    return count_predictions(probabilities, movie_ids, LABELS, HistogramConfig(top_k=top_k))


def shares(table, movie_id, column):
    return table[table["movie_id"] == movie_id].set_index("label")[column].to_dict()


def test_shares_by_hand():
    table, dominating = count(2)
    assert dominating == "1+"
    assert list(table.columns) == ["movie_id", "label", "share", "share_without"]
    assert shares(table, 5, "share") == {"1+": 1, "1-": 0.5, "2+": 0.5, "2-": 0}
    assert shares(table, 3, "share") == {"1+": 0.5, "1-": 0.5, "2+": 0.5, "2-": 0.5}


def test_without_the_dominating_label_each_review_votes_for_its_next_best():
    table, _ = count(2)
    without = shares(table, 5, "share_without")
    assert np.isnan(without.pop("1+"))
    assert without == {"1-": 0.5, "2+": 0.5, "2-": 1}
    without = shares(table, 3, "share_without")
    assert np.isnan(without.pop("1+"))
    assert without == {"1-": 1, "2+": 0.5, "2-": 0.5}


def test_one_vote_goes_to_the_most_probable_label():
    table, dominating = count(1)
    assert dominating == "1+"
    assert shares(table, 3, "share") == {"1+": 0.5, "1-": 0, "2+": 0.5, "2-": 0}


def test_labels_as_probable_as_each_other_get_no_more_than_the_votes_there_are():
    level = pd.DataFrame(0.5, index=range(4), columns=LABELS)
    table, _ = count(3, level)
    assert table.groupby("movie_id")["share"].sum().tolist() == [3, 3]


@pytest.mark.parametrize("top_k", [1, 2, 3, 4, 9])
def test_shares_are_shares_and_add_up_to_the_votes(top_k):
    random = np.random.default_rng(0)
    probabilities = pd.DataFrame(random.random((40, 4)), columns=LABELS)
    table, _ = count(top_k, probabilities, pd.Series(random.integers(0, 6, 40)))
    assert table["share"].between(0, 1).all()
    assert table["share_without"].dropna().between(0, 1).all()
    by_film = table.groupby("movie_id")[["share", "share_without"]].sum()
    np.testing.assert_allclose(by_film["share"], min(top_k, 4))
    np.testing.assert_allclose(by_film["share_without"], min(top_k, 3))
    assert len(table) == 6 * 4


def test_reviews_belong_to_films_by_place_whatever_the_index():
    table, _ = count(2, PROBABILITIES.set_axis(list("wxyz")), MOVIE_IDS.set_axis([9, 1, 4, 2]))
    pd.testing.assert_frame_equal(table, count(2)[0])
