from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from latentflix.data.items import category_flags
from latentflix.factors.monosemanticity import mean_similarity, score_monosemanticity, unit_rows


def by_pairs(units, activation, n_strongest):
    """The definition, pair by pair."""
    strongest = np.argsort(-activation, kind="stable")[:n_strongest]
    pairs = list(permutations(strongest, 2))
    weights = [activation[left] * activation[right] for left, right in pairs]
    return np.average([units[left] @ units[right] for left, right in pairs], weights=weights)


def test_it_is_the_mean_similarity_of_pairs_weighted_by_both_activations():
    random = np.random.default_rng(0)
    traits, positions = random.normal(size=(50, 4)), pd.DataFrame({"1": random.normal(size=50)})
    scores = score_monosemanticity(positions, traits, n_strongest=10)
    assert scores.index.tolist() == ["1+", "1-"]
    for pole, sign in (("1+", 1), ("1-", -1)):
        activation = np.maximum(sign * positions["1"].to_numpy(), 0)
        assert scores[pole] == pytest.approx(by_pairs(unit_rows(traits), activation, 10))
    stretched = score_monosemanticity(positions * 7, traits * 3, n_strongest=10)
    np.testing.assert_allclose(stretched, scores)


def test_a_pole_whose_items_share_their_only_genre_scores_one_and_one_of_as_many_genres_as_items_scores_zero():
    genres = pd.Series([["War"], ["War"], ["War"], ["Drama"], ["Comedy"], ["Horror"]], index=[3, 1, 2, 7, 9, 8])
    positions = pd.DataFrame({"1": [3.0, 2, 1, -1, -2, -3]}, index=genres.index)
    scores = score_monosemanticity(positions, category_flags(genres).to_numpy(float))
    assert scores.tolist() == [pytest.approx(1), pytest.approx(0)]


def test_items_drawn_at_random_score_the_mean_similarity_of_all_pairs():
    random = np.random.default_rng(0)
    units = unit_rows(random.normal(size=(60, 5)) + 1)
    expected = mean_similarity(units, np.ones(60))
    drawn = [mean_similarity(units[random.choice(60, 10, replace=False)], np.linspace(1, 2, 10)) for _ in range(3000)]
    assert np.mean(drawn) == pytest.approx(expected, abs=0.01)
    assert expected == pytest.approx(np.mean((units @ units.T)[~np.eye(60, dtype=bool)]))


def test_genres_are_compared_by_the_cosine_and_an_item_without_any_is_like_no_other():
    genres = pd.Series([["War", "Drama"], ["War"], []], index=[5, 4, 6])
    units = unit_rows(category_flags(genres).to_numpy(float))
    similar = units @ units.T
    assert similar[0, 1] == pytest.approx(1 / np.sqrt(2))
    assert similar[2].tolist() == [0, 0, 0]
    assert category_flags(genres[genres.str.len() == 0]).shape == (1, 0)


def test_a_pole_of_a_single_item_has_no_score():
    assert np.isnan(score_monosemanticity(pd.DataFrame({"1": [2.0, -1, -1]}), np.eye(3))["1+"])
