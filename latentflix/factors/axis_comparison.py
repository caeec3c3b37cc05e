"""Kinds of axes compared on the same fits: how stable they are, how well words predict them, how much alike poles are.

All kinds are predicted by the same readers on the same folds, in one go.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ortho_group

from latentflix.config import StageConfig, setting
from latentflix.data.items import category_flags
from latentflix.factors.crossfit import CrossFit, cross_fit
from latentflix.factors.documents import Documents
from latentflix.factors.extraction import FactorConfig, Factors, extract_factors
from latentflix.factors.inference import EvaluationConfig, score_positions
from latentflix.factors.monosemanticity import mean_similarity, score_monosemanticity, unit_rows
from latentflix.factors.naming import NameConfig, find_names
from latentflix.factors.readers.registry import Readers, ReadersConfig
from latentflix.recommender.latent_factors import ItemFactors, LatentFactors
from latentflix.recommender.rotation import Rotation, fit_axes

logger = logging.getLogger(__name__)

ANY_ITEMS, ANY_DIRECTIONS = "any two items", "directions at random"
# Rotations of the principal axes, each of which gives as many directions at random as there are axes.
_ROTATIONS = 20


class AxisComparisonConfig(StageConfig):
    """Which kinds of axes the page compares, and how thoroughly."""

    kinds: tuple[Rotation, ...] = setting(
        (), "kinds of axes that the page compares, as for --factors.rotation; takes minutes"
    )
    n_repeats: int = setting(2, "times that the items are assigned to folds anew", ge=1, le=100)
    permutations: int = setting(200, "permutations, for each of which all readers learn anew", ge=19, le=100_000)


class ComparedAxesConfig(AxisComparisonConfig):
    """The comparison, and how factors are found, predicted, scored and named in it: as in the run itself."""

    factors: FactorConfig = setting(FactorConfig(), "how factors are found; the kind is that of each row")
    readers: ReadersConfig = setting(ReadersConfig(), "the readers; repeats and permutations are the comparison's own")
    evaluation: EvaluationConfig = setting(EvaluationConfig(), "which factors hold")
    names: NameConfig = setting(NameConfig(), "how poles are named")


@dataclass(frozen=True)
class AxisComparison:
    """What each kind of axes reaches on the same fits, texts and folds.

    Attributes:
        kinds: index kind; counts of axes: axes, stable, shared, hold, stable_and_hold; means over all axes: stability,
            people_full (NaN without halves), mean_rho_all; over the stable axes: mean_rho (NaN if there is none);
            poles of stable axes: named (that have a word), names_hold; and means over the poles of all axes: vectors,
            genres (how much alike the strongest items are, as `score_monosemanticity` scores them).
        chance: index ANY_ITEMS, ANY_DIRECTIONS; vectors and genres, what they are for items drawn at random, and for
            the poles of principal axes that are rotated at random.
    """

    kinds: pd.DataFrame
    chance: pd.DataFrame


def compare_axes(
    fits: Sequence[LatentFactors | ItemFactors],
    halves: Sequence[tuple[Sequence[ItemFactors], Sequence[ItemFactors]]],
    documents: Documents,
    items: pd.DataFrame,
    readers: Readers,
    config: ComparedAxesConfig,
) -> AxisComparison:
    """Extract the factors of each kind from the same fits, and measure them. Raises as `extract_factors` does.

    Args:
        items: index item_id; title, genres, ratings.
        readers: of the documents.
    """
    found = {
        kind: extract_factors(fits, items["ratings"], config.factors.model_copy(update={"rotation": kind}), halves)
        for kind in dict.fromkeys(config.kinds)
    }
    scores = pd.concat({kind: factors.scores for kind, factors in found.items()}, axis=1)
    scores.columns = [f"{kind} {axis}" for kind, axis in scores.columns]
    repeated = {"n_repeats": config.n_repeats, "permutations": config.permutations}
    fit = cross_fit(documents, scores, readers, config.readers.model_copy(update=repeated))
    traits, chance = _traits(fits, items, config.factors)
    rows, first = [], 0
    for kind, factors in found.items():
        columns = slice(first, first := first + len(factors.axes))
        rows.append({"kind": kind, **_measure(factors, _of_columns(fit, columns), documents, items, traits, config)})
        logger.info("axes of the kind %s: %s", kind, rows[-1])
    return AxisComparison(pd.DataFrame(rows).set_index("kind"), chance)


def _traits(
    fits: Sequence[LatentFactors | ItemFactors], items: pd.DataFrame, config: FactorConfig
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """What the items with enough ratings are compared by, and how much alike they are by chance."""
    item_ids = pd.Index(fits[0].item_ids)
    ratings = items["ratings"].reindex(item_ids, fill_value=0).to_numpy(np.float64)
    enough = ratings >= config.min_ratings
    weights = np.where(enough, ratings**config.rating_weight, 0)
    principal = fit_axes(fits, weights, "pca", config.n_axes)[0][enough]
    rotations = [ortho_group.rvs(principal.shape[1], random_state=seed) for seed in range(_ROTATIONS)]
    rotated = pd.DataFrame(np.concatenate([principal @ rotation for rotation in rotations], axis=1))
    traits = {
        "vectors": pd.DataFrame(principal, item_ids[enough]),
        "genres": category_flags(items.loc[item_ids[enough], "genres"]).astype(float),
    }
    chance = {
        name: {
            ANY_ITEMS: mean_similarity(unit_rows(table.to_numpy()), np.ones(len(table))),
            ANY_DIRECTIONS: float(score_monosemanticity(rotated, table.to_numpy()).mean()),
        }
        for name, table in traits.items()
    }
    return traits, pd.DataFrame(chance).rename_axis("chance")


def _of_columns(fit: CrossFit, columns: slice) -> CrossFit:
    """What a cross-fit found for some of its axes."""
    return replace(
        fit,
        held_out={name: predicted[..., columns] for name, predicted in fit.held_out.items()},
        beyond=fit.beyond[..., columns],
        null=fit.null[:, columns],
        null_words=fit.null_words[:, columns],
        reviews=fit.reviews.iloc[:, columns],
    )


def _measure(
    factors: Factors,
    fit: CrossFit,
    documents: Documents,
    items: pd.DataFrame,
    traits: dict[str, pd.DataFrame],
    config: ComparedAxesConfig,
) -> dict[str, Any]:
    """The row of a kind."""
    axes, stable = factors.axes, factors.axes["stable"]
    every = pd.Series(True, axes.index)  # means over the stable ones are taken here, for there may be none
    scores = score_positions(fit, documents, factors.scores, every, None, config.evaluation).axes
    tests = pd.DataFrame({"holds": []}, dtype=bool)
    if stable.any():
        tests = find_names(documents, factors.scores, axes, items, config.names).tests
    alike = {
        name: float(score_monosemanticity(factors.scores.loc[table.index], table.to_numpy()).mean())
        for name, table in traits.items()
    }
    return {
        "axes": len(axes),
        "stable": int(stable.sum()),
        "stability": float(axes["stability"].mean()),
        "shared": int(axes["shared"].sum()),
        "people_full": float(axes["people_full"].mean()),
        "hold": int(scores["holds"].sum()),
        "stable_and_hold": int((scores["holds"] & stable).sum()),
        "mean_rho": float(scores.loc[stable, "rho"].mean()),
        "mean_rho_all": float(scores["rho"].mean()),
        "named": len(tests),
        "names_hold": int(tests["holds"].sum()),
        **alike,
    }
