"""What a run comes to: figures, a line of them, and sentences for a reader who knows none of the terms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from latentflix.artifacts import Manifest
from latentflix.data.datasets import DATA_SETS
from latentflix.report.formatting import Nouns, decimals

# The p of the mean AUC from which it is no better than chance.
_CHANCE_FROM = 0.05
_POSITIONS = (
    *("mean_rho", "mean_rho_low", "mean_rho_high", "mean_rho_network", "mean_rho_beyond_metadata"),
    "factors_that_hold",
)
_OVERALL = ("auc", "auc_low", "auc_high", "auc_null", "auc_null_sd", "auc_p", "words_auc")
_MAIN_SETTINGS = {
    "collab": "recommender {model} with {n_factors} factors",
    "factors": "{n_axes} axes by {rotation}",
    "labels": "labels by {rule}",
    "language_model": "language model of at most {max_tokens:,} tokens",
    "classifier": "{n_folds} folds of {items}",
}
PREDICTABLE, NOT_PREDICTABLE, UNSTABLE = "predictable", "not-predictable", "unstable"


def judge_axes(axes: pd.DataFrame, axis_scores: pd.DataFrame) -> pd.Series:
    """Judge each axis: UNSTABLE, or stable and PREDICTABLE or NOT_PREDICTABLE from reviews of unseen items.

    axis_scores: as `score_positions` gives them.
    """
    holds = axis_scores["holds"].reindex(axes.index, fill_value=False)
    verdicts = np.where(holds, PREDICTABLE, NOT_PREDICTABLE)
    return pd.Series(np.where(axes["stable"], verdicts, UNSTABLE), axes.index)


def headline(overall: Mapping[str, Any], axes: pd.DataFrame, verdicts: pd.Series) -> dict[str, Any]:
    """Collect the figures of a run: items, reviews, factors, and the mean held-out AUC with its null."""
    return {
        "items": overall["items"],
        "reviews": overall["reviews"],
        "factors": len(axes),
        "stable_factors": int(axes["stable"].sum()),
        "predictable_factors": int((verdicts == PREDICTABLE).sum()),
        **{name: overall[name] for name in (*_POSITIONS, *_OVERALL)},
    }


def headline_sentence(figures: Mapping[str, Any], nouns: Nouns) -> str:
    """The headline in one line."""
    auc, low, high, null, spread, words = (
        decimals(figures[name], 3) for name in ("auc", "auc_low", "auc_high", "auc_null", "auc_null_sd", "words_auc")
    )
    return (
        f"{figures['items']:,} {nouns.items}, {figures['reviews']:,} reviews, {figures['stable_factors']} stable "
        f"factors of {figures['factors']}; mean held-out AUC {auc} [{low}, {high}] against {null} ± {spread} for "
        f"labels permuted across {nouns.items}; TF-IDF and logistic regression {words}"
    )


def finding(figures: Mapping[str, Any], nouns: Nouns) -> str:
    """What was found, in one sentence for a reader who knows none of the terms."""
    n_stable = figures["stable_factors"]
    factors = "one factor that comes" if n_stable == 1 else f"{n_stable} factors that come"
    found = f"The recommender sorts {nouns.items} by {factors} out the same in every training"
    auc, p = figures["auc"], figures["auc_p"]
    if auc is None or p is None:
        return f"{found}; how well reviews predict where {nouns.items} stand could not be measured."
    better = "only a little better" if auc < 0.6 else "better" if auc < 0.75 else "far better"
    how_well = "no better" if p >= _CHANCE_FROM else better
    from_reviews = f"from reviews of new {nouns.items}, a language model predicts where they stand"
    return f"{found}; {from_reviews} {how_well} than guessing."


def advice(figures: Mapping[str, Any], nouns: Nouns) -> str:
    """How far to trust which part of the report, given what was found."""
    if figures["auc_p"] is None or figures["auc_p"] >= _CHANCE_FROM:
        return (
            f"So trust the factors and the {nouns.items} and genres at their poles, which come from ratings. Take the "
            "words as hints, and do not rely on the predicted histograms."
        )
    count, stable = figures["predictable_factors"], figures["stable_factors"]
    return (
        f"Taken one by one, {count} of the {stable} factors {'is' if count == 1 else 'are'} predictable; the cards say "
        f"which. The {nouns.items} and genres at their poles come from ratings and hold for all of them."
    )


def run_facts(manifests: Sequence[Manifest], nouns: Nouns) -> dict[str, str]:
    """When a run was made, from which data and with which main settings."""
    configs = {manifest.stage: {**manifest.config, **nouns._asdict()} for manifest in manifests}
    data = [
        f"{DATA_SETS[manifest.config['name']].title} ({manifest.key[:8]})"
        if manifest.stage == "datasets"
        else f"ratings of your own ({manifest.key[:8]})"
        for manifest in manifests
        if manifest.stage in ("datasets", "ratings_source")
    ]
    data += [
        f"version {manifest.config['store_version']} of the review store"
        for manifest in manifests
        if manifest.stage == "reviews" and manifest.config.get("store_version") is not None
    ]
    return {
        "Made": max(manifest.made_at for manifest in manifests).replace("T", " ").replace("Z", " UTC"),
        "Data": "; ".join(data),
        "Settings": "; ".join(
            text.format_map(configs[stage]) for stage, text in _MAIN_SETTINGS.items() if stage in configs
        ),
    }
