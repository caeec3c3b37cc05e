"""Fits on complementary halves of the users, which show what of the factors other users share."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.artifacts import Arrays, Handle, Store
from latentflix.config import StageConfig, setting
from latentflix.data.splits import Split
from latentflix.errors import NotEnoughData
from latentflix.recommender.fit import fit_recommender
from latentflix.recommender.latent_factors import ItemFactors
from latentflix.recommender.model import CollabConfig, seed_fits

logger = logging.getLogger(__name__)

Half = list[ItemFactors]


class HalvesConfig(StageConfig):
    """How often the users are halved, and how often each half is fitted; all else is as in the recommender."""

    n_pairs: int = setting(4, "times that the users are divided at random into two halves", ge=1, le=100)
    n_seeds: int = setting(2, "fits of each half, each from its own seed", ge=1, le=1000)
    pairs_per_task: int = setting(2, "pairs in one task; tasks may run side by side", ge=1)
    # Far from the recommender's own seeds, so that no half starts as a fit of all users does.
    seed: int = setting(1000, "seed of the halves, and of the first fit", ge=0)


class PairsConfig(HalvesConfig):
    """How the halves are fitted, and which of the pairs a task fits."""

    pairs: tuple[int, ...] = setting((), "their numbers, counting from 0")


def pair_groups(config: HalvesConfig) -> list[PairsConfig]:
    """The configs of the tasks that together fit all pairs."""
    numbers, size = range(config.n_pairs), config.pairs_per_task
    return [PairsConfig(**config.model_dump(), pairs=tuple(numbers[first:][:size])) for first in numbers[::size]]


@dataclass(frozen=True)
class HalfFits:
    """Fits on halves of the users. Half `2p` and half `2p + 1` are complementary; the names of halves are numbers.

    Attributes:
        item_ids: by half, the items that its users rated, int64 (items,).
        item_factors: by half, float32 (seeds, items, n_factors).
        user_covariances: by half, the covariance of the user factors, float64 (seeds, n_factors, n_factors).
    """

    item_ids: Arrays
    item_factors: Arrays
    user_covariances: Arrays

    def pairs(self) -> list[tuple[Half, Half]]:
        """The fits of both halves of each pair."""
        halves = [self._fits(str(number)) for number in range(len(self.item_ids))]
        return list(zip(halves[::2], halves[1::2], strict=True))

    def _fits(self, half: str) -> Half:
        ids, seeds = self.item_ids[half], zip(self.item_factors[half], self.user_covariances[half], strict=True)
        return [ItemFactors(ids, factors, covariance) for factors, covariance in seeds]


def read_pairs(store: Store, handles: Iterable[Handle]) -> list[tuple[Half, Half]]:
    """Read all pairs of halves of artifacts of `HalfFits`, in their order. Raises ArtifactError."""
    return [pair for handle in handles for pair in store.read(handle, HalfFits).pairs()]


def halve_users(user_ids: np.ndarray, config: HalvesConfig) -> Iterator[np.ndarray]:
    """Divide users at random into halves, `n_pairs` times: the sorted ids of one half, then of the other.

    Of an odd number of users, the second half has one more. Raises NotEnoughData if there are fewer than two users.
    """
    users = np.unique(user_ids)
    if len(users) < 2:
        raise NotEnoughData("one user cannot be divided into halves", found=f"{len(users)} user", expected="at least 2")
    random = np.random.default_rng(config.seed)
    for _ in range(config.n_pairs):
        order = random.permutation(users)
        yield from map(np.sort, np.split(order, [len(users) // 2]))


def fit_halves(
    ratings: pd.DataFrame, collab: CollabConfig, epochs: int, config: HalvesConfig, pairs: Sequence[int]
) -> tuple[HalfFits, float]:
    """Fit the recommender to all ratings of each half of the users, for those of all `n_pairs` that are in `pairs`.

    Nothing is held out, so nothing stops a fit before `epochs`: as many as the recommender's own validation chose. No
    two fits start from the same seed. Returns the fits, and the seconds they took. Raises as `fit_recommender` and
    `halve_users` do, and ModelError if users and items have no factors in common.
    """
    started = time.monotonic()
    halves = HalfFits({}, {}, {})
    for number, users in enumerate(halve_users(ratings["user_id"].to_numpy(), config)):
        if number // 2 not in pairs:
            continue
        own = ratings[ratings["user_id"].isin(users)]
        everything = np.ones(len(own), bool)
        seed = config.seed + number * config.n_seeds
        settings = collab.model_copy(update={"seed": seed, "n_seeds": config.n_seeds, "epochs": epochs})
        fits = seed_fits(fit_recommender(own, settings, Split(everything, ~everything, ~everything)))
        half = str(len(halves.item_ids))
        halves.item_ids[half] = fits[0].item_ids
        halves.item_factors[half] = np.stack([fit.item_factors for fit in fits])
        halves.user_covariances[half] = np.stack([fit.user_covariance for fit in fits])
    seconds = time.monotonic() - started
    logger.info("halves: %d pairs, %d seeds each, %d epochs, %.1f s", len(pairs), config.n_seeds, epochs, seconds)
    return halves, seconds
