import numpy as np
import pandas as pd
import pytest

from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.histograms import HistogramConfig, count_predictions

LABELS = ["1+", "1-", "2+", "2-"]
PREDICTIONS = pd.DataFrame(
    [
        ("0", "a", 0.9, 0.1, 0.8, 0.2),
        ("0", "b", 0.7, 0.6, 0.1, 0.5),
        ("1", "c", 0.6, 0.2, 0.1, 0.5),
        ("1", "d", 0.3, 0.8, 0.9, 0.2),
    ],
    columns=["classifier", "review_id", *LABELS],
)
ITEM_IDS = pd.Series({"d": 3, "x": 9, "a": 5, "c": 3, "b": 5})


def count(top_k, predictions=PREDICTIONS, item_ids=ITEM_IDS):
    return count_predictions(predictions, item_ids, LABELS, HistogramConfig(top_k=top_k))


def shares(table, item_id, column):
    return table[table["item_id"] == item_id].set_index("label")[column].to_dict()


def test_shares_by_hand_with_and_without_the_most_frequent_label():
    table, most_frequent = count(2)
    assert most_frequent == "1+"
    assert list(table.columns) == ["item_id", "label", "share", "share_without"]
    assert shares(table, 5, "share") == {"1+": 1, "1-": 0.5, "2+": 0.5, "2-": 0}
    assert shares(table, 3, "share") == {"1+": 0.5, "1-": 0.5, "2+": 0.5, "2-": 0.5}
    without = shares(table, 5, "share_without")
    assert np.isnan(without.pop("1+"))
    assert without == {"1-": 0.5, "2+": 0.5, "2-": 1}
    without = shares(table, 3, "share_without")
    assert np.isnan(without.pop("1+"))
    assert without == {"1-": 1, "2+": 0.5, "2-": 0.5}


def test_one_vote_goes_to_the_most_probable_label():
    table, most_frequent = count(1)
    assert most_frequent == "1+"
    assert shares(table, 3, "share") == {"1+": 0.5, "1-": 0, "2+": 0.5, "2-": 0}


def test_equally_probable_labels_get_no_more_votes_than_there_are():
    table, _ = count(3, PREDICTIONS.assign(**dict.fromkeys(LABELS, 0.5)))
    assert table.groupby("item_id")["share"].sum().tolist() == [3, 3]


@pytest.mark.parametrize("top_k", [1, 2, 3, 4, 9])
def test_shares_are_shares_and_add_up_to_the_votes(top_k):
    random = np.random.default_rng(0)
    predictions = pd.DataFrame(random.random((40, 4)), columns=LABELS).assign(classifier="0", review_id=range(40))
    table, _ = count(top_k, predictions, pd.Series(random.integers(0, 6, 40)))
    assert table["share"].between(0, 1).all()
    assert table["share_without"].dropna().between(0, 1).all()
    by_item = table.groupby("item_id")[["share", "share_without"]].sum()
    np.testing.assert_allclose(by_item["share"], min(top_k, 4))
    np.testing.assert_allclose(by_item["share_without"], min(top_k, 3))
    assert len(table) == 6 * 4


def test_a_classifier_that_may_have_read_about_the_item_has_no_vote_and_the_order_does_not_matter():
    leaked = PREDICTIONS.assign(classifier=RANDOM_SPLIT, **{"1+": 0.0, "2-": 1.0})
    table, most_frequent = count(2, pd.concat([leaked, PREDICTIONS.iloc[[2, 0, 3, 1]]], ignore_index=True))
    assert most_frequent == "1+"
    pd.testing.assert_frame_equal(table, count(2)[0])
