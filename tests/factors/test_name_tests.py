import numpy as np
import pandas as pd
import pytest

from latentflix.factors.name_tests import score_names
from latentflix.factors.permutations import permute_items
from latentflix.factors.word_use import standardise

N_ITEMS, N_TERMS = 120, 200


def make_use(seed=0, strength=1.0, n_marking=5):
    """Standardised use of terms, the first of which go with the position, and the position."""
    random = np.random.default_rng(seed)
    position = random.normal(size=N_ITEMS)
    use = random.normal(size=(N_ITEMS, N_TERMS))
    use[:, :n_marking] += strength * position[:, None]
    return standardise(use, np.full(N_ITEMS, 1 / N_ITEMS)), pd.DataFrame({"7": position})


def score(use, positions, n_words, groups=None, seed=0, permutations=99):
    random = np.random.default_rng(seed)
    groups = np.arange(len(use)) if groups is None else groups
    orders = permute_items(groups, np.ones(len(use)), 1, permutations, random)
    weights = np.full(len(use), 1 / len(use))
    return score_names(use, positions, weights, groups, orders, n_words, random)


def test_words_that_go_with_the_position_say_where_held_out_items_stand():
    table = score(*make_use(), {"7+": 5, "7-": 0})
    assert table.index.tolist() == ["7+"]
    row = table.loc["7+"]
    assert row["holds"]
    assert 0.7 < row["rho_low"] < row["rho"] < row["rho_high"] < 1
    assert abs(row["null"]) < 0.1
    assert row["p"] == row["q"] == 0.01


def test_rho_is_signed_towards_the_pole():
    use, positions = make_use()
    opposite = score(use, -positions, {"7-": 5})
    assert opposite.loc["7-", "rho"] == pytest.approx(score(use, positions, {"7+": 5}).loc["7+", "rho"])


def test_a_name_that_no_held_out_item_bears_out_does_not_hold():
    p = []
    for seed in range(20):
        use, positions = make_use(seed, strength=0)
        table = score(use, positions, {"7+": 3, "7-": 3}, seed=seed, permutations=39)
        assert not table["holds"].all()
        p += table["p"].tolist()
    # 40 tests at 5 %: more than 6 would come up in 1 of 70 sets of tests.
    assert sum(value <= 0.05 for value in p) <= 6
    assert 0.3 < np.mean(p) < 0.7


def test_false_discoveries_are_controlled_over_the_poles_that_are_tested():
    use, positions = make_use()
    positions["8"] = np.random.default_rng(1).normal(size=N_ITEMS)
    table = score(use, positions, {"7+": 5, "8+": 5, "8-": 5})
    assert table["q"]["7+"] == pytest.approx(3 * table["p"]["7+"])
    assert (table["q"] >= table["p"]).all()
    assert table["holds"].tolist() == [True, False, False]


def test_items_that_belong_together_do_not_vouch_for_each_other():
    # Each pair of items shares a word that nobody else uses, and a position.
    n_pairs = 40
    groups = np.repeat(np.arange(n_pairs), 2)
    use = standardise(np.eye(n_pairs)[groups], np.full(2 * n_pairs, 1 / (2 * n_pairs)))
    position = pd.DataFrame({"7": np.random.default_rng(0).normal(size=n_pairs)[groups]})
    assert score(use, position, {"7+": 10}).loc["7+", "rho"] > 0.3
    apart = score(use, position, {"7+": 10}, groups)
    # No held-out item uses a word that was chosen: all scores are the same.
    assert apart.loc["7+", ["rho", "rho_low", "rho_high", "p"]].tolist() == [0, 0, 0, 1]
    assert not apart["holds"].any()


def test_without_a_pole_that_has_words_or_with_too_few_items_nothing_is_tested():
    use, positions = make_use()
    nothing = score(use, positions, {"7+": 0, "7-": 0})
    assert nothing.empty
    assert nothing["holds"].dtype == bool
    assert list(nothing.columns) == ["rho", "rho_low", "rho_high", "null", "null_sd", "p", "q", "holds"]
    assert score(use[:3], positions[:3], {"7+": 2}).empty
