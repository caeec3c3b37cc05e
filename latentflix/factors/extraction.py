"""Axes that mean the same on every run: the item factors of several fits, in one common rotation.

A raw axis of one fit is no axis of the next; what is the same in every fit is how items differ in the predictions they
get. On MovieLens 100K two groups of eight seeds share 16 of 20 directions at |r| of 0.9 or more, but only 7 to 9 of
their principal axes, since those of similar weight are mixed arbitrarily; of varimax axes they share 10 or 11.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.errors import NotEnoughData
from latentflix.factors.stability import STABILITY, at_full_size, measure_agreement, measure_stability
from latentflix.recommender.latent_factors import ItemFactors, LatentFactors
from latentflix.recommender.rotation import Rotation, fit_axes


class FactorConfig(StageConfig):
    """How item factors become axes."""

    rotation: Rotation = setting(
        "varimax",
        "pca: principal axes common to all seeds; varimax: these, rotated until each is strong in few items; "
        "ica: their independent components; sparse: features of a sparse autoencoder of them; "
        "none: the first seed's own raw axes, centred",
    )
    n_axes: int = setting(
        20,
        "factors: principal axes that are kept, or what is made of these; features of a sparse autoencoder",
        ge=1,
        le=1000,
    )
    n_active: int = setting(3, "features of the sparse autoencoder that describe an item", ge=1)
    min_ratings: int = setting(30, "ratings an item needs to influence the factors and their stability", ge=1)
    rating_weight: float = setting(
        1.0, "power of its number of ratings by which an item influences the factors; 0: all alike", ge=0, le=2
    )
    stable_from: float = setting(0.9, "least |r| between groups of seeds for a factor to count as stable", ge=0, le=1)
    shared_from: float = setting(
        0.7,
        "least |r| between groups of users, of the full number each, for a factor to count as shared by people",
        ge=0,
        le=1,
    )
    n_rotations: int = setting(1000, "random rotations, for the |r| that chance gives", ge=20, le=100_000)
    pole_from: float = setting(
        1.0, "distance from the mean from which an item counts as at a pole", unit="standard deviations", gt=0
    )
    seed: int = setting(0, "seed of the random rotations", ge=0)


@dataclass(frozen=True)
class Factors:
    """The items' scores on each axis, and the properties of the axes.

    Attributes:
        scores: index item_id, one column per axis ("1", "2", …), float32, in standard deviations over the items with
            `min_ratings`.
        axes: index axis (as the columns); rotation str; explained float (share of the variance of the predictions);
            stability, stability_null, stability_null_95, stability_p float (as from `measure_stability`); stable bool;
            people, people_null_95, people_full float, NaN without halves (agreement between halves of the users, what
            chance gives, and the agreement to expect between groups as large as all users); shared bool;
            positive_items, negative_items int and positive_share, negative_share float (the items with `min_ratings`
            that score at least `pole_from` in that direction).
    """

    scores: pd.DataFrame
    axes: pd.DataFrame


def extract_factors(
    fits: Sequence[LatentFactors | ItemFactors],
    n_ratings: pd.Series,
    config: FactorConfig,
    halves: Sequence[tuple[Sequence[ItemFactors], Sequence[ItemFactors]]] = (),
) -> Factors:
    """Find the axes along which the items differ, and how stable each is from seed to seed and between people.

    Stability is measured between the first and the second half of the seeds, each with axes of its own, so neither half
    is the group that made the axes; all items with `min_ratings` count alike in it. Agreement between people is
    measured in the same way between the two halves of the users of each pair in `halves`, and averaged over the pairs.
    One fit cannot show how stable an axis is: its stability is NaN, and every axis counts as stable.
    The sign of an axis is such that its longer tail, each item counted as often as it was rated, is the positive one;
    a raw axis keeps its own, and the name of its dimension.
    Raises NotEnoughData if fewer than three items have `min_ratings`.
    """
    item_ids = fits[0].item_ids
    ratings = n_ratings.reindex(item_ids, fill_value=0).to_numpy(np.float64)
    frequently_rated = ratings >= config.min_ratings
    if frequently_rated.sum() < 3:
        raise NotEnoughData(
            "too few items have enough ratings to find factors",
            found=f"{frequently_rated.sum()} items with {config.min_ratings} ratings or more",
            expected="at least 3",
            hint="lower --factors.min-ratings",
        )
    weights = np.where(frequently_rated, ratings**config.rating_weight, 0)
    half = len(fits) // 2
    kind = config.rotation, config.n_axes, config.n_active
    positions, explained = fit_axes(fits, weights, *kind)
    rows = frequently_rated
    if half:
        first, second = (fit_axes(group, weights, *kind)[0][rows] for group in (fits[:half], fits[half:]))
        stability = measure_stability(positions[rows], first, second, config.n_rotations, config.seed)
    else:
        stability = pd.DataFrame(np.nan, range(positions.shape[1]), STABILITY)
    # Frequently rated items have the same position in every run, so a third moment by ratings keeps its sign.
    raw = config.rotation == "none"
    signs = np.where((ratings[rows] @ positions[rows] ** 3 < 0) & (not raw), -1, 1)
    spread = positions[rows].std(0)
    scores = signs * (positions - positions[rows].mean(0)) / np.where(spread > 0, spread, 1)
    numbers = [str(number + 1) for number in range(scores.shape[1])]
    names = list(fits[0].dimensions) or numbers if raw else numbers
    axes = stability.set_axis(pd.Index(names, name="axis"), axis=0)
    axes["stable"] = (axes["stability"] >= config.stable_from) | (half == 0)
    people = _agreement_between_people(pd.DataFrame(positions, item_ids), halves, pd.Series(weights, item_ids), config)
    axes["people"], axes["people_null_95"] = people.T
    axes["people_full"] = at_full_size(axes["people"])
    axes["shared"] = (axes["people_full"] >= config.shared_from) & (axes["people"] > axes["people_null_95"])
    at_poles = {"positive": scores[rows] >= config.pole_from, "negative": scores[rows] <= -config.pole_from}
    axes = axes.assign(**{f"{pole}_items": reached.sum(0) for pole, reached in at_poles.items()})
    axes = axes.assign(**{f"{pole}_share": reached.mean(0) for pole, reached in at_poles.items()})
    axes.insert(0, "rotation", config.rotation)
    axes.insert(1, "explained", explained)
    index = pd.Index(item_ids, name="item_id")
    return Factors(pd.DataFrame(scores.astype(np.float32), index=index, columns=names), axes)


def _agreement_between_people(
    positions: pd.DataFrame,
    halves: Sequence[tuple[Sequence[ItemFactors], Sequence[ItemFactors]]],
    weights: pd.Series,
    config: FactorConfig,
) -> np.ndarray:
    """Agreement of each axis between halves of the users and its 95 % quantile by chance, float64 (axes, 2).

    Both are of the mean over the pairs, each of which is rotated by itself. An item that a half lacks is left out of
    its pair. NaN without halves.
    """
    agreements, nulls = [], []
    for number, pair in enumerate(halves):
        first_ids, second_ids = (half[0].item_ids for half in pair)
        common = weights.index[(weights > 0) & weights.index.isin(np.intersect1d(first_ids, second_ids))]
        first, second = (_fit_half(half, weights[common], config) for half in pair)
        agreement, null = measure_agreement(
            positions.loc[common].to_numpy(), first, second, config.n_rotations, config.seed + number
        )
        agreements.append(agreement)
        nulls.append(null)
    if not agreements:
        return np.full((positions.shape[1], 2), np.nan)
    return np.stack([np.mean(agreements, axis=0), np.quantile(np.mean(nulls, axis=0), 0.95, axis=0)], axis=1)


def _fit_half(half: Sequence[ItemFactors], weights: pd.Series, config: FactorConfig) -> np.ndarray:
    """The axes of one half of the users on the items with weight, float64 (items, axes)."""
    item_ids = pd.Index(half[0].item_ids)
    of_all = weights.reindex(item_ids, fill_value=0).to_numpy()
    return fit_axes(half, of_all, config.rotation, config.n_axes, config.n_active)[0][
        item_ids.get_indexer(weights.index)
    ]
