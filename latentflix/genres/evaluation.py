"""How well genres are told of plots that nothing was learned from, beside words alone and a plain guess."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.calibration import Thresholds, calibrate, threshold_curve, tune_thresholds
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.factors.evaluation import grouped_average_precision

# The method that is judged, and that which it is to be better than.
COMBINED, WORDS, PRIOR = "combined", "words", "prior"


class GenreEvaluationConfig(StageConfig):
    """How sure the scores are to be."""

    bootstraps: int = setting(500, "resamples of the test plots, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    seed: int = setting(0, "seed of the resamples", ge=0)


@dataclass(frozen=True)
class GenreEvaluation:
    """Scores of test plots.

    scores: method, thresholds (shared, each, none), metric, score, low, high, and over_words with its low and high:
    by how much it is better than words alone on the same plots.
    genres: index genre; films (in test), given, precision, recall, f1, threshold, average_precision, and for words
    words_f1, words_average_precision. curve: as `threshold_curve` gives it, of the validation plots. calibration: one
    row a bin of probabilities: said, carried, pairs. confusion: genre, other, carried (share of the genre's plots that
    carry the other), given (that are given the other).
    """

    scores: pd.DataFrame
    genres: pd.DataFrame
    curve: pd.DataFrame
    calibration: pd.DataFrame
    confusion: pd.DataFrame

    def score(self, method: str, thresholds: str, metric: str) -> float:
        """One score."""
        return float(self.scores.set_index(["method", "thresholds", "metric"])["score"][method, thresholds, metric])


def evaluate_genres(
    methods: Mapping[str, pd.DataFrame],
    carried: pd.DataFrame,
    parts: pd.Series,
    shrinkage: float,
    config: GenreEvaluationConfig,
) -> GenreEvaluation:
    """Score every method on the test plots, with thresholds tuned the same way on the validation plots.

    methods: probabilities, index plot_id, one column a genre; COMBINED and WORDS are among them. The majority guess is
    added: for every plot the share of training plots that carry a genre. carried: bool, same shape. parts: index
    plot_id. shrinkage: as for `tune_thresholds`.
    """
    share = carried[parts == TRAIN].mean()
    guess = pd.DataFrame(np.tile(share, (len(carried), 1)), carried.index, carried.columns)
    methods = {**methods, PRIOR: guess}
    truth = {part: carried[parts == part].to_numpy() for part in (VALID, TEST)}
    said = {name: {part: table[parts == part].to_numpy() for part in truth} for name, table in methods.items()}
    tuned = {name: tune_thresholds(truth[VALID], by_part[VALID], shrinkage) for name, by_part in said.items()}
    counts = _resamples(len(truth[TEST]), config)
    resampled = {name: _all_scores(truth[TEST], by_part[TEST], tuned[name], counts) for name, by_part in said.items()}
    once = {
        name: _all_scores(truth[TEST], by_part[TEST], tuned[name], np.ones((1, len(truth[TEST]))))
        for name, by_part in said.items()
    }
    rows = []
    for name in methods:
        for thresholds, metric in once[name]:
            value, spread = once[name][thresholds, metric][0], resampled[name][thresholds, metric]
            over = value - once[WORDS][thresholds, metric][0]
            over_spread = spread - resampled[WORDS][thresholds, metric]
            rows.append(
                (
                    *(name, thresholds, metric, value, *_interval(value, spread, config)),
                    *(over, *_interval(over, over_spread, config)),
                )
            )
    ends = ("low", "high", "over_words", "over_words_low", "over_words_high")
    ours, words = (said[name][TEST] for name in (COMBINED, WORDS))
    return GenreEvaluation(
        pd.DataFrame(rows, columns=["method", "thresholds", "metric", "score", *ends]),
        _by_genre(truth[TEST], ours, words, tuned, list(carried.columns)),
        threshold_curve(truth[VALID], said[COMBINED][VALID]),
        calibrate(truth[TEST], ours),
        confuse(truth[TEST], ours >= tuned[COMBINED].each, list(carried.columns)),
    )


def confuse(truth: np.ndarray, given: np.ndarray, genres: list[str]) -> pd.DataFrame:
    """Which genres go together, and which are given together: genre, other, carried, given.

    carried: the share of the genre's plots that carry the other too; given: that are given the other, rightly or not.
    """
    films = truth.sum(0)[:, None]
    with np.errstate(invalid="ignore"):
        shares = {"carried": truth.T.astype(float) @ truth / films, "given": truth.T.astype(float) @ given / films}
    index = pd.MultiIndex.from_product([genres, genres], names=["genre", "other"])
    return pd.DataFrame({name: share.ravel() for name, share in shares.items()}, index).reset_index()


def _by_genre(
    truth: np.ndarray, ours: np.ndarray, words: np.ndarray, tuned: Mapping[str, Thresholds], genres: list[str]
) -> pd.DataFrame:
    once = np.ones((1, len(truth)))
    given = ours >= tuned[COMBINED].each
    hit, films = (given & truth).sum(0), truth.sum(0)
    return pd.DataFrame(
        {
            "films": films,
            "given": given.sum(0),
            "precision": hit / np.maximum(given.sum(0), 1),
            "recall": hit / np.maximum(films, 1),
            "f1": _f1(given, truth, once)[0],
            "threshold": tuned[COMBINED].each,
            "average_precision": _average_precision(truth, ours, once)[0],
            "words_f1": _f1(words >= tuned[WORDS].each, truth, once)[0],
            "words_average_precision": _average_precision(truth, words, once)[0],
        },
        pd.Index(genres, name="genre"),
    )


def _resamples(n_plots: int, config: GenreEvaluationConfig) -> np.ndarray:
    random = np.random.default_rng(config.seed)
    return random.multinomial(n_plots, np.full(n_plots, 1 / n_plots), config.bootstraps).astype(float)


def _interval(value: float, resampled: np.ndarray, config: GenreEvaluationConfig) -> tuple[float, float]:
    # A plot that is drawn twice lifts the average precision of every resample; so the resamples give the interval's
    # width, and the score its place.
    tail = (1 - config.confidence) / 2
    low, high = np.nanquantile(value + resampled - np.nanmean(resampled), [tail, 1 - tail])
    return float(low), float(high)


def _all_scores(
    truth: np.ndarray, probabilities: np.ndarray, tuned: Thresholds, weights: np.ndarray
) -> dict[tuple[str, str], np.ndarray]:
    """Each score for each row of weights (trials, plots)."""
    scores = {("none", "average_precision"): np.nanmean(_average_precision(truth, probabilities, weights), axis=1)}
    films = weights @ truth
    for name, thresholds in (("shared", tuned.shared), ("each", tuned.each)):
        given = probabilities >= thresholds
        f1 = _f1(given, truth, weights)
        hit = weights @ (given & truth)
        scores[name, "micro_f1"] = 2 * hit.sum(1) / (films.sum(1) + (weights @ given).sum(1))
        scores[name, "macro_f1"] = f1.mean(axis=1)
        scores[name, "weighted_f1"] = (f1 * films).sum(1) / films.sum(1)
    return scores


def _f1(given: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """F1 of each genre, 0 where it is neither carried nor given: (trials, genres)."""
    return np.asarray(2 * (weights @ (given & truth)) / np.maximum(weights @ given + weights @ truth, 1))


def _average_precision(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    one_group = np.zeros(len(truth))
    columns = [
        grouped_average_precision(probabilities[:, column], one_group, truth[None, :, column].astype(float), weights)
        for column in range(truth.shape[1])
    ]
    return np.stack(columns, axis=1)
