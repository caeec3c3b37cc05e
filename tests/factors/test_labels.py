import re

import numpy as np
import pandas as pd
import pytest

from latentflix.errors import NotEnoughData
from latentflix.factors.labels import LabelConfig, indicator_matrix, label_items

SCORES = pd.DataFrame(
    [[2.0, -1.0, 0.5], [0.1, -0.3, 0.2], [-1.0, 0.0, 3.0], [5.0, -4.0, 0.0]],
    index=pd.Index([10, 20, 30, 40], name="item_id"),
    columns=["1", "2", "3"],
)
AXES = pd.DataFrame({"stable": True}, index=pd.Index(["1", "2", "3"], name="axis"))
FREQUENT = pd.Series(100, index=SCORES.index)
TWO = LabelConfig(rule="top_k", top_k=2)


def labels_of(labels):
    return labels.items.groupby("item_id")["label"].agg(list).to_dict()


def test_an_item_gets_its_strongest_axes_with_their_poles_strongest_first():
    labels = label_items(SCORES, AXES, FREQUENT, TWO)
    assert labels_of(labels) == {10: ["1+", "2-"], 20: ["2-", "3+"], 30: ["3+", "1-"], 40: ["1+", "2-"]}
    assert labels.items["strength"].tolist() == pytest.approx([2, 1, 0.3, 0.2, 3, 1, 5, 4])
    assert labels.items.dtypes.astype(str).to_dict() == {"item_id": "int32", "label": "str", "strength": "float32"}


def test_labels_are_counted_and_equally_frequent_ones_are_both_the_most_frequent():
    table = label_items(SCORES, AXES, FREQUENT, TWO).labels
    assert list(table.index) == ["1+", "1-", "2+", "2-", "3+", "3-"]
    assert table["axis"].tolist() == ["1", "1", "2", "2", "3", "3"]
    assert table["items"].tolist() == [2, 1, 0, 3, 2, 0]
    assert table["share"].tolist() == [0.5, 0.25, 0, 0.75, 0.5, 0]
    assert table.index[table["most_frequent"]].tolist() == ["2-"]
    both = label_items(SCORES.loc[[10, 40]], AXES, FREQUENT, TWO).labels
    assert both.index[both["most_frequent"]].tolist() == ["1+", "2-"]


def test_dropping_the_most_frequent_label_drops_and_counts_exactly_the_items_with_it():
    kept = label_items(SCORES, AXES, FREQUENT, TWO)
    assert (kept.most_frequent, kept.dropped, kept.unlabelled) == (("2-",), 0, 0)
    labels = label_items(SCORES, AXES, FREQUENT, TWO.model_copy(update={"drop_most_frequent": True}))
    assert (labels.most_frequent, labels.dropped, labels.unlabelled) == (("2-",), 3, 0)
    assert labels_of(labels) == {30: ["3+", "1-"]}
    assert labels.item_ids.tolist() == [30]
    assert labels.items.index.tolist() == [0, 1]
    assert labels.labels["items"].tolist() == [0, 1, 0, 0, 1, 0]
    assert labels.labels["share"].tolist() == [0, 1, 0, 0, 1, 0]


def test_with_z_scores_an_item_gets_every_label_that_is_far_enough_from_the_mean():
    labels = label_items(SCORES, AXES, FREQUENT, LabelConfig(rule="z_score", z_from=1.0))
    assert labels_of(labels) == {10: ["1+", "2-"], 30: ["3+", "1-"], 40: ["1+", "2-"]}
    assert labels.items["strength"].tolist() == [2, 1, 3, 1, 5, 4]
    assert labels.items.dtypes.astype(str).to_dict() == {"item_id": "int32", "label": "str", "strength": "float32"}


