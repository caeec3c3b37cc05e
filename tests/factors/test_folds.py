import numpy as np
import pandas as pd
import pytest

from latentflix.errors import NotEnoughData
from latentflix.factors.folds import RANDOM_SPLIT, assign_folds, assign_groups, frequent_labels, held_out_masks
from tests.support.factories.classifiers import draw_labels

ALONE = pd.Series(dtype="int64")


def assign(items, has_label, seed=0, n_folds=4, groups=ALONE):
    return assign_folds(items, has_label.loc[items].to_numpy(np.float32), groups, n_folds, seed)


def test_a_group_of_items_is_held_out_together():
    items, has_label = draw_labels()
    groups = pd.Series(np.arange(len(has_label)) // 3, has_label.index)
    folds = assign(items, has_label, groups=groups)
    assert folds.groupby(groups).nunique().max() == 1
    assert folds.value_counts().between(9, 21).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_item_is_split_and_items_reviews_and_labels_are_spread_evenly(seed):
    items, has_label = draw_labels(seed)
    folds = assign(items, has_label, seed)
    assert folds.index.is_unique
    assert set(folds.index) == set(items)
    assert folds.value_counts().sort_index().index.tolist() == [0, 1, 2, 3]
    assert folds.value_counts().between(12, 18).all()
    assert items.map(folds).value_counts(normalize=True).between(0.17, 0.34).all()
    counts = has_label.groupby(folds).sum()
    assert (counts.max() - counts.min()).max() <= 4
    assert (counts.min() >= 1).all()


def test_a_rare_label_reaches_every_fold():
    items = pd.Series(np.repeat(np.arange(40), 2))
    has_label = pd.DataFrame({"common": True, "rare": np.arange(40) % 10 == 0})
    assert sorted(assign(items, has_label)[has_label["rare"]]) == [0, 1, 2, 3]


def test_folds_depend_on_the_seed_and_not_on_the_order_of_the_reviews():
    items, has_label = draw_labels()
    folds = assign(items, has_label, 1)
    pd.testing.assert_series_equal(folds, assign(items.sample(frac=1, random_state=9), has_label, 1))
    assert not folds.equals(assign(items, has_label, 2))


def test_two_items_for_each_fold_suffice_and_fewer_are_refused():
    items = pd.Series(range(8))
    assert assign_folds(items, np.ones((8, 1)), ALONE, 4, 0).value_counts().tolist() == [2, 2, 2, 2]
    with pytest.raises(NotEnoughData, match="found: 7 items with reviews, 7 groups"):
        assign_folds(items[:7], np.ones((7, 1)), ALONE, 4, 0)


def test_a_review_is_held_out_by_one_fold_together_with_its_item_but_a_random_split_splits_items():
    items, has_label = draw_labels()
    folds = assign(items, has_label, n_folds=3)
    masks = held_out_masks(items, folds, 3, random_split=True, seed=0)
    assert list(masks) == ["0", "1", "2", RANDOM_SPLIT]
    assert (sum(masks[name].astype(int) for name in "012") == 1).all()
    for name in "012":
        assert set(items[masks[name]]) == set(folds.index[folds == int(name)])
        assert not set(items[masks[name]]) & set(items[~masks[name]])
    random = masks[RANDOM_SPLIT]
    assert random.sum() == len(items) // 3
    assert len(set(items[random]) & set(items[~random])) > 10
    assert RANDOM_SPLIT not in held_out_masks(items, folds, 3, random_split=False, seed=0)


def test_labels_of_too_few_items_are_named_and_left_out():
    item_labels = pd.DataFrame(
        [(1, "a"), (2, "a"), (3, "a"), (1, "b"), (2, "b"), (9, "b"), (1, "c")], columns=["item_id", "label"]
    )
    reviewed = pd.Series([1, 1, 1, 2, 3])
    labels, rare = frequent_labels(item_labels, reviewed, ["c", "b", "a", "d"], min_items=2)
    assert labels == ["b", "a"]
    assert rare["items"].to_dict() == {"c": 1, "d": 0}
    with pytest.raises(NotEnoughData, match="have any label; found: a: 3 items, b: 2 items"):
        frequent_labels(item_labels, reviewed, ["a", "b"], min_items=4)


def test_sequels_are_held_out_together_in_folds_of_similar_size():
    groups = np.array([0, 0, 0, 1, 1, *range(2, 27)])
    folds = assign_groups(groups, 5, np.random.default_rng(0))
    assert len(set(folds[:3])) == len(set(folds[3:5])) == 1
    assert np.bincount(folds).tolist() == [6] * 5


def test_too_few_groups_for_the_folds_are_an_error():
    with pytest.raises(NotEnoughData, match="30 items with texts, 9 groups"):
        assign_groups(np.arange(30) % 9, 5, np.random.default_rng(0))
