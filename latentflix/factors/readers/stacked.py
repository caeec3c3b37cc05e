"""The judge: what the readers of words predict together, each weighed by how well it predicts left-out items."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import nnls

STACKED = "stacked"


def stack_readers(left_out: Sequence[np.ndarray], targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Find for each target the non-negative weights of the readers whose sum predicts it best.

    A single reader has the weight 1. Where no weight above zero helps, all readers weigh the same.
    Source: Breiman 1996, stacked regressions.

    Args:
        left_out: of each reader, what it predicts of each item without it (items, targets).
        targets: (items, targets).
        weights: (items,), how much each item counts.

    Returns:
        float64 (readers, targets).
    """
    if len(left_out) == 1:
        return np.ones((1, targets.shape[1]))
    root, share = np.sqrt(weights)[:, None], weights / weights.sum()
    truth = root * (targets - share @ targets)
    parts = [root * (part - share @ part) for part in left_out]
    found = np.stack(
        [nnls(np.stack([part[:, at] for part in parts], 1), truth[:, at])[0] for at in range(targets.shape[1])], 1
    )
    return np.where(found.sum(0) > 0, found, 1 / len(left_out))
