"""How well positions are predicted, how far that is from chance, and what readers differ in.

Chance is what the same readers reach for permuted positions, for which they learn everything anew. A null that keeps
the predictions and permutes the positions alone is too narrow, because the predictions of one fold depend on the
positions of the others; so the scores of a reader that cannot learn a thousand times get a null that is as much wider
as it is for the readers that can.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm

from latentflix.config import StageConfig, setting
from latentflix.factors.crossfit import CrossFit
from latentflix.factors.documents import Documents
from latentflix.factors.network import NETWORK, NetworkPositions
from latentflix.factors.permutations import permute_items
from latentflix.factors.readers.metadata import METADATA
from latentflix.factors.readers.stacked import STACKED
from latentflix.factors.resampling import Resamples, add_interval, interval
from latentflix.metrics import rank_correlations

# Groups of items of similar popularity, as the readers' permutations have them by default.
_STRATA = 5
_KIND_COLUMNS = [
    *("kind", "items", "parts", "mean_rho_without", "mean_rho_without_low", "mean_rho_without_high"),
    *("difference", "difference_low", "difference_high"),
]


class EvaluationConfig(StageConfig):
    """How precise p-values and intervals are, and which factors hold."""

    permutations: int = setting(1000, "permutations of labels and of the network's positions", ge=20, le=100_000)
    bootstraps: int = setting(1000, "resamples of the items, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    false_discoveries: float = setting(
        0.05, "share of the factors that hold that may do so by chance (Benjamini and Hochberg)", gt=0, lt=1
    )
    seed: int = setting(0, "seed of permutations and resamples", ge=0)


@dataclass(frozen=True)
class PositionScores:
    """How well readers predict positions. All correlations are Spearman's, of held-out items within folds.

    Attributes:
        axes: index axis; of the judge rho, rho_low, rho_high, null, null_sd, p, p_max (the largest of all axes counts),
            q (of all axes), holds; network_p; beyond, beyond_low, beyond_high; and of each other reader
            rho_<reader> and the judge's lead over it, difference_<reader> with _low and _high.
        readers: index reader, the judge first; the means over the stable axes: mean_rho, difference (the judge's lead),
            each with _low and _high. The judge's own difference is NaN.
        kinds: index kind, of texts, if there are several; items (that have one), parts, and over the stable axes of the
            judge mean_rho_without (if none of the kind is read), difference (what the kind adds), each with _low and
            _high.
        beyond: mean_rho_beyond_metadata.
        inflation: how much wider the null is if readers learn anew.
    """

    axes: pd.DataFrame
    readers: pd.DataFrame
    kinds: pd.DataFrame
    beyond: float
    inflation: float

    def summary(self) -> dict[str, float | int | None]:
        """The figures of the judge, and the network's mean."""
        judge = self.readers.loc[STACKED]
        network = self.readers["mean_rho"].get(NETWORK)
        return {
            "mean_rho": float(judge["mean_rho"]),
            "mean_rho_low": float(judge["mean_rho_low"]),
            "mean_rho_high": float(judge["mean_rho_high"]),
            "mean_rho_network": None if network is None or np.isnan(network) else float(network),
            "mean_rho_beyond_metadata": self.beyond,
            "factors_that_hold": int(self.axes["holds"].sum()),
            "null_inflation": self.inflation,
        }


def score_positions(
    fit: CrossFit,
    documents: Documents,
    positions: pd.DataFrame,
    stable: pd.Series,
    network: NetworkPositions | None,
    config: EvaluationConfig,
    without_kind: Mapping[str, np.ndarray] | None = None,
) -> PositionScores:
    """Score what the readers predict of held-out items.

    Args:
        fit: the cross-fitted predictions of the documents' items.
        positions: index item_id, one column per axis.
        stable: index axis, bool; the means are over these.
        network: what the network predicts of held-out items, if it ran.
        without_kind: by kind of text, float32 (repeats, items, axes), what the judge predicts on the same folds if no
            text of the kind is read.
    """
    items = documents.items
    truth = positions.loc[items.index].to_numpy(np.float64)
    weights = items["weight"].to_numpy()
    random = np.random.default_rng(config.seed)
    resamples = Resamples.draw(items["group"].to_numpy(), weights, len(fit.folds), config.bootstraps, random)

    scores = {name: resamples.score(held_out, truth, fit.folds) for name, held_out in fit.held_out.items()}
    beyond, beyond_resampled = resamples.score(fit.beyond[1], fit.beyond[0], fit.folds)
    rho = scores[STACKED][0]
    axes = pd.DataFrame({"rho": rho}, index=positions.columns.rename("axis"))
    add_interval(axes, "rho", scores[STACKED][1], config.confidence)
    _add_significance(axes, fit.null, config)
    axes["beyond"] = beyond
    add_interval(axes, "beyond", beyond_resampled, config.confidence)

    inflation = float(fit.null.std(0).mean() / max(fit.null_words.std(0).mean(), 1e-9)) if len(fit.null) else 1.0
    if network is not None:
        predicted, folds = _align_network(network, items.index, positions.columns)
        scores[NETWORK] = resamples.score(predicted[None], truth, folds[None])
        orders = permute_items(
            items["group"].to_numpy(), items["ratings"].to_numpy(), _STRATA, config.permutations, random
        )
        axes["network_p"] = _corrected_p(predicted, truth, folds, weights, orders, inflation)
    chosen = stable.reindex(positions.columns, fill_value=False).to_numpy()
    rows: list[dict[str, Any]] = []
    for name, (value, resampled) in scores.items():
        row = {"reader": name, **_mean("mean_rho", value, resampled, chosen, config)}
        if name != STACKED:
            lead, lead_resampled = rho - value, scores[STACKED][1] - resampled
            axes[f"rho_{name}"], axes[f"difference_{name}"] = value, lead
            add_interval(axes, f"difference_{name}", lead_resampled, config.confidence)
            row |= _mean("difference", lead, lead_resampled, chosen, config)
        rows.append(row)
    readers = pd.DataFrame(rows).set_index("reader")
    order = [STACKED, *(name for name in readers.index if name not in (STACKED, METADATA)), METADATA]
    kinds = []
    for kind, predicted in (without_kind or {}).items():
        value, resampled = resamples.score(predicted, truth, fit.folds)
        of_kind = documents.parts.loc[documents.parts["kind"] == kind, "item_id"]
        row = {"kind": kind, "items": of_kind.nunique(), "parts": len(of_kind)}
        row |= _mean("mean_rho_without", value, resampled, chosen, config)
        kinds.append(row | _mean("difference", rho - value, scores[STACKED][1] - resampled, chosen, config))
    return PositionScores(
        axes,
        readers.loc[order],
        pd.DataFrame(kinds, columns=_KIND_COLUMNS).set_index("kind"),
        float(beyond[chosen].mean()) if chosen.any() else np.nan,
        inflation,
    )


def _add_significance(axes: pd.DataFrame, null: np.ndarray, config: EvaluationConfig) -> None:
    """Add the null, p, p_max, q and whether the factor holds. Without permutations nothing holds."""
    rho = axes["rho"].to_numpy()
    if not len(null):
        axes[["null", "null_sd", "p", "p_max", "q"]], axes["holds"] = np.nan, False
        return
    mean, deviation = null.mean(0), np.maximum(null.std(0), 1e-12)
    axes["null"], axes["null_sd"] = mean, deviation
    # The observed order is one of the possible ones. Source: Phipson and Smyth 2010.
    axes["p"] = (1 + (null >= rho).sum(0)) / (1 + len(null))
    # Source: Westfall and Young 1993, the maximum over the tests, each in units of its own null.
    largest = ((null - mean) / deviation).max(1)
    axes["p_max"] = (1 + (largest[:, None] >= (rho - mean) / deviation).sum(0)) / (1 + len(null))
    axes["q"] = false_discovery_control(axes["p"])
    axes["holds"] = axes["q"] <= config.false_discoveries


def _corrected_p(
    predicted: np.ndarray,
    truth: np.ndarray,
    folds: np.ndarray,
    weights: np.ndarray,
    orders: np.ndarray,
    inflation: float,
) -> np.ndarray:
    """The p-values of predictions that cannot be learned anew, by a normal null as much wider as that of the others."""
    if not len(orders):
        return np.full(truth.shape[1], np.nan)
    null = np.stack([rank_correlations(predicted, truth[order], folds, weights) for order in orders])
    value = rank_correlations(predicted, truth, folds, weights)
    return np.asarray(norm.sf((value - null.mean(0)) / np.maximum(null.std(0) * inflation, 1e-12)))


def _align_network(network: NetworkPositions, item_ids: pd.Index, axes: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """The network's predictions for these items and axes, NaN where it knows none, and their folds."""
    table = network.table.reindex(index=item_ids, columns=axes)
    folds = network.folds.reindex(item_ids)
    return table.to_numpy(np.float64), folds.fillna(-1).to_numpy(np.int64)


def _mean(
    name: str, value: np.ndarray, resampled: np.ndarray, chosen: np.ndarray, config: EvaluationConfig
) -> dict[str, Any]:
    """The mean of the axes that are chosen and known, with its interval; NaN if there is none."""
    known = chosen & np.isfinite(value)
    mean = float(value[known].mean()) if known.any() else np.nan
    return {name: mean, **interval(name, resampled[:, known].mean(1), mean, config.confidence)}
