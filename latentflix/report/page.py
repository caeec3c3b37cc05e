"""The page that says it all: one folder that opens from disk, with no script or picture from anywhere else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from latentflix.factors.comparison import OURS, SAME_GUESS, EncoderComparison
from latentflix.report.factors import write_factors
from latentflix.report.figures import draw_classifiers, draw_language_model, draw_rates, draw_stability
from latentflix.report.headline import advice, finding, headline, headline_sentence, judge_axes, made_of
from latentflix.report.inputs import Findings, ReportConfig
from latentflix.report.items import write_films
from latentflix.report.recommender import write_section
from latentflix.report.rendering import PAGE, render_page, render_section
from latentflix.reviews.attribution import attributions, count_sources
from latentflix.text.classifier import RANDOM_SPLIT

_NAMED = {
    OURS: "the language model's encoder",
    "baseline": "TF-IDF and logistic regression",
    "vectors": "sentence vectors and logistic regression",
    SAME_GUESS: "the same guess for every film",
}


def encoder_section(comparison: EncoderComparison, rare: pd.DataFrame) -> Markup:
    """The section "Encoders". rare: index label, films; the labels that were left out."""
    return render_section(
        "encoders.html",
        encoders=[{**row, "name": _NAMED[row["encoder"]]} for row in comparison.encoders.to_dict("records")],
        labels=comparison.labels.to_dict("records"),
        rare=rare.reset_index().to_dict("records"),
    )


_TEMPLATE = "report.html"


def build_report(folder: Path, findings: Findings, config: ReportConfig) -> dict[str, Any]:
    """Write the report into `folder` and return its headline's figures."""
    coverage = findings.manifest("reviews").metrics
    verdicts = judge_axes(findings.axes, findings.axis_scores, config.false_discoveries)
    figures = headline(findings.overall, coverage, findings.axes, verdicts)
    page = render_page(
        _TEMPLATE,
        findings.manifests,
        figures=figures,
        finding=finding(figures),
        advice=advice(figures),
        sentence=headline_sentence(figures),
        coverage=coverage,
        made_of=made_of(findings.manifests),
        changes=findings.changes,
        sections=[
            write_factors(findings, verdicts, config),
            write_films(folder, findings, config),
            _evaluation(folder, findings),
            encoder_section(findings.encoders, findings.rare),
            write_section(folder, findings.study, findings.trials),
            _language_model(folder, findings),
            _reviews(findings, coverage),
            _changes(findings),
        ],
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return figures


def _changes(findings: Findings) -> Markup:
    """The section "Changes": what the last report said otherwise."""
    changes = findings.changes
    titles = findings.films["title"]
    histograms = changes.histograms.assign(title=changes.histograms["movie_id"].map(titles))
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


def _evaluation(folder: Path, findings: Findings) -> Markup:
    """The section "Evaluation", whose pictures are written into `folder`."""
    stable_from = findings.manifest("factors").config["stable_from"]
    draw_stability(findings.axes, stable_from, folder / "stability.png")
    return render_section(
        "evaluation.html",
        overall=findings.overall,
        labels=findings.label_scores.join(findings.labels[["share", "dominating"]]).reset_index().to_dict("records"),
        axes=findings.axis_scores.reset_index().to_dict("records"),
        names=findings.names,
        stable_from=stable_from,
    )


def _language_model(folder: Path, findings: Findings) -> Markup:
    """The section "Language model": how it and the classifiers were trained, with pictures in `folder`."""
    history = findings.language_model_history
    # A curve of one epoch is a point.
    if len(history) > 1:
        draw_language_model(history, folder / "language_model.png")
    draw_classifiers(findings.classifier_history, folder / "classifiers.png")
    classifiers = findings.classifier_history.groupby("classifier", sort=False).last()
    manifest = findings.manifest("language_model")
    rates = findings.language_model_rates
    if len(rates):
        draw_rates(rates, manifest.metrics["suggested_rate"], _taken_rates(manifest.config), folder / "rates.png")
    return render_section(
        "language_model.html",
        figures=manifest.metrics,
        config=manifest.config,
        history=history.to_dict("records"),
        has_rates=len(rates) > 0,
        sentences=list(findings.sentences["sentence"]),
        classifiers=classifiers.reset_index().to_dict("records"),
        random_split=RANDOM_SPLIT,
    )


def _taken_rates(config: Mapping[str, Any]) -> list[float]:
    frozen = [config["frozen_learning_rate"]] if config["frozen_epochs"] else []
    return [*frozen, config["learning_rate"]]


def _reviews(findings: Findings, coverage: dict[str, Any]) -> Markup:
    """The section "Reviews": where they come from, and how many there are of a film."""
    counts = findings.reviews["movie_id"].value_counts()
    return render_section(
        "reviews.html",
        coverage=coverage,
        sources=count_sources(findings.reviews).reset_index().to_dict("records"),
        attributions=attributions(findings.reviews),
        films_by_reviews=[
            (least, int((counts >= least).sum())) for least in (1, 2, 5, 10, 30) if (counts >= least).any()
        ],
    )
