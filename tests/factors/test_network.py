import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from latentflix.factors.network import choose_head, positions_by_labels, positions_by_regression

N_ITEMS, N_FOLDS, SIZE = 90, 3, 12
ITEMS = pd.Index(range(100, 100 + N_ITEMS), name="item_id")
FOLDS = pd.Series(np.arange(N_ITEMS) % N_FOLDS, ITEMS)
WEIGHTS = pd.Series(1.0, ITEMS)


@pytest.fixture(scope="module")
def positions():
    return pd.DataFrame(np.random.default_rng(0).normal(size=(N_ITEMS, 2)), ITEMS, ["1", "2"])


def see(positions, noise, seed=1):
    """What the encoder of each fold sees of the items: states in which the positions are a direction of its own."""
    random = np.random.default_rng(seed)
    states = {}
    for fold in range(N_FOLDS):
        directions = random.normal(size=(2, SIZE))
        seen = positions.to_numpy() @ directions + noise * random.normal(size=(N_ITEMS, SIZE))
        states[fold] = pd.DataFrame(seen, ITEMS)
    return states


def test_items_are_placed_by_how_much_surer_the_classifiers_are_of_plus_than_of_minus():
    predictions = pd.DataFrame(
        {"classifier": "0", "review_id": ["a", "b", "c"], "1+": [0.8, 0.5, 0.5], "1-": [0.5, 0.2, 0.9], "2+": 0.3}
    )
    placed = positions_by_labels(predictions, pd.Series({"a": 7, "b": 7, "c": 8}), ["1+", "1-", "2+"])
    # Both reviews of 7 have log-odds that differ by log 4, and that of 8 by -log 9.
    assert placed["1"].to_dict() == pytest.approx({7: np.log(4), 8: -np.log(9)})
    assert placed.columns.tolist() == ["1"]


def test_the_regression_places_unseen_items_whatever_the_directions_of_each_encoder(positions):
    placed = positions_by_regression(see(positions, noise=0.5), positions, WEIGHTS, FOLDS)
    for axis in positions:
        assert spearmanr(placed[axis], positions[axis])[0] > 0.9


def test_the_regression_learns_nothing_from_the_items_that_it_places(positions):
    states = see(positions, noise=0.5)
    changed = positions.copy()
    changed.loc[FOLDS == 0] = 99.0
    placed, again = (positions_by_regression(states, each, WEIGHTS, FOLDS) for each in (positions, changed))
    pd.testing.assert_frame_equal(placed[FOLDS == 0], again[FOLDS == 0])
    assert not np.allclose(placed[FOLDS == 1], again[FOLDS == 1])


def test_the_head_of_a_fold_is_the_one_that_does_better_in_the_other_folds(positions):
    random = np.random.default_rng(2)
    noise = pd.DataFrame(random.normal(size=positions.shape), ITEMS, positions.columns)
    good, bad = positions + 0.3 * noise, noise
    # In fold 0 the labels do well, in the others the regression: only the others count for fold 0.
    by_labels, by_regression = good.where(FOLDS == 0, bad), bad.where(FOLDS == 0, good)
    placed = choose_head(by_labels[["1"]], by_regression, positions, WEIGHTS, FOLDS)
    assert placed.heads.loc[0, "head"] == "regression"
    assert placed.heads.loc[0, "regression"] > 0.8 > 0.4 > placed.heads.loc[0, "labels"]
    pd.testing.assert_frame_equal(placed.table[FOLDS == 0], by_regression[FOLDS == 0])

    placed = choose_head(good[["1"]], bad, positions, WEIGHTS, FOLDS)
    assert placed.heads["head"].tolist() == ["labels"] * N_FOLDS
    assert placed.table["1"].tolist() == good["1"].tolist()
    assert placed.table["2"].isna().all()
    assert placed.summary() == {
        "network_rho_labels": pytest.approx(placed.heads["labels"].mean()),
        "network_rho_regression": pytest.approx(placed.heads["regression"].mean()),
        "network_folds": N_FOLDS,
        "network_folds_by_regression": 0,
    }


def test_without_an_axis_of_two_labels_the_regression_places_all_items(positions):
    placed = choose_head(positions[[]], positions, positions, WEIGHTS, FOLDS)
    assert placed.summary()["network_folds_by_regression"] == N_FOLDS
    assert placed.table.equals(positions)
