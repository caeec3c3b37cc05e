import numpy as np
import pandas as pd
import pytest

from latentflix.calibration import tune_thresholds
from latentflix.factors.comparison import CLASSIFIER, PRIOR, compare_methods, thresholds_by_fold
from latentflix.factors.folds import RANDOM_SPLIT
from tests.support.factories.comparison import CONFIG, LABELS, compare, make_case


def test_the_method_that_sees_more_scores_more_and_the_prior_scores_least():
    table = compare(make_case()).methods.set_index("method")
    assert list(table.index) == [CLASSIFIER, "baseline", PRIOR]
    for score in ("auc", "average_precision", "micro_f1", "macro_f1"):
        assert table.loc[CLASSIFIER, score] > table.loc["baseline", score] > table.loc[PRIOR, score]
        assert (table[f"{score}_low"] <= table[score]).all()
        assert (table[score] <= table[f"{score}_high"]).all()
    assert table.loc[PRIOR, "auc"] == pytest.approx(0.5)


def test_the_thresholds_of_a_fold_are_those_of_all_other_items():
    *_, y_true = make_case()
    probabilities = np.random.default_rng(3).random(y_true.shape)
    groups = np.arange(len(y_true)) % 4
    thresholds = thresholds_by_fold(y_true, probabilities, groups, 20)
    for group in range(4):
        expected = tune_thresholds(y_true[groups != group], probabilities[groups != group], 20).each
        np.testing.assert_array_equal(thresholds[groups == group], np.tile(expected, (30, 1)))
    changed = thresholds_by_fold(y_true ^ (groups == 2)[:, None], probabilities, groups, 20)
    np.testing.assert_array_equal(changed[groups == 2], thresholds[groups == 2])


def test_the_threshold_of_a_single_review_is_tuned_on_reviews_with_all_items_counting_alike():
    predictions, item_ids, folds, item_labels, y_true = make_case()
    # An item's second review says nothing, and neither does a classifier that may have read about it.
    second = predictions[CLASSIFIER].assign(review_id=lambda table: "second " + table["review_id"])
    second[["1+", "1-", "2+"]] = 0.5
    leaking = predictions[CLASSIFIER].assign(classifier=RANDOM_SPLIT)
    both = pd.concat([predictions[CLASSIFIER], second.iloc[:40], leaking], ignore_index=True)
    more = pd.Series(item_ids.to_numpy()[:40], index="second " + item_ids.index[:40])
    labels = compare_methods({CLASSIFIER: both}, pd.concat([item_ids, more]), folds, item_labels, LABELS, CONFIG).labels
    read = np.concatenate([predictions[CLASSIFIER][LABELS], second[LABELS][:40]])
    weights = np.concatenate([np.where(np.arange(120) < 40, 0.5, 1), np.full(40, 0.5)])
    expected = tune_thresholds(np.concatenate([y_true, y_true[:40]]), read, CONFIG.shrinkage, weights).each
    np.testing.assert_allclose(labels["review_threshold"], expected)
    assert not np.allclose(labels["review_threshold"], labels["threshold"])


def test_predicted_labels_are_counted_against_the_items_that_have_them():
    case = make_case()
    labels = compare(case).labels.set_index("label")
    assert labels["items"].tolist() == case[4].sum(0).tolist()
    true_positives = labels["precision"] * labels["predicted"]
    assert true_positives.tolist() == pytest.approx((labels["recall"] * labels["items"]).tolist())
    f1 = 2 * labels["precision"] * labels["recall"] / (labels["precision"] + labels["recall"])
    assert labels["f1"].tolist() == pytest.approx(f1.tolist())
    assert (labels["f1"] > 0.8).all()
    assert compare(case).methods["macro_f1"][0] == pytest.approx(labels["f1"].mean())
