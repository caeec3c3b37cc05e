"""The page about genres: how well they are told, where one threshold lies, what goes together, and real films."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from latentflix.artifacts import Manifest
from latentflix.calibration import calibration_error
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST
from latentflix.genres.evaluation import COMBINED, EMBEDDINGS, PRIOR, TFIDF, GenreEvaluation
from latentflix.report.figures import draw_calibration, draw_confusion, draw_genre_bars, draw_threshold_curve
from latentflix.report.rendering import PAGE, decimals, render_page

_NAMED = {
    COMBINED: "vectors and words",
    EMBEDDINGS: "vectors alone",
    TFIDF: "TF-IDF and logistic regression",
    PRIOR: "the same guess for every plot",
}
METRICS = ("micro_f1", "macro_f1", "weighted_f1", "average_precision")


class GenrePageConfig(StageConfig):
    """What the page shows."""

    films: int = setting(40, "films of MovieLens that are shown", ge=0)
    left_out: int = setting(50, "rows that were left out that are named", ge=0)


@dataclass(frozen=True)
class GenrePageInputs:
    """Everything the page is made of: tables of the stages as those write them, and their manifests.

    films: as `genre_films.compare_genres` gives it, with part.
    """

    evaluation: GenreEvaluation
    trials: pd.DataFrame
    left_out: pd.DataFrame
    rare: pd.DataFrame
    films: pd.DataFrame
    ambiguous: int
    threshold: float
    manifests: Sequence[Manifest]


def genre_figures(evaluation: GenreEvaluation) -> dict[str, float]:
    """The headline's figures: the better thresholds' F1 and the mean average precision, ours and of words alone."""
    figures = {}
    for method, prefix in ((COMBINED, ""), (TFIDF, "tfidf_")):
        for metric in METRICS:
            kind = {"micro_f1": "shared", "average_precision": "none"}.get(metric, "each")
            figures[f"{prefix}{metric}"] = evaluation.score(method, kind, metric)
    return figures | {"calibration_error": calibration_error(evaluation.calibration)}


def genre_sentence(figures: Mapping[str, Any]) -> str:
    """The headline in one line."""
    ours, words = (
        ", ".join(
            f"{name} {decimals(figures[f'{prefix}{metric}'], 3)}"
            for metric, name in zip(METRICS, ("micro F1", "macro F1", "weighted F1", "mean AP"), strict=True)
        )
        for prefix in ("", "tfidf_")
    )
    return f"{figures['plots']:,} plots, {figures['genres']} genres; {ours}; TF-IDF and logistic regression {words}"


def build_genre_page(folder: Path, inputs: GenrePageInputs, config: GenrePageConfig) -> dict[str, Any]:
    """Write the page into `folder` and return its headline's figures."""
    evaluation = inputs.evaluation
    plots = next(manifest.metrics for manifest in inputs.manifests if manifest.stage == "plot_summaries")
    figures = {"plots": plots["plots"], "genres": plots["genres"], **genre_figures(evaluation)}
    draw_genre_bars(evaluation.genres, folder / "genres.png")
    draw_threshold_curve(evaluation.curve, inputs.threshold, folder / "thresholds.png")
    draw_calibration(evaluation.calibration, "share of test plots that carry the genre", folder / "calibration.png")
    draw_confusion(evaluation.confusion, folder / "confusion.png")
    has_genre = inputs.films["has_genre"]
    unread = inputs.films[has_genre & (inputs.films["part"] == TEST)]
    without_genre = inputs.films[~has_genre]
    page = render_page(
        "genres.html",
        inputs.manifests,
        sentence=genre_sentence(figures),
        figures=figures,
        parts=plots["parts"],
        scores=[{**row, "name": _NAMED[row["method"]]} for row in evaluation.scores.to_dict("records")],
        genres=evaluation.genres.sort_values("films", ascending=False).reset_index().to_dict("records"),
        trials=inputs.trials.sort_values("average_precision", ascending=False).to_dict("records"),
        left_out=inputs.left_out.head(config.left_out).to_dict("records"),
        n_left_out=len(inputs.left_out),
        rare=inputs.rare.reset_index().to_dict("records"),
        films=unread.head(config.films).to_dict("records"),
        without_genre=without_genre.head(config.films).to_dict("records"),
        n_without_genre=len(without_genre),
        n_items=len(inputs.films),
        n_unread=len(unread),
        agreement={name: int(unread[name].sum()) for name in ("true_positives", "false_negatives", "false_positives")},
        ambiguous=inputs.ambiguous,
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return figures
