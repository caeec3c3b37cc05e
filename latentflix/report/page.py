"""The report: one folder that opens from disk, with no script or picture from anywhere else."""

from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from latentflix.artifacts import Manifest
from latentflix.data.datasets import WHOLE_CORPUS
from latentflix.data.large_movie import review_counts
from latentflix.factors.comparison import CLASSIFIER, PRIOR, Comparison
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.readers.metadata import METADATA
from latentflix.report.axes import add_similarity, axes_part
from latentflix.report.factors import factor_cards, factors_section
from latentflix.report.figures import draw_classifiers, draw_language_model, draw_rates, draw_stability
from latentflix.report.formatting import Nouns, describe_reader
from latentflix.report.headline import advice, finding, headline, headline_sentence, run_facts
from latentflix.report.inputs import NetworkFindings, ReportConfig, ReportInputs
from latentflix.report.items import items_section
from latentflix.report.llm_names import llm_section
from latentflix.report.recommender import recommenders_section
from latentflix.report.rendering import render_section, write_page
from latentflix.report.tags import tags_part
from latentflix.report.user_groups import users_part
from latentflix.reviews.attribution import attributions, count_sources

_METHODS = {
    CLASSIFIER: "the language model's encoder",
    "baseline": "TF-IDF and logistic regression",
    "embedding_baseline": "sentence embeddings and logistic regression",
    PRIOR: "the same prediction for every {item}",
}
# Kinds of texts, with the licence of those that are not reviews.
_KINDS = {
    "review": "reviews",
    "reception": "Wikipedia's sections on reception, CC BY-SA 4.0",
    "plot": "Wikipedia's plots, CC BY-SA 4.0",
    "data_plot": "plots of the CMU Movie Summary Corpus, CC BY-SA",
    "title": "titles",
}


def build_report(folder: Path, inputs: ReportInputs, config: ReportConfig) -> dict[str, Any]:
    """Write the report into `folder` and return its headline's figures."""
    nouns, coverage = config.nouns, inputs.manifest("reviews").metrics
    figures = report_figures(inputs)
    cards = factor_cards(inputs, config)
    network, recommender, changes = inputs.network, inputs.recommender, inputs.changes
    sections = [
        factors_section(cards, inputs, config),
        *(llm_section(found, inputs.names, nouns) for found in inputs.llm_names),
        items_section(folder, inputs, config),
        _evaluation(folder, inputs, nouns),
    ]
    if network:
        sections.append(comparison_section(network.comparison, network.rare, nouns))
    if recommender:
        sections.append(recommenders_section(folder, recommender.analysis, recommender.trials, nouns))
    if network:
        sections.append(_language_model(folder, network, inputs.manifest("language_model"), nouns))
    sections.append(_reviews(inputs, coverage, nouns))
    if changes:
        histograms = changes.histograms.join(inputs.items["title"], on="item_id")
        sections.append(render_section("changes.html", nouns, changes=changes, histograms=histograms))
    write_page(
        folder,
        "report.html",
        inputs.manifests,
        nouns,
        figures=figures,
        factors=cards,
        metadata_rho=inputs.reader_scores.loc[METADATA, "mean_rho"],
        finding=finding(figures, nouns),
        advice=advice(figures, nouns),
        sentence=headline_sentence(figures, nouns),
        coverage=coverage,
        facts=run_facts(inputs.manifests, nouns),
        changes=changes,
        has_network=network is not None,
        measured=is_measured(inputs.axes["stability"]),
        people_measured=is_measured(inputs.axes["people"]),
        has_recommender=recommender is not None,
        llm_names=inputs.llm_names,
        sections=sections,
    )
    return figures


def report_figures(inputs: ReportInputs) -> dict[str, Any]:
    """The headline's figures."""
    read = inputs.manifest("documents").metrics
    return headline(read, _overall(inputs), inputs.axes, inputs.axis_scores, inputs.name_tests)


def _overall(inputs: ReportInputs) -> dict[str, Any]:
    """The mean scores of positions and, if the network ran, of labels."""
    return {**(inputs.network.overall if inputs.network else {}), **inputs.overall}


