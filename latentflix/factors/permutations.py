"""Permutations of items or users, for what chance gives."""

import numpy as np


def permute_items(
    groups: np.ndarray, ratings: np.ndarray, n_strata: int, n_permutations: int, random: np.random.Generator
) -> np.ndarray:
    """Draw permutations of items that leave all that is exchanged alike: int64 (permutations, items).

    A group of items that belong together changes places with a group of its size, and a single item with one of
    similar popularity, for what is known of a position depends on it.

    ratings: (items,), how many each item has.
    """
    _, rows, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    members = [np.flatnonzero(rows == group) for group in range(len(sizes))]
    alone = np.array([each[0] for each in members if len(each) == 1], np.int64)
    by_popularity = alone[np.argsort(ratings[alone], kind="stable")]
    strata = [part[:, None] for part in np.array_split(by_popularity, n_strata)]
    strata += [np.array([each for each in members if len(each) == size]) for size in np.unique(sizes[sizes > 1])]
    orders = np.tile(np.arange(len(groups)), (n_permutations, 1))
    for order in orders:
        for stratum in strata:
            order[stratum] = stratum[random.permutation(len(stratum))]
    return orders
