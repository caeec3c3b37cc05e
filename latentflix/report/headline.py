"""What a run comes to: figures, a line of them, and a sentence that needs no figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from latentflix.artifacts import Manifest
from latentflix.data.datasets import DATA_SETS
from latentflix.report.rendering import decimals

# The p of the mean AUC from which it is no better than chance.
_CHANCE_FROM = 0.05
_MAIN_SETTINGS = {
    "collab": "recommender {model} with {n_factors} factors",
    "factors": "{n_axes} axes by {rotation}",
    "labels": "{top_k} labels a film by {rule}",
    "language_model": "language model of at most {max_tokens:,} tokens",
    "classifier": "{n_folds} folds of films",
}
TOLD, UNTOLD, UNSTABLE = "told", "untold", "unstable"


def judge_axes(axes: pd.DataFrame, axis_scores: pd.DataFrame, false_discoveries: float) -> pd.Series:
    """Of each axis: UNSTABLE, or stable and TOLD or UNTOLD from reviews of films that were not read about.

    Each of many axes may seem told by chance, so p-values count by the procedure of Benjamini and Hochberg 1995:
    of those said to be told, a share of `false_discoveries` may not be.
    """
    stable = axis_scores.index.intersection(axes.index[axes["stable"]])
    verdicts = pd.Series(UNSTABLE, index=axes.index).mask(axes["stable"], UNTOLD)
    if len(stable):
        scores = axis_scores.loc[stable]
        p = scores["correlation_p"].where(scores["correlation"].notna(), 1.0)
        verdicts.loc[stable] = np.where(false_discovery_control(p) <= false_discoveries, TOLD, UNTOLD)
    return verdicts


def headline(
    overall: Mapping[str, Any], coverage: Mapping[str, Any], axes: pd.DataFrame, verdicts: pd.Series
) -> dict[str, Any]:
    """What a run comes to: films, reviews, stable factors, those told, and the mean held-out AUC beside its null."""
    return {
        "items": coverage["items_with_review"],
        "reviews": coverage["reviews"],
        "factors": len(axes),
        "stable_factors": int(axes["stable"].sum()),
        "told_factors": int((verdicts == TOLD).sum()),
        "auc": overall["auc"],
        "auc_low": overall["auc_low"],
        "auc_high": overall["auc_high"],
        "auc_null": overall["auc_null"],
        "auc_null_sd": overall["auc_null_sd"],
        "auc_p": overall["auc_p"],
        "words_auc": overall["words_auc"],
    }


def headline_sentence(figures: Mapping[str, Any]) -> str:
    """The headline in one line."""
    auc, low, high, null, spread, words = (
        decimals(figures[name], 3) for name in ("auc", "auc_low", "auc_high", "auc_null", "auc_null_sd", "words_auc")
    )
    return (
        f"{figures['items']:,} films, {figures['reviews']:,} reviews, {figures['stable_factors']} stable factors of "
        f"{figures['factors']}; mean held-out AUC {auc} [{low}, {high}] against {null} ± {spread} for labels permuted "
        f"across films; TF-IDF and logistic regression {words}"
    )


def finding(figures: Mapping[str, Any]) -> str:
    """What was found, in one sentence for a reader who knows none of the terms."""
    scales = figures["stable_factors"]
    found = (
        "The recommender sorts films along one scale that comes out the same in every training"
        if scales == 1
        else f"The recommender sorts films along {scales} scales that come out the same in every training"
    )
    how_well = _how_well(figures)
    if how_well is None:
        return f"{found}; how well reviews tell where a film stands could not be measured."
    return f"{found}; from reviews of a film new to it, a language model tells where the film stands {how_well}."


def _how_well(figures: Mapping[str, Any]) -> str | None:
    auc, p = figures["auc"], figures["auc_p"]
    if auc is None or p is None:
        return None
    if p >= _CHANCE_FROM:
        return "no better than guessing"
    if auc < 0.6:
        return "only a little better than guessing"
    return "better than guessing" if auc < 0.75 else "far better than guessing"


def advice(figures: Mapping[str, Any]) -> str:
    """How far to believe which part of the report, given what was found."""
    if figures["auc_p"] is None or figures["auc_p"] >= _CHANCE_FROM:
        return (
            "So trust the scales and the films and genres at their ends, which come from ratings. Take the words as "
            "hints, and do not rely on the predicted histograms."
        )
    return (
        f"{figures['told_factors']} of the {figures['stable_factors']} scales can be told one by one; the cards say "
        "which. The films and genres at their ends come from ratings, and hold for all of them."
    )


def made_of(manifests: Sequence[Manifest]) -> dict[str, str]:
    """When a run was made, of which data and with which main settings."""
    configs = {manifest.stage: manifest.config for manifest in manifests}
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
