import numpy as np
import pandas as pd
import pytest
from scipy.stats import ortho_group

from latentflix.factors.stability import at_full_size, match_axes, measure_stability

WEIGHTS = np.array([4.0, 2.0, 1.5, 1.0])


def random_axes(seed, n_items=300):
    return np.random.default_rng(seed).normal(size=(n_items, len(WEIGHTS))) * WEIGHTS


def blurred(axes, seed, noise=0.1):
    return axes + noise * np.random.default_rng(seed).normal(size=axes.shape) * axes.std(0)


def test_matching_undoes_a_permutation_with_flipped_signs_and_matches_an_axis_without_partner_to_none():
    left = np.random.default_rng(0).normal(size=(40, 4))
    permutation, signs = np.array([2, 0, 3, 1]), np.array([1, -1, -1, 1])
    partner, strength = match_axes(left, left[:, permutation] * signs)
    assert permutation[partner].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(strength, 1)
    partner, strength = match_axes(left[:, :3], left[:, [2, 0]])
    assert partner.tolist() == [1, -1, 0]
    np.testing.assert_allclose(strength, [1, 0, 1])


def test_matching_takes_the_largest_sum_rather_than_the_largest_first():
    first, second = np.random.default_rng(1).normal(size=(2, 500))
    left = np.stack([first, 1.1 * first + 0.5 * second], axis=1)
    partner, strength = match_axes(left[:, ::-1], np.stack([first, second], axis=1))
    assert partner.tolist() == [1, 0]
    assert strength[0] < 0.5 < 0.99 < strength[1]


def test_stability_is_the_correlation_of_the_two_groups_not_with_the_axes_themselves():
    axes = random_axes(0)
    first, second = blurred(axes, 1, noise=0.5), blurred(axes, 2, noise=0.5)[:, [1, 0, 3, 2]] * -1
    expected = [abs(np.corrcoef(first[:, axis], second[:, [1, 0, 3, 2][axis]])[0, 1]) for axis in range(4)]
    stability = measure_stability(axes, first, second, 20, 0)["stability"]
    np.testing.assert_allclose(stability, expected)
    assert (stability < match_axes(axes, first)[1]).all()


def test_axes_that_agree_are_far_above_randomly_rotated_ones():
    table = measure_stability(random_axes(0), blurred(random_axes(0), 1), blurred(random_axes(0), 2), 199, 0)
    assert (table["stability"] > 0.97).all()
    assert (table["stability_null"] < table["stability_null_95"]).all()
    assert (table["stability_null_95"] < table["stability"]).all()
    np.testing.assert_allclose(table["stability_p"], 1 / 200)


def test_axes_in_an_arbitrary_rotation_are_not_above_randomly_rotated_ones():
    # Of axes of one size every rotation is as likely; of others the mixture still shows which was the largest.
    axes = random_axes(0) / WEIGHTS
    p_values = []
    for seed in range(20):
        first, second = (axes @ rotation for rotation in ortho_group.rvs(4, size=2, random_state=seed))
        p_values.extend(measure_stability(first, first, second, 99, seed)["stability_p"])
    assert 0.3 < np.mean(p_values) < 0.7
    assert np.mean(np.array(p_values) <= 0.05) < 0.15


def test_the_null_is_that_of_axes_that_are_rotated_and_matched_one_by_one_from_a_seed():
    first, second = blurred(random_axes(0), 1), blurred(random_axes(0), 2)
    table, again, another = (measure_stability(first, first, second, 300, seed) for seed in (7, 7, 8))
    null = [match_axes(first, second @ rotation)[1] for rotation in ortho_group.rvs(4, size=300, random_state=7)]
    np.testing.assert_allclose(table["stability_null"], np.mean(null, axis=0))
    np.testing.assert_allclose(table["stability_null_95"], np.quantile(null, 0.95, axis=0))
    assert table["stability_null"].equals(again["stability_null"])
    assert not table["stability_null"].equals(another["stability_null"])


@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_axis_that_a_group_lacks_or_on_which_all_items_are_alike_has_no_stability():
    axes = random_axes(0)
    flat = axes * [1, 1, 1, 0]
    table = measure_stability(flat, flat, flat, 20, 0)
    assert table["stability"].tolist() == pytest.approx([1, 1, 1, 0])
    assert table["stability_p"].iloc[3] == 1
    table = measure_stability(axes, axes[:, [0, 1, 3]], axes[:, [3, 0]], 20, 0)
    assert table["stability"].tolist() == pytest.approx([1, 0, 0, 1])
    assert table["stability_p"].tolist()[1:3] == [1, 1]


def test_a_single_axis_cannot_be_rotated_away():
    table = measure_stability(*(blurred(random_axes(0)[:, :1], seed) for seed in range(3)), 20, 0)
    assert table["stability"].iloc[0] > 0.97
    assert table["stability_null"].iloc[0] == pytest.approx(table["stability"].iloc[0])


def test_agreement_at_full_size_is_that_of_sums_of_two_halves():
    assert at_full_size(pd.Series([0.0, 0.5, 1.0])).tolist() == [0, pytest.approx(2 / 3), 1]
    # Four measurements of the same positions: the sum of two agrees with the sum of the other two.
    truth = np.random.default_rng(0).normal(size=100_000)
    halves = truth + np.random.default_rng(1).normal(size=(4, 100_000))
    single, double = np.corrcoef(halves)[0, 1], np.corrcoef(halves[0] + halves[1], halves[2] + halves[3])[0, 1]
    assert at_full_size(pd.Series([single])).iloc[0] == pytest.approx(double, abs=0.01)