def test_items_without_a_label_are_counted_if_they_have_enough_ratings_and_have_no_share():
    labels = label_items(SCORES, AXES, FREQUENT.replace(100, 10), LabelConfig(rule="z_score", z_from=2.5))
    assert labels_of(labels) == {30: ["3+"], 40: ["1+", "2-"]}
    assert labels.unlabelled == 2
    assert labels.item_ids.tolist() == [10, 20, 30, 40]
    assert labels.labels["share"].tolist() == [0.5, 0, 0, 0.5, 0.5, 0]
    n_ratings = pd.Series({10: 9, 20: 100, 30: 100, 40: 100})
    assert label_items(SCORES, AXES, n_ratings, LabelConfig(rule="z_score", z_from=1.0)).unlabelled == 1


def test_by_default_only_items_far_out_get_a_label():
    labels = label_items(SCORES.assign(**{"2": [-1.2, -0.3, 1.3, 0.0]}), AXES, FREQUENT, LabelConfig())
    assert labels_of(labels) == {10: ["1+"], 30: ["3+", "2+"], 40: ["1+"]}


def test_z_scores_need_one_axis():
    config = LabelConfig(rule="z_score", top_k=3, z_from=1.0)
    labels = label_items(SCORES, AXES.assign(stable=[True, False, False]), FREQUENT, config)
    assert labels_of(labels) == {10: ["1+"], 30: ["1-"], 40: ["1+"]}
    with pytest.raises(NotEnoughData, match="expected: at least 1; what to do: train or bring more fits"):
        label_items(SCORES, AXES.assign(stable=False), FREQUENT, config)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (LabelConfig(rule="z_score", z_from=9), "4 items without one, 0 left out with none"),
        (LabelConfig(rule="top_k", top_k=3, drop_most_frequent=True), "0 items without one, 4 left out with 3+"),
    ],
)
def test_no_item_left_with_a_label_is_refused(config, found):
    hint = "lower --labels.z-from, or leave out --labels.drop-most-frequent"
    with pytest.raises(NotEnoughData, match=f"{re.escape(found)}.*{hint}"):
        label_items(SCORES, AXES, FREQUENT, config)


def test_an_item_in_the_middle_of_an_axis_counts_as_plus():
    scores = pd.DataFrame({"1": [0.0]}, index=pd.Index([1], name="item_id"))
    labels = label_items(scores, AXES.loc[["1"]], pd.Series({1: 100}), LabelConfig(rule="top_k", top_k=1))
    assert labels.items["label"].tolist() == ["1+"]


def test_too_few_axes_are_refused_and_unstable_ones_give_labels_only_if_they_may():
    axes = AXES.assign(stable=[True, False, True])
    labels = label_items(SCORES, axes, FREQUENT, TWO)
    assert labels_of(labels) == {10: ["1+", "3+"], 20: ["3+", "1+"], 30: ["3+", "1-"], 40: ["1+", "3+"]}
    assert list(labels.labels.index) == ["1+", "1-", "3+", "3-"]
    allowed = label_items(SCORES, AXES.assign(stable=False), FREQUENT, TWO.model_copy(update={"only_stable": False}))
    assert labels_of(allowed) == labels_of(label_items(SCORES, AXES, FREQUENT, TWO))
    message = (
        r"found: 2 stable factors \(1, 3\); expected: at least 3; what to do: lower --labels.top-k.*--no-labels.only"
    )
    with pytest.raises(NotEnoughData, match=message):
        label_items(SCORES, AXES.assign(stable=[True, False, True]), FREQUENT, LabelConfig(rule="top_k", top_k=3))


def test_only_items_with_enough_ratings_are_labelled_and_none_at_all_is_refused():
    n_ratings = pd.Series({10: 9, 20: 10, 30: 11})
    assert list(labels_of(label_items(SCORES, AXES, n_ratings, TWO))) == [20, 30]
    with pytest.raises(NotEnoughData, match="found: at most 9 ratings; expected: 10 or more"):
        label_items(SCORES, AXES, pd.Series({10: 9, 20: 3}), TWO)


def test_indicators_follow_the_order_of_items_and_labels():
    items = pd.DataFrame({"item_id": [1, 1, 2], "label": ["a", "b", "c"]})
    matrix = indicator_matrix(items, pd.Series([2, 1, 3, 1]), ["c", "b", "d", "a"])
    np.testing.assert_array_equal(matrix, [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]])
    assert matrix.dtype == np.float32
