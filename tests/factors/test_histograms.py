import numpy as np
import pandas as pd
import pytest

from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.histograms import HistogramConfig, count_votes, score_by_network, score_by_reader

LABELS = ["1+", "1-", "2+", "2-"]
SCORES = pd.DataFrame(
    [(0.9, 0.1, 0.8, 0.2), (0.7, 0.6, 0.1, 0.5), (0.6, 0.2, 0.1, 0.5), (0.3, 0.8, 0.9, 0.2)],
    index=pd.Index(["a", "b", "c", "d"], name="review_id"),
    columns=LABELS,
)
ITEM_IDS = pd.Series({"d": 3, "x": 9, "a": 5, "c": 3, "b": 5})


def count(top_k, scores=SCORES, item_ids=ITEM_IDS):
    return count_votes(scores, item_ids, HistogramConfig(top_k=top_k))


def by_label(table, item_id, column):
    return table[table["item_id"] == item_id].set_index("label")[column].to_dict()


def test_shares_by_hand_with_and_without_the_most_frequent_label():
    table, most_frequent = count(2)
    assert most_frequent == "1+"
    assert by_label(table, 5, "share") == {"1+": 1, "1-": 0.5, "2+": 0.5, "2-": 0}
    assert by_label(table, 3, "share") == {"1+": 0.5, "1-": 0.5, "2+": 0.5, "2-": 0.5}
    without = by_label(table, 5, "share_without")
    assert np.isnan(without.pop("1+"))
    assert without == {"1-": 0.5, "2+": 0.5, "2-": 1}
    without = by_label(table, 3, "share_without")
    assert np.isnan(without.pop("1+"))
    assert without == {"1-": 1, "2+": 0.5, "2-": 0.5}


def test_what_is_usual_and_the_lift_over_it_by_hand():
    table, _ = count(2)
    for item_id in (3, 5):
        assert by_label(table, item_id, "usual") == {"1+": 0.75, "1-": 0.5, "2+": 0.5, "2-": 0.25}
    assert by_label(table, 5, "lift") == {"1+": pytest.approx(4 / 3), "1-": 1, "2+": 1, "2-": 0}
    assert by_label(table, 3, "lift") == {"1+": pytest.approx(2 / 3), "1-": 1, "2+": 1, "2-": 2}
    without = by_label(table, 5, "usual_without")
    assert np.isnan(without.pop("1+"))
    assert without == {"1-": 0.75, "2+": 0.5, "2-": 0.75}


def test_a_label_without_votes_has_no_lift():
    table, _ = count(1, SCORES.assign(**{"2-": -1.0}))
    assert np.isnan(by_label(table, 5, "lift")["2-"])


def test_one_vote_goes_to_the_label_that_stands_out_most():
    table, most_frequent = count(1)
    assert most_frequent == "1+"
    assert by_label(table, 3, "share") == {"1+": 0.5, "1-": 0, "2+": 0.5, "2-": 0}


def test_equal_labels_get_no_more_votes_than_there_are():
    table, _ = count(3, SCORES.assign(**dict.fromkeys(LABELS, 0.5)))
    assert table.groupby("item_id")["share"].sum().tolist() == [3, 3]


@pytest.mark.parametrize("top_k", [1, 2, 3, 4, 9])
def test_shares_are_shares_and_add_up_to_the_votes(top_k):
    random = np.random.default_rng(0)
    item_ids = pd.Series(random.integers(0, 6, 40))
    table, _ = count(top_k, pd.DataFrame(random.random((40, 4)), columns=LABELS), item_ids)
    assert table["share"].between(0, 1).all()
    assert table["share_without"].dropna().between(0, 1).all()
    by_item = table.groupby("item_id")[["share", "share_without"]].sum()
    np.testing.assert_allclose(by_item["share"], min(top_k, 4))
    np.testing.assert_allclose(by_item["share_without"], min(top_k, 3))
    assert len(table) == 6 * 4


def test_the_reader_votes_for_the_side_of_the_mean_in_standard_deviations():
    positions = pd.DataFrame({"1": [1.0, 3.0], "2": [0.5, 0.1]}, index=pd.Index(["a", "b"], name="review_id"))
    scores = score_by_reader(positions, ["2", "1"])
    assert list(scores.columns) == ["2+", "2-", "1+", "1-"]
    np.testing.assert_allclose(scores.loc["a"], [1, -1, -1, 1])
    np.testing.assert_allclose(scores.loc["b"], [-1, 1, 1, -1])
    # Where all reviews are predicted alike, none stands out.
    assert (score_by_reader(positions.assign(**{"1": 2.0}), ["1"]) == 0).all(axis=None)


PREDICTIONS = pd.DataFrame(
    [("0", "a", 0.9, 0.10), ("0", "b", 0.7, 0.12), ("1", "c", 0.2, 0.6), ("1", "d", 0.1, 0.9)],
    columns=["classifier", "review_id", "1+", "1-"],
)


def test_a_classifier_is_compared_with_what_it_finds_of_other_reviews():
    scores = score_by_network(PREDICTIONS, ["1+", "1-"])
    np.testing.assert_allclose(scores, [[1, -1], [-1, 1], [1, -1], [-1, 1]])
    assert list(scores.index) == ["a", "b", "c", "d"]


def test_one_that_may_have_read_about_the_item_has_no_vote_and_of_several_the_mean_counts():
    leaked = PREDICTIONS.assign(classifier=RANDOM_SPLIT, **{"1+": 0.0})
    expected = score_by_network(PREDICTIONS, ["1+", "1-"])
    shuffled = pd.concat([leaked, PREDICTIONS.iloc[[2, 0, 3, 1]]])
    pd.testing.assert_frame_equal(score_by_network(shuffled, ["1+", "1-"]), expected)
    new = pd.DataFrame([("0", "e", 0.9, 0.1), ("1", "e", 0.1, 0.9)], columns=PREDICTIONS.columns)
    np.testing.assert_allclose(score_by_network(new, ["1+", "1-"], PREDICTIONS), [[0, 0]], atol=1e-9)
