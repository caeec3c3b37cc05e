"""Scores of predicted genres on test plots, next to TF-IDF alone and to the prevalence of each genre."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.artifacts import Handle, Store
from latentflix.calibration import Thresholds, calibration_curve, threshold_curve, tune_thresholds
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.metrics import (
    bootstrap_counts,
    bootstrap_interval,
    f1_scores,
    grouped_average_precision,
    score_labels,
)

COMBINED, EMBEDDINGS, TFIDF, PRIOR = "combined", "embeddings", "tfidf", "prior"


class GenreEvaluationConfig(StageConfig):
    """How precise the intervals are."""

    bootstraps: int = setting(500, "resamples of the test plots, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    seed: int = setting(0, "seed of the resamples", ge=0)


@dataclass(frozen=True)
class GenreEvaluation:
    """Scores on the test plots.

    Attributes:
        scores: method, thresholds (shared, each, none), metric, score, low, high, and over_tfidf, over_tfidf_low,
            over_tfidf_high: the difference to TF-IDF alone on the same plots.
        genres: index genre; films, predicted, precision, recall, f1, threshold, average_precision, tfidf_f1,
            tfidf_average_precision.
        curve: `threshold_curve` on the validation plots.
    """

    scores: pd.DataFrame
    genres: pd.DataFrame
    curve: pd.DataFrame
    calibration: pd.DataFrame
    confusion: pd.DataFrame

    def score(self, method: str, thresholds: str, metric: str) -> float:
        """Look up one score."""
        return float(self.scores.set_index(["method", "thresholds", "metric"])["score"][method, thresholds, metric])


def read_probabilities(store: Store, genres: Handle) -> dict[str, pd.DataFrame]:
    """Read the probabilities of genres by method, as `evaluate_genres` takes them. Raises ArtifactError."""
    tables = {COMBINED: "probabilities", EMBEDDINGS: "embeddings", TFIDF: "tfidf"}
    return {method: store.read_table(genres, table) for method, table in tables.items()}


def evaluate_genres(
    methods: Mapping[str, pd.DataFrame],
    has_genre: pd.DataFrame,
    parts: pd.Series,
    shrinkage: float,
    config: GenreEvaluationConfig,
) -> GenreEvaluation:
    """Score every method on the test plots, with thresholds tuned the same way on the validation plots.

    PRIOR is added to the methods: every plot gets the share of training plots that have a genre.

    Args:
        methods: probabilities, index plot_id, one column per genre; COMBINED and TFIDF are among them.
        has_genre: bool, same shape.
        parts: index plot_id.
        shrinkage: as for `tune_thresholds`.
    """
    genres = list(has_genre.columns)
    prevalence = np.tile(has_genre[parts == TRAIN].mean(), (len(has_genre), 1))
    methods = {**methods, PRIOR: pd.DataFrame(prevalence, has_genre.index, genres)}
    valid, test = ((parts == part).to_numpy() for part in (VALID, TEST))
    y_valid, y_test = has_genre[valid].to_numpy(), has_genre[test].to_numpy()
    on_valid, on_test = (
        {method: table[mask].to_numpy() for method, table in methods.items()} for mask in (valid, test)
    )
    tuned = {method: tune_thresholds(y_valid, values, shrinkage) for method, values in on_valid.items()}
    counts = bootstrap_counts(np.random.default_rng(config.seed), len(y_test), config.bootstraps)
    scores, resampled = (
        {method: _scores(y_test, values, tuned[method], weights) for method, values in on_test.items()}
        for weights in (np.ones((1, len(y_test))), counts)
    )
    rows = []
    for method in methods:
        for key, (value,) in scores[method].items():
            over, resampled_over = value - scores[TFIDF][key][0], resampled[method][key] - resampled[TFIDF][key]
            interval = bootstrap_interval(resampled[method][key], config.confidence, centre=value)
            over_interval = bootstrap_interval(resampled_over, config.confidence, centre=over)
            rows.append((method, *key, value, *interval, over, *over_interval))
    by_genre = {
        method: {
            "films": y_test.sum(0),
            **score_labels(y_test, on_test[method] >= tuned[method].each),
            "threshold": tuned[method].each,
            "average_precision": _average_precision(y_test, on_test[method], np.ones((1, len(y_test))))[0],
        }
        for method in (COMBINED, TFIDF)
    }
    tfidf = {f"tfidf_{name}": by_genre[TFIDF][name] for name in ("f1", "average_precision")}
    columns = ["method", "thresholds", "metric", "score", "low", "high", "over_tfidf", "over_tfidf_low"]
    return GenreEvaluation(
        pd.DataFrame(rows, columns=[*columns, "over_tfidf_high"]),
        pd.DataFrame({**by_genre[COMBINED], **tfidf}, pd.Index(genres, name="genre")),
        threshold_curve(y_valid, on_valid[COMBINED]),
        calibration_curve(y_test, on_test[COMBINED]),
        confuse(y_test, on_test[COMBINED] >= tuned[COMBINED].each, genres),
    )


def confuse(y_true: np.ndarray, y_pred: np.ndarray, genres: list[str]) -> pd.DataFrame:
    """Compute shares of each genre's plots by genre and other: has_other, and predicted_other."""
    positives = y_true.sum(0)[:, None]
    with np.errstate(invalid="ignore"):
        has_other, predicted_other = (y_true.T.astype(float) @ other / positives for other in (y_true, y_pred))
    index = pd.MultiIndex.from_product([genres, genres], names=["genre", "other"])
    shares = {"has_other": has_other.ravel(), "predicted_other": predicted_other.ravel()}
    return pd.DataFrame(shares, index).reset_index()


def _scores(
    y_true: np.ndarray, probabilities: np.ndarray, tuned: Thresholds, weights: np.ndarray
) -> dict[tuple[str, str], np.ndarray]:
    """Each score, by thresholds and metric, for each row of weights (trials, plots)."""
    scores = {("none", "average_precision"): np.nanmean(_average_precision(y_true, probabilities, weights), axis=1)}
    for name, thresholds in (("shared", tuned.shared), ("each", tuned.each)):
        f1 = f1_scores(y_true, probabilities >= thresholds, weights)
        scores |= {(name, metric): values for metric, values in f1.items()}
    return scores


def _average_precision(y_true: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 (trials, genres)."""
    one_group = np.zeros(len(y_true))
    columns = [
        grouped_average_precision(values, one_group, truth[None].astype(float), weights)
        for values, truth in zip(probabilities.T, y_true.T, strict=True)
    ]
    return np.stack(columns, axis=1)
