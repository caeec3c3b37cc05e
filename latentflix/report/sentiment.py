"""The page about sentiment: how well it is predicted, what unfreezing brought, and where it goes wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from latentflix.artifacts import Manifest
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST
from latentflix.report.figures import draw_calibration, draw_unfreezing
from latentflix.report.formatting import decimals
from latentflix.report.rendering import records, write_page
from latentflix.sentiment.classifier import CLASSIFIER
from latentflix.sentiment.evaluation import SentimentEvaluation
from latentflix.sentiment.model import COMBINED, LABELS
from latentflix.sentiment.tfidf import BASELINE, TFIDF

_PREDICTORS = {
    CLASSIFIER: "the classifier alone",
    TFIDF: "words and phrases, weighted by naive Bayes",
    COMBINED: "classifier and words together",
    BASELINE: "TF-IDF and logistic regression",
}


class SentimentPageConfig(StageConfig):
    """How much the page shows."""

    excerpt_length: int = setting(600, "characters shown of a review", ge=40, le=10_000)
    left_out: int = setting(50, "rows listed of those that were left out", ge=0)


def sentiment_sentence(figures: Mapping[str, Any]) -> str:
    """The headline in one line."""
    accuracy, low, high, baseline, error = (
        decimals(figures[name], 3) for name in ("accuracy", "low", "high", "baseline_accuracy", "calibration_error")
    )
    return (
        f"{figures['test_reviews']:,} reviews of {figures['test_films']:,} unseen films: accuracy {accuracy} "
        f"[{low}, {high}] by {_PREDICTORS[figures['predictor']]}, chosen on validation; TF-IDF and logistic regression "
        f"{baseline}; calibration error {error}"
    )


def build_sentiment_page(
    folder: Path,
    config: SentimentPageConfig,
    *,
    evaluation: SentimentEvaluation,
    predictor: str,
    trials: pd.DataFrame,
    tfidf_trials: pd.DataFrame,
    reviews: pd.DataFrame,
    left_out: pd.DataFrame,
    manifests: Sequence[Manifest],
) -> dict[str, Any]:
    """Write the page into `folder` and return its headline's figures.

    predictor: the chosen one. trials, tfidf_trials: those of the predictor and of the words. reviews: index review_id;
    text, film.
    """
    split = next(manifest.metrics for manifest in manifests if manifest.stage == "sentiment_reviews")
    scores, test = evaluation.scores.set_index("predictor"), split["parts"][TEST]
    figures = {
        "predictor": predictor,
        "test_reviews": test["reviews"],
        "test_films": test["films"],
        **{f"{name}_accuracy": float(accuracy) for name, accuracy in scores["accuracy"].items()},
        **scores.loc[predictor].astype(float).to_dict(),
    }
    draw_calibration(evaluation.calibration, "share of test reviews that are positive", folder / "calibration.png")
    draw_unfreezing(evaluation.steps, figures["baseline_accuracy"], folder / "unfreezing.png")
    write_page(
        folder,
        "sentiment.html",
        manifests,
        sentence=sentiment_sentence(figures),
        figures=figures,
        names=_PREDICTORS,
        labels=LABELS,
        parts=split["parts"],
        shared_films=split["shared_films"],
        evaluation=evaluation,
        trials=trials,
        tfidf_trials=tfidf_trials,
        confusion=evaluation.confusion.set_index(["y_true", "y_pred"])["reviews"].to_dict(),
        mistakes=[_excerpt(row, reviews, config) for row in records(evaluation.mistakes)],
        left_out=left_out.head(config.left_out),
        n_left_out=len(left_out),
    )
    return figures


def _excerpt(mistake: dict[str, Any], reviews: pd.DataFrame, config: SentimentPageConfig) -> dict[str, Any]:
    """A mistake with its film and the beginning of its text."""
    review = reviews.loc[mistake["review_id"]]
    text = review["text"].replace("<br />", " ")
    shown = text if len(text) <= config.excerpt_length else text[: config.excerpt_length].rsplit(" ", 1)[0] + " …"
    return {**mistake, "film": review["film"], "text": shown}
