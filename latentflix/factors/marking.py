"""What marks a pole: the columns of a table of items that go with positions more closely than chance allows."""

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from latentflix.factors.word_families import group_families
from latentflix.factors.word_use import standardise

# Terms of a pole that are sorted into families, for each that is listed.
_CANDIDATES = 20
# Numbers of one block of correlations.
_AT_ONCE = 2**24


def correlate(
    values: np.ndarray, ranks: pd.DataFrame, weights: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Correlate standardised values (items, columns) with the ranks of positions, and with permuted ones.

    Returns the correlations, float32 (columns, axes), and for each permutation and axis the largest of any column,
    whatever its sign: float32 (permutations, axes).
    """
    truth = ranks.to_numpy()
    weighted = np.ascontiguousarray((values * weights[:, None]).T, np.float32)
    null = np.zeros((len(orders), truth.shape[1]), np.float32)
    size = max(_AT_ONCE // max(len(weighted) * truth.shape[1], 1), 1)
    for start in tqdm(range(0, len(orders), size), desc="permutations", leave=False, disable=None):
        chosen = slice(start, start + size)
        permuted = truth[orders[chosen]].transpose(1, 0, 2)
        flat = standardise(permuted.reshape(len(truth), -1), weights)
        null[chosen] = np.abs(weighted @ flat).max(0, initial=0).reshape(permuted.shape[1:])
    return weighted @ standardise(truth, weights), null


def corrected_p(r: np.ndarray, null: np.ndarray) -> np.ndarray:
    """The share of the permutations, the observed order among them, whose largest correlation reaches |r|."""
    # Equal correlations may differ in their last digits.
    reached = len(null) - np.searchsorted(np.sort(null), np.abs(r) - 1e-6)
    return np.asarray((1 + reached) / (1 + len(null)))


def find_families(
    terms: np.ndarray,
    use: np.ndarray,
    weights: np.ndarray,
    r: np.ndarray,
    p: np.ndarray,
    max_p: float,
    n_families: int,
    *,
    english: bool = True,
) -> list[np.ndarray]:
    """Find the families of terms that mark a pole, the strongest first, each as the numbers of its terms.

    Args:
        terms: str (terms,).
        use: (items, terms), standardised over items by `weights`, (items,), which sum up to 1.
        r: (terms,), the correlation of each with the position, towards the pole.
        p: (terms,), of at most `max_p` for a term that marks the pole.
        english: whether an English plural is a form of its singular.
    """
    marking = np.flatnonzero((p <= max_p) & (r > 0))
    marking = marking[np.argsort(-r[marking], kind="stable")][: _CANDIDATES * n_families]
    # Terms that go with the position go together; what they share beyond it makes them say the same.
    explained = np.outer(r[marking], r[marking])
    shared = (use[:, marking] * weights[:, None]).T @ use[:, marking] - explained
    agreement = shared / np.sqrt(np.outer(1 - r[marking] ** 2, 1 - r[marking] ** 2))
    return [
        marking[family] for family in group_families(terms[marking].tolist(), agreement, english=english)[:n_families]
    ]
