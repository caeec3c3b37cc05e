"""The page that says it all: one folder that opens from disk, with no script or picture from anywhere else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from latentflix.factors.comparison import CLASSIFIER, PRIOR, Comparison
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.report.factors import write_factors
from latentflix.report.figures import draw_classifiers, draw_language_model, draw_rates, draw_stability
from latentflix.report.headline import advice, finding, headline, headline_sentence, judge_axes, made_of
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.items import write_items
from latentflix.report.recommender import write_section
from latentflix.report.rendering import PAGE, render_page, render_section
from latentflix.reviews.attribution import attributions, count_sources

_NAMED = {
    CLASSIFIER: "the language model's encoder",
    "baseline": "TF-IDF and logistic regression",
    "embedding_baseline": "sentence vectors and logistic regression",
    PRIOR: "the same guess for every film",
}


def comparison_section(comparison: Comparison, rare: pd.DataFrame) -> Markup:
    """The section "Comparison". rare: index label, films; the labels that were left out."""
    return render_section(
        "comparison.html",
        methods=[{**row, "name": _NAMED[row["method"]]} for row in comparison.methods.to_dict("records")],
        labels=comparison.labels.to_dict("records"),
        rare=rare.reset_index().to_dict("records"),
    )


_TEMPLATE = "report.html"


def build_report(folder: Path, inputs: ReportInputs, config: ReportConfig) -> dict[str, Any]:
    """Write the report into `folder` and return its headline's figures."""
    coverage = inputs.manifest("reviews").metrics
    verdicts = judge_axes(inputs.axes, inputs.axis_scores, config.false_discoveries)
    figures = headline(inputs.overall, coverage, inputs.axes, verdicts)
    page = render_page(
        _TEMPLATE,
        inputs.manifests,
        figures=figures,
        finding=finding(figures),
        advice=advice(figures),
        sentence=headline_sentence(figures),
        coverage=coverage,
        made_of=made_of(inputs.manifests),
        changes=inputs.changes,
        sections=[
            write_factors(inputs, verdicts, config),
            write_items(folder, inputs, config),
            _evaluation(folder, inputs),
            comparison_section(inputs.comparison, inputs.rare),
            write_section(folder, inputs.analysis, inputs.trials),
            _language_model(folder, inputs),
            _reviews(inputs, coverage),
            _changes(inputs),
        ],
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return figures


def _changes(inputs: ReportInputs) -> Markup:
    """The section "Changes": what the last report said otherwise."""
    changes = inputs.changes
    titles = inputs.items["title"]
    histograms = changes.histograms.assign(title=changes.histograms["item_id"].map(titles))
    return render_section(
        "changes.html",
        since=changes.since,
        factors=changes.factors.to_dict("records"),
        poles=changes.renamed.to_dict("records"),
        n_poles=len(changes.poles),
        histograms=histograms.to_dict("records"),
        metrics=changes.metrics.to_dict("records"),
        settings=changes.settings.to_dict("records"),
    )


def _evaluation(folder: Path, inputs: ReportInputs) -> Markup:
    """The section "Evaluation", whose pictures are written into `folder`."""
    stable_from = inputs.manifest("factors").config["stable_from"]
    draw_stability(inputs.axes, stable_from, folder / "stability.png")
    return render_section(
        "evaluation.html",
        overall=inputs.overall,
        labels=inputs.label_scores.join(inputs.labels[["share", "most_frequent"]]).reset_index().to_dict("records"),
        axes=inputs.axis_scores.reset_index().to_dict("records"),
        names=inputs.names,
        stable_from=stable_from,
    )


def _language_model(folder: Path, inputs: ReportInputs) -> Markup:
    """The section "Language model": how it and the classifiers were trained, with pictures in `folder`."""
    history = inputs.language_model_history
    # A curve of one epoch is a point.
    if len(history) > 1:
        draw_language_model(history, folder / "language_model.png")
    draw_classifiers(inputs.classifier_history, folder / "classifiers.png")
    classifiers = inputs.classifier_history.groupby("classifier", sort=False).last()
    manifest = inputs.manifest("language_model")
    rates = inputs.language_model_rates
    if len(rates):
        draw_rates(rates, manifest.metrics["suggested_rate"], _taken_rates(manifest.config), folder / "rates.png")
    return render_section(
        "language_model.html",
        figures=manifest.metrics,
        config=manifest.config,
        history=history.to_dict("records"),
        has_rates=len(rates) > 0,
        sentences=list(inputs.sentences["sentence"]),
        classifiers=classifiers.reset_index().to_dict("records"),
        random_split=RANDOM_SPLIT,
    )


def _taken_rates(config: Mapping[str, Any]) -> list[float]:
    frozen = [config["frozen_learning_rate"]] if config["frozen_epochs"] else []
    return [*frozen, config["learning_rate"]]


def _reviews(inputs: ReportInputs, coverage: dict[str, Any]) -> Markup:
    """The section "Reviews": where they come from, and how many there are of a film."""
    counts = inputs.reviews["item_id"].value_counts()
    return render_section(
        "reviews.html",
        coverage=coverage,
        sources=count_sources(inputs.reviews).reset_index().to_dict("records"),
        attributions=attributions(inputs.reviews),
        items_by_reviews=[
            (least, int((counts >= least).sum())) for least in (1, 2, 5, 10, 30) if (counts >= least).any()
        ],
    )
