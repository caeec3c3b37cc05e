"""Intervals of rank correlations, from resamples of items and of repeats."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.metrics import bootstrap_groups, bootstrap_interval, rank_correlations, resampled_rank_correlations


@dataclass(frozen=True)
class Resamples:
    """weights: float64 (resamples, items); repeats: float64 (resamples, repeats), each row of sum 1."""

    own: np.ndarray
    weights: np.ndarray
    repeats: np.ndarray

    @classmethod
    def draw(
        cls,
        groups: np.ndarray,
        weights: np.ndarray,
        n_repeats: int,
        n_resamples: int,
        random: np.random.Generator,
    ) -> "Resamples":
        """Draw groups of items that belong together, and repeats, with replacement."""
        counts = bootstrap_groups(random, groups, n_resamples)
        repeats = random.multinomial(n_repeats, np.full(n_repeats, 1 / n_repeats), n_resamples) / n_repeats
        return cls(weights, counts * weights, repeats)

    def score(self, predicted: np.ndarray, truth: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rank correlations of predictions (repeats, items, axes), and resampled: (axes,), (resamples, axes).

        truth: (items, axes), or as `predicted`.
        """
        truths = np.broadcast_to(truth, predicted.shape)
        value = np.mean(
            [rank_correlations(*each, self.own) for each in zip(predicted, truths, folds, strict=True)], axis=0
        )
        shares = self.repeats if len(predicted) > 1 else np.ones((len(self.repeats), 1))
        resampled = sum(
            share[:, None] * resampled_rank_correlations(*each, self.weights)
            for share, each in zip(shares.T, zip(predicted, truths, folds, strict=True), strict=True)
        )
        return value, np.asarray(resampled)


def interval(name: str, resampled: np.ndarray, value: float, confidence: float) -> dict[str, float]:
    """The interval of a score about its value, under the names `<name>_low` and `<name>_high`; NaN if it is."""
    if not np.isfinite(value):
        return {f"{name}_low": np.nan, f"{name}_high": np.nan}
    low, high = bootstrap_interval(resampled, confidence, centre=value)
    return {f"{name}_low": low, f"{name}_high": high}


def add_interval(axes: pd.DataFrame, name: str, resampled: np.ndarray, confidence: float) -> None:
    """Add the intervals of a column of scores. resampled: (resamples, axes)."""
    ends = [interval(name, column, value, confidence) for column, value in zip(resampled.T, axes[name], strict=True)]
    axes[[f"{name}_low", f"{name}_high"]] = pd.DataFrame(ends, axes.index)
