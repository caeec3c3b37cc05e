"""Axes that mean the same on every run: the item factors of several fits, in one common rotation.

The product of user and item factors does not change when both are rotated, so a raw axis of one fit is no axis of
the next. What is the same in every fit is how items differ in the predictions they get. So item factors are
measured in the users' metric, put side by side over the seeds, and the principal axes of the whole span the space
that is looked at. Principal axes of like weight are still mixed at will: on MovieLens 100K two groups of eight seeds
share 16 of 20 directions at |r| of 0.9 or more, but only 7 to 9 of their principal axes. Varimax settles the mixture,
for it turns the axes until each is strong in few items; if items count by their ratings, 10 or 11 axes then agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.errors import NotEnoughData
from latentflix.factors.stability import measure_stability
from latentflix.recommender.latent_factors import LatentFactors
from latentflix.recommender.rotation import Rotation, fit_axes


class FactorConfig(StageConfig):
    """How item factors become axes."""

    rotation: Rotation = setting(
        "varimax",
        "pca: principal axes common to all seeds; varimax: these, turned among themselves until each is strong in "
        "few items; none: the first seed's own raw axes, centred",
    )
    n_axes: int = setting(20, "principal axes that are looked at, or turned by varimax", ge=1, le=1000)
    min_ratings: int = setting(30, "ratings an item needs to take part in finding and matching the axes", ge=1)
    rating_weight: float = setting(
        1.0, "an item counts in finding the axes by this power of its ratings; 0: all alike", ge=0, le=2
    )
    stable_from: float = setting(0.9, "least |r| between groups of seeds for an axis to count as stable", ge=0, le=1)
    n_rotations: int = setting(1000, "random rotations that say what |r| chance gives", ge=20, le=100_000)
    pole_from: float = setting(
        1.0, "distance from the mean from which an item is counted at a pole", unit="standard deviations", gt=0
    )
    seed: int = setting(0, "seed of the random rotations", ge=0)


@dataclass(frozen=True)
class Factors:
    """Where the items stand on each axis, and what is known of the axes.

    scores: index item_id, one column an axis ("1", "2", …), float32, in standard deviations over the items with
    `min_ratings`. axes: index axis (as the columns); rotation str; explained float (share of the variance of the
    predictions); stability, stability_null, stability_null_95, stability_p float (as `measure_stability` gives them);
    stable bool; positive_items, negative_items int and positive_share, negative_share float (the items with
    `min_ratings` that stand at least `pole_from` out).
    """

    scores: pd.DataFrame
    axes: pd.DataFrame


def extract_factors(fits: Sequence[LatentFactors], n_ratings: pd.Series, config: FactorConfig) -> Factors:
    """The axes along which the items differ, and how far each is the same from seed to seed.

    n_ratings: ratings of each item, by item_id. Stability is measured between the first and the second half of the
    seeds, each with axes of its own, so neither half is the group that made the axes; in it all items with
    `min_ratings` count alike. The sign of an axis is such that its longer tail, each item counted as often as it was
    rated, is the positive one. Raises NotEnoughData if no more than two items have `min_ratings`, NotEnoughData if there
    is but one fit.
    """
    if len(fits) < 2:
        raise NotEnoughData(
            "one fit cannot say which axes are stable",
            found="1 seed",
            expected="at least 2, from which two groups can be made",
            hint="raise --collab.n-seeds",
        )
    item_ids = fits[0].item_ids
    ratings = n_ratings.reindex(item_ids, fill_value=0).to_numpy(np.float64)
    often = ratings >= config.min_ratings
    if often.sum() < 3:
        raise NotEnoughData(
            "too few items have enough ratings to find axes",
            found=f"{often.sum()} items with {config.min_ratings} ratings or more",
            expected="at least 3",
            hint="lower --factors.min-ratings",
        )
    weights = np.where(often, ratings**config.rating_weight, 0)
    half = len(fits) // 2
    (positions, explained), (one, _), (other, _) = (
        fit_axes(group, weights, config.rotation, config.n_axes) for group in (fits, fits[:half], fits[half:])
    )
    stability = measure_stability(positions[often], one[often], other[often], config.n_rotations, config.seed)
    # Items that are rated often stand at the same place in every run, so a third moment by ratings keeps its sign.
    signs = np.where(ratings[often] @ positions[often] ** 3 < 0, -1, 1)
    scores = signs * positions / positions[often].std(0)
    names = [str(number + 1) for number in range(scores.shape[1])]
    axes = stability.set_axis(pd.Index(names, name="axis"), axis=0)
    axes = axes.assign(stable=axes["stability"] >= config.stable_from, **_count_poles(scores[often], config.pole_from))
    axes.insert(0, "rotation", config.rotation)
    axes.insert(1, "explained", explained)
    index = pd.Index(item_ids, name="item_id")
    return Factors(pd.DataFrame(scores.astype(np.float32), index=index, columns=names), axes)


def _count_poles(scores: np.ndarray, pole_from: float) -> dict[str, np.ndarray]:
    poles = {"positive": scores >= pole_from, "negative": scores <= -pole_from}
    return {f"{pole}_items": there.sum(0) for pole, there in poles.items()} | {
        f"{pole}_share": there.mean(0) for pole, there in poles.items()
    }
