import numpy as np
import pytest

from latentflix.errors import ModelError
from latentflix.recommender.latent_factors import split_seeds

USERS, ITEMS = np.array([5, 7]), np.array([1, 2, 9])
WEIGHTS = {
    "u_weight.weight": np.arange(12, dtype=np.float32).reshape(2, 3, 2),
    "i_weight.weight": np.arange(16, dtype=np.float32).reshape(2, 4, 2),
    "u_bias.weight": np.arange(6, dtype=np.float32).reshape(2, 3, 1),
    "i_bias.weight": np.arange(8, dtype=np.float32).reshape(2, 4, 1),
}


def test_each_seed_has_the_rows_of_known_ids():
    one, other = split_seeds(USERS, ITEMS, WEIGHTS, "bias")
    np.testing.assert_array_equal(one.user_factors, [[2, 3], [4, 5]])
    np.testing.assert_array_equal(other.item_factors, [[10, 11], [12, 13], [14, 15]])
    np.testing.assert_array_equal(other.item_bias, [5, 6, 7])
    np.testing.assert_array_equal(one.user_bias, [1, 2])


def test_without_biases_they_are_zero():
    weights = {name: weight for name, weight in WEIGHTS.items() if "bias" not in name}
    (fit, _) = split_seeds(USERS, ITEMS, weights, "dot")
    assert not fit.user_bias.any()
    assert fit.item_bias.shape == (3,)


def test_the_common_effect_of_an_item_is_its_mean_prediction_over_the_users_less_their_biases():
    (fit, _) = split_seeds(USERS, ITEMS, WEIGHTS, "bias")
    np.testing.assert_array_equal(fit.common_item_effect, [1 + 3 * 2 + 4 * 3, 2 + 3 * 4 + 4 * 5, 3 + 3 * 6 + 4 * 7])
    predicted = fit.user_factors @ fit.item_factors.T + fit.item_bias
    np.testing.assert_array_equal(fit.common_item_effect, predicted.mean(0))


def test_a_model_without_shared_factors_has_none_to_read():
    with pytest.raises(ModelError, match="found: neural"):
        split_seeds(USERS, ITEMS, {"layers.0.weight": np.zeros((2, 3, 2))}, "neural")
