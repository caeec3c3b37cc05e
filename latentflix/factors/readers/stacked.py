"""The judge: what the readers of words predict together, each weighed by how well it predicts left-out items."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

STACKED = "stacked"


def stack_readers(left_out: Sequence[np.ndarray], targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Find for each target the non-negative weights of the readers whose sum predicts it best.

    A single reader has the weight 1. Where no reader helps, all weigh the same.
    Source: Breiman 1996, stacked regressions.

    Args:
        left_out: of each reader, what it predicts of each item without it (items, targets).
        targets: (items, targets).
        weights: (items,), how much each item counts.

    Returns:
        float64 (readers, targets).
    """
    n_readers, n_targets = len(left_out), targets.shape[1]
    if n_readers == 1:
        return np.ones((1, n_targets))
    share = (weights / weights.sum()).astype(targets.dtype)
    truth = targets - share @ targets
    parts = [part - share @ part for part in left_out]
    products = np.array([[share @ (left * right) for left in parts] for right in parts], np.float64).transpose(2, 0, 1)
    towards = np.array([share @ (part * truth) for part in parts], np.float64).T
    # The best non-negative weights are the best ones of some of the readers, so all choices of readers are tried.
    best, found = np.zeros(n_targets), np.zeros((n_targets, n_readers))
    for chosen in (list(each) for size in range(1, n_readers + 1) for each in combinations(range(n_readers), size)):
        among = products[:, chosen][:, :, chosen]
        ridge = 1e-9 * np.trace(among, axis1=1, axis2=2)[:, None, None] + 1e-30
        solved = np.linalg.solve(among + ridge * np.eye(len(chosen)), towards[:, chosen, None])[..., 0]
        gain = (solved * towards[:, chosen]).sum(1)
        better = (solved >= 0).all(1) & (gain > best)
        best[better] = gain[better]
        found[better] = 0
        found[np.ix_(better, chosen)] = solved[better]
    return np.where(found.sum(1) > 0, found.T, 1 / n_readers)
