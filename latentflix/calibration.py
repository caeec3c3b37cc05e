"""Whether probabilities are what they say they are."""

import numpy as np
import pandas as pd

_BINS = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])


def calibrate(truth: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """One row a bin of probabilities: said (their mean), carried (share that is so), pairs of text and label."""
    pairs = pd.DataFrame({"said": probabilities.ravel(), "carried": truth.ravel()})
    grouped = pairs.groupby(np.digitize(pairs["said"], _BINS[1:-1]))
    return grouped.mean().assign(pairs=grouped.size()).reset_index(drop=True)


def calibration_error(calibration: pd.DataFrame) -> float:
    """How far, on average, the share that is so lies from what was said. Source: Naeini et al. 2015, expected error."""
    off = (calibration["said"] - calibration["carried"]).abs()
    return float((off * calibration["pairs"]).sum() / calibration["pairs"].sum())