def build_opening(inputs: ReportInputs, config: ReportConfig) -> str:
    """Write the opening of the report alone: what was found, and the factors that hold, as a page without links."""
    nouns = config.nouns
    cards = factor_cards(inputs, config)
    figures = report_figures(inputs)
    return render_section(
        "opening.html", nouns, factors=[card for card in cards if card["holds"]], finding=finding(figures, nouns)
    )


def comparison_section(comparison: Comparison, rare: pd.DataFrame, nouns: Nouns) -> Markup:
    """Render the section "Methods compared". rare: index label; items. The labels that were left out."""
    names = {method: name.format(item=nouns.item) for method, name in _METHODS.items()}
    return render_section(
        "comparison.html",
        nouns,
        methods=comparison.methods.assign(name=comparison.methods["method"].map(names)),
        comparison=comparison,
        rare=rare,
    )


def _evaluation(folder: Path, inputs: ReportInputs, nouns: Nouns) -> Markup:
    stable_from = inputs.manifest("factors").config["stable_from"]
    if is_measured(inputs.axes["stability"]):
        draw_stability(inputs.axes, stable_from, folder / "stability.png")
    return render_section(
        "evaluation.html",
        nouns,
        overall=_overall(inputs),
        labels=inputs.network and inputs.network.label_scores.join(inputs.labels[["share", "most_frequent"]]),
        axes=add_similarity(inputs),
        has_network="rho_network" in inputs.axis_scores,
        readers=inputs.reader_scores.rename(index=lambda reader: describe_reader(reader, nouns)),
        kinds=inputs.kind_scores.rename(index=_KINDS),
        names=inputs.names,
        stable_from=stable_from,
        measured=is_measured(inputs.axes["stability"]),
        tags=[tags_part(found, len(inputs.terms), nouns) for found in inputs.tags],
        users=[users_part(found, inputs.names, nouns) for found in inputs.user_groups],
        axis_comparison=[axes_part(found, nouns) for found in inputs.axis_comparison],
    )


def _language_model(folder: Path, network: NetworkFindings, manifest: Manifest, nouns: Nouns) -> Markup:
    history, rates = network.language_model_history, network.language_model_rates
    config = manifest.config
    # A curve of one epoch is a point.
    if len(history) > 1:
        draw_language_model(history, folder / "language_model.png")
    draw_classifiers(network.classifier_history, folder / "classifiers.png")
    if len(rates):
        frozen = [config["frozen_learning_rate"]] if config["frozen_epochs"] else []
        used = [*frozen, config["learning_rate"]]
        draw_rates(rates, manifest.metrics["suggested_rate"], used, folder / "rates.png")
    return render_section(
        "language_model.html",
        nouns,
        figures=manifest.metrics,
        config=config,
        history=history,
        has_rates=len(rates) > 0,
        sentences=list(network.sentences["sentence"]),
        classifiers=network.classifier_history.groupby("classifier", sort=False).last(),
        random_split=RANDOM_SPLIT,
    )


def _reviews(inputs: ReportInputs, coverage: dict[str, Any], nouns: Nouns) -> Markup:
    counts = inputs.reviews["item_id"].value_counts()
    config = inputs.manifest("reviews").config
    own = "items_linked" not in coverage
    reads_all = own or config.get("corpus") == WHOLE_CORPUS or config.get("store_version") is not None
    return render_section(
        "reviews.html",
        nouns,
        coverage=coverage,
        links=inputs.manifest("ratings").metrics.get("links", {}),
        sources=count_sources(inputs.reviews),
        attributions=attributions(inputs.reviews),
        available=[] if reads_all else _available_reviews(inputs.items),
        by_reviews=[(least, int((counts >= least).sum())) for least in (1, 2, 5, 10, 30) if (counts >= least).any()],
    )


def is_measured(values: pd.Series) -> bool:
    """Whether any of the values is known."""
    return bool(values.notna().any())


def _available_reviews(items: pd.DataFrame) -> list[int]:
    """How many reviews the whole Large Movie Review Dataset has of each of these items that it has any of."""
    counts = review_counts()
    return [int(counts[tconst]) for tconst in items.get("tconst", pd.Series(dtype="str")).dropna() if tconst in counts]
