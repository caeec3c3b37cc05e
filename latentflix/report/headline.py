"""What a run comes to: figures, a line of them, and sentences for a reader who knows none of the terms."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from latentflix.artifacts import Manifest
from latentflix.data.datasets import DATA_SETS
from latentflix.report.formatting import Nouns, decimals

_POSITIONS = (
    *("mean_rho", "mean_rho_low", "mean_rho_high", "mean_rho_network", "mean_rho_beyond_metadata"),
    "factors_that_hold",
)
_OVERALL = ("auc", "auc_low", "auc_high", "auc_null", "auc_null_sd", "auc_p", "words_auc")
_OF_ONES_OWN = {"ratings_source": "{origin}", "item_factors": "item vectors"}
_MAIN_SETTINGS = {
    "collab": "recommender {model} with {n_factors} factors",
    "factors": "{n_axes} axes by {rotation}",
    "labels": "labels by {rule}",
    "language_model": "language model of at most {max_tokens:,} tokens",
    "classifier": "{n_folds} folds of {items}",
}


def headline(
    read: Mapping[str, Any],
    overall: Mapping[str, Any],
    axes: pd.DataFrame,
    axis_scores: pd.DataFrame,
    name_tests: pd.DataFrame,
) -> dict[str, Any]:
    """Collect the figures of a run: what was read, how many factors and names hold, and the mean scores.

    read, overall: the metrics of the documents and of the evaluation. axis_scores, name_tests: index axis and index
    label, with `holds`.
    """
    holds = axis_scores["holds"].reindex(axes.index, fill_value=False)
    return {
        "items": read["items"],
        "reviews": read["reviews"],
        "factors": len(axes),
        "stable_factors": int(axes["stable"].sum()),
        "predictable_factors": int((holds & axes["stable"]).sum()),
        "factors_shared_by_people": int(axes["shared"].sum()),
        "names_that_hold": int(name_tests["holds"].sum()),
        "names_tested": len(name_tests),
        **{name: overall.get(name) for name in (*_POSITIONS, *_OVERALL)},
    }


def headline_sentence(figures: Mapping[str, Any], nouns: Nouns) -> str:
    """The headline in one line."""
    rho, low, high = (decimals(figures[f"mean_rho{end}"], 3) for end in ("", "_low", "_high"))
    network = figures["mean_rho_network"]
    by_network = "" if network is None else f", {decimals(network, 3)} by the network"
    stable = "stable " * (figures["stable_factors"] < figures["factors"])
    return (
        f"{figures['items']:,} {nouns.items}, {figures['reviews']:,} {nouns.texts}; {figures['factors_that_hold']} of "
        f"{figures['factors']} factors hold: {nouns.texts} predict where unseen {nouns.items} stand on them; mean rho "
        f"{rho} [{low}, {high}] over the {figures['stable_factors']} {stable}factors{by_network}; "
        f"{figures['names_that_hold']} of {figures['names_tested']} names hold"
    )


def finding(figures: Mapping[str, Any], nouns: Nouns) -> str:
    """What was found, in one sentence for a reader who knows none of the terms."""
    hold, factors = figures["factors_that_hold"], figures["factors"]
    if not hold:
        return (
            f"What people write about {nouns.items} does not predict where the recommender puts them on any of its "
            f"{factors} factors."
        )
    number = f"all {factors} of its factors" if hold == factors else f"{hold} of its {factors} factors"
    return f"What people write about {nouns.items} predicts where the recommender puts them on {number}."


def advice(figures: Mapping[str, Any], nouns: Nouns) -> str:
    """How far to trust which part of the report, given what was found."""
    origin = nouns.origin or "the recommender's vectors"
    trust = f"The {nouns.items} at the ends of a factor come from {origin} alone: trust them where it is stable."
    if not figures["factors_that_hold"]:
        return f"{trust} Take the words as hints, and do not rely on the predicted histograms."
    hold, tested = figures["names_that_hold"], figures["names_tested"]
    names = (
        f"Each name is tested on {nouns.items} that had no part in choosing its words: {hold} of {tested} names put "
        "them in the right order, better than chance."
        if tested
        else "No name could be tested."
    )
    return f"{trust} The words come from {nouns.texts}. {names}"


def run_facts(manifests: Sequence[Manifest], nouns: Nouns) -> dict[str, str]:
    """When a run was made, from which data and with which main settings."""
    configs = {manifest.stage: {**manifest.config, **nouns._asdict()} for manifest in manifests}
    data = [
        f"{DATA_SETS[manifest.config['name']].title} ({manifest.key[:8]})"
        if manifest.stage == "datasets"
        else _name_own(manifest, nouns)
        for manifest in manifests
        if manifest.stage == "datasets" or manifest.stage in _OF_ONES_OWN
    ]
    data += [text for manifest in manifests if manifest.stage == "ratings" for text in _made_of(manifest, nouns)]
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


def _name_own(source: Manifest, nouns: Nouns) -> str:
    key = f" ({source.key[:8]})" if source.key else ""
    return f"{_OF_ONES_OWN[source.stage].format(origin=nouns.origin)} of your own{key}"


def _made_of(ratings: Manifest, nouns: Nouns) -> list[str]:
    """What was done to make interactions of ratings, or of rows that repeat a user and an item."""
    likes_from, figures = ratings.config.get("likes_from"), ratings.metrics
    made = []
    if likes_from is not None:
        made.append(f"ratings from {likes_from:g} on as {nouns.origin}, {figures['left_out']:,} others left out")
    if figures.get("added_up"):
        made.append(f"{figures['added_up']:,} rows added to another of the same user and {nouns.item}")
    return made
