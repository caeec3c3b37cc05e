"""How well a phrase says where items stand on a factor, and how far that is from chance.

A phrase learns nothing from positions. So under chance it is enough to exchange the documents of items: there is
nothing to be learned anew, as there is for readers.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.errors import NotEnoughData, NotFound
from latentflix.factors.documents import Documents
from latentflix.factors.labels import POLES
from latentflix.factors.meanings.similarity import Likeness, Similarity
from latentflix.factors.permutations import permute_items
from latentflix.metrics import bootstrap_groups, bootstrap_interval, resampled_rank_correlations, weighted_ranks

# Numbers of one block of permutations.
_AT_ONCE = 2**22
_LEAST_ITEMS = 8


class MeaningConfig(StageConfig):
    """How precisely a phrase is tested."""

    permutations: int = setting(2000, "permutations of the documents over items", ge=20, le=100_000)
    bootstraps: int = setting(1000, "resamples of the items, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    far: float = setting(1.0, "how far from the mean an item is at a pole", unit="standard deviations", gt=0)
    n_strata: int = setting(5, "groups of items of similar popularity, within which documents are permuted", ge=1)
    seed: int = setting(0, "seed of permutations and resamples", ge=0)


@dataclass(frozen=True)
class MeaningScore:
    """How well a phrase says where items stand, signed towards a pole.

    Attributes:
        by: what the phrase was compared by, "words" or "sentences".
        rho: Spearman's correlation of likeness and position; an item counts by how well its position is known.
        null_sd: the standard deviation of rho under chance.
        p: the share of permutations that reach rho, the observed order counted as one.
        auc: the share of pairs of an item at the pole and another that likeness puts in the right order; NaN if no
            item is there.
        items: how many there are, and items_at_pole, how many of them are at the pole.
        known: the words and pairs of the phrase that were looked for, and unknown, those that no text uses.
    """

    axis: str
    pole: str
    phrase: str
    by: str
    rho: float
    rho_low: float
    rho_high: float
    null_sd: float
    p: float
    auc: float
    auc_low: float
    auc_high: float
    items: int
    items_at_pole: int
    known: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def label(self) -> str:
        """The axis with its pole."""
        return self.axis + self.pole


def test_meaning(
    documents: Documents,
    positions: pd.DataFrame,
    axis: str,
    pole: str,
    phrase: str,
    similarity: Similarity,
    config: MeaningConfig,
) -> MeaningScore:
    """Test how well a phrase says where items stand on a factor.

    Args:
        documents: the items on which the phrase is tested.
        positions: index item_id, one column per axis.
        similarity: compares phrases with these documents.

    Raises:
        NotFound: there is no such factor or pole, or nothing of the phrase is known.
        DataError: the phrase is empty.
        NotEnoughData: there are fewer than eight items, or all are as like the phrase.
    """
    axis = check_axis(axis, positions)
    if pole not in POLES:
        raise NotFound("there is no such pole", found=pole, expected=" or ".join(POLES))
    weights = _check_weights(documents)
    likeness = _compare(phrase, similarity)
    truth = positions.loc[documents.items.index, axis].to_numpy(np.float64) * (1 if pole == POLES[0] else -1)
    trials = _Trials.draw(documents, weights, config)
    rho, resampled, null = trials.correlate(likeness.values, truth[:, None])
    mean = np.average(truth, weights=weights)
    at_pole = truth > mean + config.far * np.sqrt(np.average((truth - mean) ** 2, weights=weights))
    auc, aucs = (_auc(likeness.values, at_pole, each) for each in (weights[None], trials.resamples))
    rho_low, rho_high = _interval(resampled[:, 0], rho[0], config)
    auc_low, auc_high = _interval(aucs, auc[0], config)
    return MeaningScore(
        axis=axis,
        pole=pole,
        phrase=" ".join(phrase.split()),
        by=similarity.name,
        rho=float(rho[0]),
        rho_low=rho_low,
        rho_high=rho_high,
        null_sd=float(null[:, 0].std()),
        p=_p(rho, null)[0] if np.isfinite(rho[0]) else np.nan,
        auc=float(auc[0]),
        auc_low=auc_low,
        auc_high=auc_high,
        items=len(truth),
        items_at_pole=int(at_pole.sum()),
        known=likeness.known,
        unknown=likeness.unknown,
    )


def best_factors(
    documents: Documents, positions: pd.DataFrame, phrase: str, similarity: Similarity, config: MeaningConfig
) -> pd.DataFrame:
    """Find the factors and poles that a phrase fits best.

    Args and errors as for `test_meaning`.

    Returns:
        The best first, index label: axis, pole, rho, rho_low, rho_high (towards the pole), p (either pole would have
        counted), and p_max (the largest of all axes counts too, each in units of its own null).
    """
    weights = _check_weights(documents)
    likeness = _compare(phrase, similarity)
    truth = positions.loc[documents.items.index].to_numpy(np.float64)
    rho, resampled, null = _Trials.draw(documents, weights, config).correlate(likeness.values, truth)
    sizes, chance = (np.abs(each) / np.maximum(null.std(0), 1e-12) for each in (rho, null))
    signs = np.where(rho < 0, -1, 1)
    table = pd.DataFrame(
        {
            "axis": [str(axis) for axis in positions.columns],
            "pole": np.where(rho < 0, POLES[1], POLES[0]),
            "rho": np.abs(rho),
            "p": _p(sizes, chance),
            # Source: Westfall and Young 1993, the maximum over the tests.
            "p_max": _p(sizes, np.nanmax(chance, axis=1, keepdims=True)),
        }
    )
    ends = [_interval(column, value, config) for column, value in zip((resampled * signs).T, table["rho"], strict=True)]
    table[["rho_low", "rho_high"]] = ends
    table.index = pd.Index(table["axis"] + table["pole"], name="label")
    return table.dropna(subset=["rho"]).sort_values("rho", ascending=False, kind="stable")


def check_axis(asked: str, positions: pd.DataFrame) -> str:
    """The axis of this name. Raises NotFound if there is none."""
    axes = [str(axis) for axis in positions.columns]
    if asked.strip() not in axes:
        raise NotFound("there is no such factor", found=asked, expected=f"a number from {axes[0]} to {axes[-1]}")
    return asked.strip()


@dataclass(frozen=True)
class _Trials:
    """Permutations of the documents, int64 (permutations, items), and weights of resamples (resamples, items)."""

    weights: np.ndarray
    orders: np.ndarray
    resamples: np.ndarray

    @classmethod
    def draw(cls, documents: Documents, weights: np.ndarray, config: MeaningConfig) -> "_Trials":
        """Draw permutations, and groups of items that belong together with replacement."""
        random = np.random.default_rng(config.seed)
        groups = documents.items["group"].to_numpy()
        ratings = documents.items["ratings"].to_numpy()
        orders = permute_items(groups, ratings, config.n_strata, config.permutations, random)
        return cls(weights, orders, bootstrap_groups(random, groups, config.bootstraps) * weights)

    def correlate(self, values: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Correlate values (items,) with each column of the truth: as they are, resampled, and permuted.

        Returns float64 (axes,), (resamples, axes) and (permutations, axes).
        """
        columns, alone = np.broadcast_to(values[:, None], truth.shape), np.zeros(len(values))
        rho, resampled = (
            resampled_rank_correlations(columns, truth, alone, weights)
            for weights in (self.weights[None], self.resamples)
        )
        return rho[0], resampled, self._permuted(values, truth)

    def _permuted(self, values: np.ndarray, truth: np.ndarray) -> np.ndarray:
        ranks = np.stack([weighted_ranks(column, self.weights[None])[0] for column in truth.T])
        spreads = np.sqrt((self.weights * ranks**2).sum(1))
        null = np.zeros((len(self.orders), len(ranks)))
        size = max(_AT_ONCE // len(values), 1)
        for start in range(0, len(self.orders), size):
            # Where each document goes; the weights stay with the positions.
            places = np.argsort(self.orders[start : start + size], axis=1)
            weights = self.weights[places]
            permuted = weighted_ranks(values, weights)
            weighted = weights * permuted
            spread = np.sqrt((weighted * permuted).sum(1))
            for axis, known in enumerate(ranks):
                with np.errstate(invalid="ignore", divide="ignore"):
                    null[start : start + size, axis] = (weighted * known[places]).sum(1) / (spread * spreads[axis])
        return null


def _compare(phrase: str, similarity: Similarity) -> Likeness:
    likeness = similarity.compare(phrase)
    if np.ptp(likeness.values) == 0:
        raise NotEnoughData(
            "the texts of all items are equally like the phrase, so it says nothing of where they stand",
            found=phrase.strip(),
            hint="try other words",
        )
    return likeness


def _check_weights(documents: Documents) -> np.ndarray:
    if len(documents.items) < _LEAST_ITEMS:
        raise NotEnoughData(
            "there are too few items to test a phrase on",
            found=f"{len(documents.items)} items with texts",
            expected=f"at least {_LEAST_ITEMS}",
            hint="bring more reviews",
        )
    return documents.items["weight"].to_numpy(np.float64)


def _auc(values: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted AUC for each row of weights: float64 (trials,)."""
    ranks = weighted_ranks(values, weights) + 0.5
    inside = (weights * positive).sum(1)
    outside = weights.sum(1) - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        beaten = (weights * positive * ranks).sum(1) / inside * weights.sum(1)
        # Pairs of two items at the pole are among those that were counted, one half of them as beaten.
        return np.asarray((beaten - inside / 2) / outside)


def _interval(resampled: np.ndarray, value: float, config: MeaningConfig) -> tuple[float, float]:
    if not np.isfinite(value):
        return np.nan, np.nan
    return bootstrap_interval(resampled, config.confidence, centre=float(value))


def _p(found: np.ndarray, null: np.ndarray) -> np.ndarray:
    # The observed order is one of the possible ones. Source: Phipson and Smyth 2010.
    return np.asarray((1 + (null >= found).sum(0)) / (1 + len(null)))
