"""The page about genres: how well they are predicted, where thresholds lie, what is confused, and real films."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from latentflix.artifacts import Manifest
from latentflix.calibration import calibration_error
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST
from latentflix.genres.evaluation import COMBINED, EMBEDDINGS, PRIOR, TFIDF, GenreEvaluation
from latentflix.report.figures import draw_calibration, draw_confusion, draw_genre_bars, draw_threshold_curve
from latentflix.report.formatting import decimals
from latentflix.report.rendering import write_page

_METHODS = {
    COMBINED: "embeddings and words",
    EMBEDDINGS: "embeddings alone",
    TFIDF: "TF-IDF and logistic regression",
    PRIOR: "the same prediction for every plot",
}
METRICS = {
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "average_precision": "mean AP",
}


class GenrePageConfig(StageConfig):
    """How much the page shows."""

    films: int = setting(40, "films of MovieLens that are shown", ge=0)
    left_out: int = setting(50, "rows listed of those that were left out", ge=0)


def genre_sentence(figures: Mapping[str, Any]) -> str:
    """The headline in one line."""
    combined, words = (
        ", ".join(f"{name} {decimals(figures[f'{prefix}{metric}'], 3)}" for metric, name in METRICS.items())
        for prefix in ("", "tfidf_")
    )
    return f"{figures['plots']:,} plots, {figures['genres']} genres; {combined}; TF-IDF and logistic regression {words}"


def build_genre_page(
    folder: Path,
    config: GenrePageConfig,
    *,
    evaluation: GenreEvaluation,
    trials: pd.DataFrame,
    left_out: pd.DataFrame,
    rare: pd.DataFrame,
    films: pd.DataFrame,
    ambiguous: int,
    threshold: float,
    manifests: Sequence[Manifest],
) -> dict[str, Any]:
    """Write the page into `folder` and return its headline's figures. films: as from `compare_genres`, with part."""
    plots = next(manifest.metrics for manifest in manifests if manifest.stage == "plot_summaries")
    # F1 is that under the better thresholds.
    kinds = dict.fromkeys(METRICS, "each") | {"micro_f1": "shared", "average_precision": "none"}
    scores = {
        f"{prefix}{metric}": evaluation.score(method, kind, metric)
        for method, prefix in ((COMBINED, ""), (TFIDF, "tfidf_"))
        for metric, kind in kinds.items()
    }
    error = calibration_error(evaluation.calibration)
    figures = {"plots": plots["plots"], "genres": plots["genres"], **scores, "calibration_error": error}
    draw_genre_bars(evaluation.genres, folder / "genres.png")
    draw_threshold_curve(evaluation.curve, threshold, folder / "thresholds.png")
    draw_calibration(evaluation.calibration, "share of test plots that have the genre", folder / "calibration.png")
    draw_confusion(evaluation.confusion, folder / "confusion.png")
    unseen, without_genres = films[films["has_genre"] & (films["part"] == TEST)], films[~films["has_genre"]]
    write_page(
        folder,
        "genres.html",
        manifests,
        sentence=genre_sentence(figures),
        figures=figures,
        parts=plots["parts"],
        scores=evaluation.scores.assign(name=evaluation.scores["method"].map(_METHODS)),
        genres=evaluation.genres.sort_values("films", ascending=False),
        trials=trials.sort_values("average_precision", ascending=False),
        left_out=left_out.head(config.left_out),
        n_left_out=len(left_out),
        rare=rare,
        films=unseen.head(config.films),
        without_genres=without_genres.head(config.films),
        n_without_genres=len(without_genres),
        n_films=len(films),
        n_unseen=len(unseen),
        agreement={name: int(unseen[name].sum()) for name in ("true_positives", "false_negatives", "false_positives")},
        ambiguous=ambiguous,
    )
    return figures
