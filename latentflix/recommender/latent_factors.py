"""What a recommender has learned of users and items, as plain arrays: the factors and biases of each of its seeds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from latentflix.errors import ModelError

# Row 0 of every embedding is fastai's `#na#`, an id that training never saw.
UNKNOWN_ROWS = 1


@dataclass(frozen=True)
class LatentFactors:
    """The factors of one seed. Row r of the user arrays is `user_ids[r]`, row r of the item arrays is `item_ids[r]`.

    Attributes:
        user_factors, item_factors: float32 (rows, n_factors).
        user_bias, item_bias: float32 (rows,); zero if the model has no biases.
    """

    user_ids: np.ndarray
    item_ids: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray


def split_seeds(
    user_ids: np.ndarray, item_ids: np.ndarray, weights: Mapping[str, np.ndarray], model: str
) -> list[LatentFactors]:
    """The factors of each seed of a `Recommender`. Raises ModelError if there are none in common (`neural`)."""
    if "u_weight.weight" not in weights:
        raise ModelError(
            "users and items have no factors in common",
            where="--collab.model",
            found=model,
            expected="dot, dot_range or bias",
        )
    known = {name: weight[:, UNKNOWN_ROWS:] for name, weight in weights.items()}
    users, items = known["u_weight.weight"], known["i_weight.weight"]
    user_bias = known.get("u_bias.weight", np.zeros((*users.shape[:2], 1), np.float32))[..., 0]
    item_bias = known.get("i_bias.weight", np.zeros((*items.shape[:2], 1), np.float32))[..., 0]
    return [
        LatentFactors(user_ids, item_ids, *factors) for factors in zip(users, items, user_bias, item_bias, strict=True)
    ]
