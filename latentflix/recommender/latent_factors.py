"""What a recommender has learned of users and items, as plain arrays: the factors and biases of each of its seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

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
    dimensions: ClassVar[Sequence[str]] = ()

    @property
    def user_covariance(self) -> np.ndarray:
        """The covariance of the user factors, float64 (n_factors, n_factors)."""
        n_factors = self.user_factors.shape[1]
        return np.cov(self.user_factors.astype(np.float64), rowvar=False).reshape(n_factors, n_factors)

    @property
    def common_item_effect(self) -> np.ndarray:
        """The part of the prediction for each item that is the same for all users, float32 (items,).

        It is the item's bias and its product with the mean of the user factors: factors may hold what a bias could,
        because nothing keeps their mean at zero.
        """
        return self.item_bias + self.item_factors @ self.user_factors.mean(axis=0)


@dataclass(frozen=True)
class ItemFactors:
    """What of a fit the item loadings depend on. Row r is `item_ids[r]`.

    Attributes:
        item_factors: float32 (items, n_factors).
        user_covariance: the covariance of the user factors, float64 (n_factors, n_factors).
        dimensions: what the dimensions are called, if not 1, 2 and so on.
    """

    item_ids: np.ndarray
    item_factors: np.ndarray
    user_covariance: np.ndarray
    dimensions: Sequence[str] = ()


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
