"""The report: one folder that opens from disk, with no script or picture from anywhere else."""

from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from latentflix.data.datasets import WHOLE_CORPUS
from latentflix.data.large_movie import review_counts
from latentflix.factors.comparison import CLASSIFIER, PRIOR, Comparison
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.readers.metadata import METADATA
from latentflix.report.factors import factor_cards, factors_section
from latentflix.report.figures import draw_classifiers, draw_language_model, draw_rates, draw_stability
from latentflix.report.formatting import Nouns, describe_reader
from latentflix.report.headline import advice, finding, headline, headline_sentence, run_facts
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.items import items_section
from latentflix.report.llm_names import llm_section
from latentflix.report.recommender import recommenders_section
from latentflix.report.rendering import render_section, write_page
from latentflix.report.tags import tags_part
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
    read = inputs.manifest("documents").metrics
    figures = headline(read, inputs.overall, inputs.axes, inputs.axis_scores, inputs.name_tests)
    cards = factor_cards(inputs, config)
    write_page(
        folder,
        "report.html",
        inputs.manifests,
        nouns,
        figures=figures,
        factors=cards,
        yardstick=inputs.reader_scores.loc[METADATA, "mean_rho"],
        finding=finding(figures, nouns),
        advice=advice(figures, nouns),
        sentence=headline_sentence(figures, nouns),
        coverage=coverage,
        facts=run_facts(inputs.manifests, nouns),
        changes=inputs.changes,
        llm_names=inputs.llm_names,
        sections=[
            factors_section(cards, inputs, nouns),
            *(llm_section(found, inputs.names, nouns) for found in inputs.llm_names),
            items_section(folder, inputs, config),
            _evaluation(folder, inputs, nouns),
            comparison_section(inputs.comparison, inputs.rare, nouns),
            recommenders_section(folder, inputs.analysis, inputs.trials, nouns),
            _language_model(folder, inputs, nouns),
            _reviews(inputs, coverage, nouns),
            render_section(
                "changes.html",
                nouns,
                changes=inputs.changes,
                histograms=inputs.changes.histograms.join(inputs.items["title"], on="item_id"),
            ),
        ],
    )
    return figures


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
    draw_stability(inputs.axes, stable_from, folder / "stability.png")
    return render_section(
        "evaluation.html",
        nouns,
        overall=inputs.overall,
        labels=inputs.label_scores.join(inputs.labels[["share", "most_frequent"]]),
        axes=inputs.axis_scores,
        has_network="rho_network" in inputs.axis_scores,
        readers=inputs.reader_scores.rename(index=describe_reader),
        kinds=inputs.kind_scores.rename(index=_KINDS),
        names=inputs.names,
        stable_from=stable_from,
        tags=[tags_part(found, len(inputs.terms), nouns) for found in inputs.tags],
    )


def _language_model(folder: Path, inputs: ReportInputs, nouns: Nouns) -> Markup:
    history, rates = inputs.language_model_history, inputs.language_model_rates
    manifest = inputs.manifest("language_model")
    config = manifest.config
    # A curve of one epoch is a point.
    if len(history) > 1:
        draw_language_model(history, folder / "language_model.png")
    draw_classifiers(inputs.classifier_history, folder / "classifiers.png")
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
        sentences=list(inputs.sentences["sentence"]),
        classifiers=inputs.classifier_history.groupby("classifier", sort=False).last(),
        random_split=RANDOM_SPLIT,
    )


def _reviews(inputs: ReportInputs, coverage: dict[str, Any], nouns: Nouns) -> Markup:
    counts = inputs.reviews["item_id"].value_counts()
    config = inputs.manifest("reviews").config
    reads_all = config.get("store_version") is not None or config.get("corpus") == WHOLE_CORPUS
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


def _available_reviews(items: pd.DataFrame) -> list[int]:
    """How many reviews the whole Large Movie Review Dataset has of each of these items that it has any of."""
    counts = review_counts()
    return [int(counts[tconst]) for tconst in items.get("tconst", pd.Series(dtype="str")).dropna() if tconst in counts]
