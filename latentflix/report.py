"""The page that says it all: one folder that opens from disk, with no script or picture from anywhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from latentflix.artifacts import Manifest
from latentflix.classifier import RANDOM_SPLIT
from latentflix.config import StageConfig, setting
from latentflix.encoder_page import encoder_section
from latentflix.encoders import EncoderComparison
from latentflix.labels import POLES
from latentflix.pages import PAGE, decimals, render_page
from latentflix.pictures import draw_histogram, draw_rates, draw_stability, draw_training
from latentflix.provenance import attributions, count_sources
from latentflix.study import Study
from latentflix.study_page import write_section
from latentflix.trials import Trials


class ReportConfig(StageConfig):
    """What the page shows."""

    excerpt_length: int = setting(320, "characters shown of a review", ge=40, le=5000)
    min_reviews: int = setting(1, "reviews a film needs to get a histogram", ge=1)


@dataclass(frozen=True)
class Findings:
    """Everything the report is made of: the tables of the stages, as those write them, and their manifests.

    headline: as `headline` gives it. manifests: by stage; `data_sets` by name.
    """

    films: pd.DataFrame
    axes: pd.DataFrame
    film_labels: pd.DataFrame
    labels: pd.DataFrame
    reviews: pd.DataFrame
    predictions: pd.DataFrame
    label_scores: pd.DataFrame
    axis_scores: pd.DataFrame
    overall: Mapping[str, Any]
    encoders: EncoderComparison
    rare: pd.DataFrame
    terms: pd.DataFrame
    pole_films: pd.DataFrame
    genres: pd.DataFrame
    names: Mapping[str, str]
    shares: pd.DataFrame
    dominating: str
    language_model_history: pd.DataFrame
    language_model_rates: pd.DataFrame
    sentences: pd.DataFrame
    classifier_history: pd.DataFrame
    trials: Trials
    study: Study
    manifests: Sequence[Manifest]


def headline(overall: Mapping[str, Any], coverage: Mapping[str, Any], axes: pd.DataFrame) -> dict[str, Any]:
    """What a run comes to: films, reviews, stable factors, and the mean held-out AUC beside its null."""
    return {
        "films": coverage["films_with_review"],
        "reviews": coverage["reviews"],
        "factors": len(axes),
        "stable_factors": int(axes["stable"].sum()),
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
        f"{figures['films']:,} films, {figures['reviews']:,} reviews, {figures['stable_factors']} stable factors of "
        f"{figures['factors']}; mean held-out AUC {auc} [{low}, {high}] against {null} ± {spread} for labels permuted "
        f"across films; TF-IDF and logistic regression {words}"
    )


def build_report(folder: Path, findings: Findings, config: ReportConfig) -> dict[str, Any]:
    """Write the report into `folder` and return its headline's figures."""
    manifests = {manifest.stage: manifest for manifest in findings.manifests}
    coverage = manifests["reviews"].metrics
    figures = headline(findings.overall, coverage, findings.axes)
    films = _film_sections(findings, config)
    pictures = folder / "films"
    pictures.mkdir()
    for film in tqdm(films, "histograms", leave=False, disable=None):
        draw_histogram(film["shares"], film["labels"], findings.dominating, pictures / f"{film['movie_id']}.png")
    draw_training(findings.language_model_history, findings.classifier_history, folder / "training.png")
    language_model = manifests["language_model"]
    rates = findings.language_model_rates
    if len(rates):
        trained = language_model.config
        frozen = [trained["frozen_learning_rate"]] if trained["frozen_epochs"] else []
        suggested = language_model.metrics["suggested_rate"]
        draw_rates(rates, suggested, [*frozen, trained["learning_rate"]], folder / "rates.png")
    draw_stability(findings.axes, manifests["factors"].config["stable_from"], folder / "stability.png")

    page = render_page(
        "report.html",
        findings.manifests,
        language_model={
            "history": findings.language_model_history.to_dict("records"),
            "sentences": list(findings.sentences["sentence"]),
            "has_rates": len(rates) > 0,
            "temperature": language_model.config["temperature"],
        },
        encoders=encoder_section(findings.encoders, findings.rare),
        recommenders=write_section(folder, findings.study, findings.trials),
        figures=figures,
        sentence=headline_sentence(figures),
        coverage=coverage,
        sources=count_sources(findings.reviews).reset_index().to_dict("records"),
        attributions=attributions(findings.reviews),
        overall=findings.overall,
        factors=_factor_cards(findings, config),
        unstable=findings.axes[~findings.axes["stable"]].reset_index().to_dict("records"),
        stable_from=manifests["factors"].config["stable_from"],
        labels=findings.label_scores.join(findings.labels[["share", "dominating"]]).reset_index().to_dict("records"),
        axis_scores=findings.axis_scores.reset_index().to_dict("records"),
        names=findings.names,
        films=films,
        dominating=findings.dominating,
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return figures


def _factor_cards(findings: Findings, config: ReportConfig) -> list[dict[str, Any]]:
    cards = []
    for axis, row in findings.axes[findings.axes["stable"]].iterrows():
        scored = axis in findings.axis_scores.index
        cards.append(
            {
                "axis": axis,
                **row[["stability", "stability_null", "stability_null_95", "explained"]],
                "score": findings.axis_scores.loc[axis].to_dict() if scored else None,
                "poles": [_pole(f"{axis}{pole}", findings, config) for pole in POLES],
            }
        )
    return cards


def _pole(label: str, findings: Findings, config: ReportConfig) -> dict[str, Any]:
    def of_label(table: pd.DataFrame) -> list[dict[str, Any]]:
        return table[table["label"] == label].to_dict("records")

    return {
        "label": label,
        "name": findings.names[label],
        "terms": of_label(findings.terms),
        "films": of_label(findings.pole_films),
        "genres": of_label(findings.genres),
        "excerpt": _excerpt(label, findings, config),
    }


def _excerpt(label: str, findings: Findings, config: ReportConfig) -> dict[str, str] | None:
    """The start of the review, of a film that carries the label, that was most surely given it unseen."""
    carriers = findings.film_labels.loc[findings.film_labels["label"] == label, "movie_id"]
    reviews = findings.reviews[findings.reviews["movie_id"].isin(carriers)].set_index("review_id")
    held_out = findings.predictions[findings.predictions["classifier"] != RANDOM_SPLIT].set_index("review_id")
    candidates = held_out.loc[held_out.index.intersection(reviews.index)]
    if label not in candidates or candidates.empty:
        return None
    review = reviews.loc[candidates[label].idxmax()]
    text = review["text"].replace("<br />", " ")
    shown = text[: config.excerpt_length].rsplit(" ", 1)[0] + " …" if len(text) > config.excerpt_length else text
    attribution = review.get("attribution")
    return {
        "text": shown,
        "title": findings.films.loc[review["movie_id"], "title"],
        "attribution": attribution if isinstance(attribution, str) else "",
    }


def _film_sections(findings: Findings, config: ReportConfig) -> list[dict[str, Any]]:
    counts = findings.reviews["movie_id"].value_counts()
    labels = findings.film_labels.groupby("movie_id")["label"].agg(list)
    order = pd.CategoricalDtype(list(findings.labels.index), ordered=True)
    shares = findings.shares.astype({"label": order}).sort_values(["movie_id", "label"])
    sections = [
        {
            "movie_id": int(str(movie_id)),
            "title": findings.films.loc[movie_id, "title"],
            "ratings": int(findings.films.loc[movie_id, "ratings"]),
            "reviews": int(counts[movie_id]),
            "labels": labels[movie_id],
            "shares": table,
        }
        for movie_id, table in shares.groupby("movie_id")
        if counts[movie_id] >= config.min_reviews
    ]
    return sorted(sections, key=lambda film: (-film["reviews"], film["title"]))
