"""Monosemanticity: how much alike the items are that are strongest at a pole, beside any two items.

Source: the notebooks of Arviv and others 2025, "Extracting Interaction-Aware Monosemantic Concepts in Recommender
Systems", https://github.com/DeltaLabTLV/Monosemanticity4Rec. There the activations of a feature are scaled to [0, 1]
over all items, and the mean similarity of pairs of its 30 strongest items is taken, a pair weighing as much as the
product of the two activations; two items are as similar as the cosine of their vectors in the recommender.
"""

import numpy as np
import pandas as pd

from latentflix.factors.labels import SIGNS

N_STRONGEST = 30


def score_monosemanticity(positions: pd.DataFrame, traits: np.ndarray, n_strongest: int = N_STRONGEST) -> pd.Series:
    """Score each pole: the mean cosine of the traits of pairs of its strongest items, weighted by their activations.

    An axis has two poles, so it is taken for two features: the activation of an item is how far it is from the mean
    towards the pole, as a share of the furthest item's, and 0 on the other side.

    positions: one column per axis, 0 at the mean. traits: (items, traits), what items are compared by: their vectors,
    or an indicator of each genre. An item without any is like no other.
    Returns float, index label; NaN for a pole with fewer than two items.
    """
    units = unit_rows(traits)
    scores = {}
    for axis in positions.columns:
        for pole, sign in SIGNS.items():
            activation = np.maximum(sign * positions[axis].to_numpy(np.float64), 0)
            strongest = np.argsort(-activation, kind="stable")[:n_strongest]
            scores[f"{axis}{pole}"] = mean_similarity(units[strongest], activation[strongest])
    return pd.Series(scores, dtype=float).rename_axis("label")


def mean_similarity(units: np.ndarray, weights: np.ndarray) -> float:
    """The mean product of two different rows, a pair weighing as much as the product of their weights.

    With equal weights of all items it is what any pole scores by chance: the expectation for items drawn at random.
    NaN if fewer than two rows have a weight.
    """
    pairs = weights.sum() ** 2 - (weights**2).sum()
    if (weights > 0).sum() < 2:
        return float("nan")
    whole = np.square(weights @ units).sum()
    with_itself = (weights**2) @ np.square(units).sum(1)
    return float((whole - with_itself) / pairs)


def unit_rows(traits: np.ndarray) -> np.ndarray:
    """The rows at length 1, float64; a row of zeros stays one."""
    lengths = np.linalg.norm(traits, axis=1, keepdims=True)
    return np.asarray(traits / np.where(lengths > 0, lengths, 1))
