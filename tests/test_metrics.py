import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from latentflix.metrics import (
    bootstrap_counts,
    bootstrap_groups,
    bootstrap_interval,
    f1_scores,
    grouped_auc,
    grouped_average_precision,
    rank_correlations,
    resampled_rank_correlations,
)

RANKING = [grouped_auc, grouped_average_precision]


def draw_items(seed=0, n_items=60, n_groups=1):
    random = np.random.default_rng(seed)
    y_true = (random.random(n_items) < 0.4).astype(float)
    return random.normal(size=n_items) + 0.7 * y_true, np.arange(n_items) % n_groups, y_true


def once(metric, scores, groups, y_true, weights=None):
    weights = np.ones(len(scores)) if weights is None else weights
    (value,) = metric(np.asarray(scores), np.asarray(groups), np.asarray(y_true)[None], weights[None])
    return value


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("decimals", [0, 1, 8])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("metric", "reference"), zip(RANKING, [roc_auc_score, average_precision_score], strict=True), ids=["auc", "ap"]
)
def test_scores_of_one_group_are_scikit_learns_also_with_ties(metric, reference, seed, decimals, weighted):
    scores, groups, y_true = draw_items(seed)
    weights = np.random.default_rng(seed).integers(0, 4, 60).astype(float) if weighted else np.ones(60)
    expected = reference(y_true, scores.round(decimals), sample_weight=weights)
    assert once(metric, scores.round(decimals), groups, y_true, weights) == pytest.approx(expected)


@pytest.mark.parametrize("metric", RANKING)
def test_the_order_of_the_items_does_not_matter(metric):
    scores, groups, y_true = draw_items(n_groups=3)
    order = np.argsort(y_true)
    first, second = (once(metric, scores.round(0)[rows], groups[rows], y_true[rows]) for rows in (order, order[::-1]))
    assert first == pytest.approx(second)


@pytest.mark.parametrize("metric", RANKING)
def test_an_offset_between_groups_changes_nothing(metric):
    scores, groups, y_true = draw_items(n_groups=3)
    value = once(metric, scores, groups, y_true)
    assert once(metric, scores + 100 * groups, groups, y_true) == pytest.approx(value)
    assert once(metric, scores + 100 * groups, np.zeros(60), y_true) != pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("metric", RANKING)
def test_trials_are_scored_one_by_one(metric):
    scores, groups, y_true = draw_items(n_groups=3)
    random = np.random.default_rng(2)
    permuted = np.stack([random.permutation(y_true) for _ in range(4)])
    counts = random.integers(0, 3, (4, 60)).astype(float)
    expected = [once(metric, scores, groups, each) for each in permuted]
    np.testing.assert_allclose(metric(scores, groups, permuted, np.ones((1, 60))), expected)
    expected = [once(metric, scores, groups, y_true, weights) for weights in counts]
    np.testing.assert_allclose(metric(scores, groups, y_true[None], counts), expected)


def test_pairs_are_counted_over_groups_by_hand():
    scores, groups = np.array([0.9, 0.1, 0.5, 0.2, 0.3]), np.array([0, 0, 1, 1, 1])
    y_true = np.array([1.0, 0, 0, 1, 0])
    assert once(grouped_auc, scores, groups, y_true) == pytest.approx(1 / 3)
    assert once(grouped_average_precision, scores, groups, y_true) == pytest.approx((1 + 1 / 3) / 2)


@pytest.mark.parametrize(
    ("metric", "y_true"),
    [(grouped_auc, [0, 0, 0, 0]), (grouped_auc, [1, 1, 0, 0]), (grouped_average_precision, [0, 0, 0, 0])],
)
def test_auc_is_nan_if_no_group_has_a_pair_and_average_precision_without_a_positive(metric, y_true):
    assert np.isnan(once(metric, [0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], np.array(y_true, float)))


def test_f1_of_each_resample_is_scikit_learns():
    random = np.random.default_rng(0)
    y_true, y_pred = random.random((2, 80, 3)) < [0.5, 0.3, 0]
    weights = bootstrap_counts(random, 80, 5)
    scores = f1_scores(y_true, y_pred, weights)
    for average in ("micro", "macro", "weighted"):
        expected = [f1_score(y_true, y_pred, average=average, sample_weight=row, zero_division=0) for row in weights]
        assert scores[f"{average}_f1"].tolist() == pytest.approx(expected)


def test_a_resample_has_as_many_items_as_there_are():
    counts = bootstrap_counts(np.random.default_rng(0), 50, 200)
    assert (counts.sum(1) == 50).all()
    assert counts.mean(0) == pytest.approx(np.ones(50), abs=0.4)


def test_an_interval_holds_the_middle_of_the_resamples_and_moves_with_its_centre():
    resampled = np.append(np.arange(101.0), np.nan)
    assert bootstrap_interval(resampled, 0.9) == pytest.approx((5, 95))
    assert bootstrap_interval(resampled, 0.9, centre=0.0) == pytest.approx((-45, 45))


def test_rank_correlations_are_spearmans_within_groups():
    random = np.random.default_rng(0)
    predicted, truth = random.normal(size=(2, 60, 3, 2))
    found = rank_correlations(predicted, truth, np.zeros(60), np.ones(60))
    assert found.shape == (3, 2)
    assert found[1, 0] == pytest.approx(spearmanr(predicted[:, 1, 0], truth[:, 1, 0])[0], abs=1e-6)
    groups = np.arange(60) % 2
    shifted = predicted + 100 * groups[:, None, None]
    np.testing.assert_allclose(
        rank_correlations(shifted, truth, groups, np.ones(60)), rank_correlations(predicted, truth, groups, np.ones(60))
    )


def test_resampled_rank_correlations_rank_an_item_as_often_as_it_was_drawn():
    random = np.random.default_rng(1)
    predicted, truth = random.normal(size=(2, 40, 1))
    drawn = np.bincount(random.integers(0, 40, 40), minlength=40).astype(float)
    repeated = np.repeat(np.arange(40), drawn.astype(int))
    expected = spearmanr(predicted[repeated, 0], truth[repeated, 0])[0]
    weights = np.stack([drawn, np.ones(40)])
    found = resampled_rank_correlations(predicted, truth, np.zeros(40), weights)
    assert found[0, 0] == pytest.approx(expected, abs=1e-9)
    assert found[1, 0] == pytest.approx(spearmanr(predicted[:, 0], truth[:, 0])[0], abs=1e-9)
    predicted[3] = np.nan
    assert np.isnan(resampled_rank_correlations(predicted, truth, np.zeros(40), weights)).all()


def test_items_of_a_group_are_drawn_together_and_groups_with_replacement():
    groups = np.array([4, 4, 4, 7, 9])
    counts = bootstrap_groups(np.random.default_rng(0), groups, 200)
    assert counts.shape == (200, 5)
    assert (counts[:, :3] == counts[:, [0]]).all()
    assert (counts[:, [0, 3, 4]].sum(1) == 3).all()
    assert set(counts[:, 3]) == {0, 1, 2, 3}
