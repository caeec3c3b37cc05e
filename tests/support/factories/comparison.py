"""Predictions of two encoders for films whose labels are known."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from latentflix.factors.comparison import OURS, EncoderComparison, EncoderConfig, compare_encoders

LABELS = ["1+", "1-", "2+"]
CONFIG = EncoderConfig(bootstraps=100)


class Case(NamedTuple):
    """What `compare_encoders` takes, and which films carry which labels: bool (films, labels)."""

    predictions: dict[str, pd.DataFrame]
    movie_ids: pd.Series
    folds: pd.Series
    film_labels: pd.DataFrame
    truth: np.ndarray


def make_case(n_films: int = 120, seed: int = 0) -> Case:
    """A review a film; the classifier sees the truth through little noise, the baseline through much."""
    random = np.random.default_rng(seed)
    movie_ids = pd.Series(np.arange(n_films), pd.Index([f"r{film}" for film in range(n_films)], name="review_id"))
    truth = random.random((n_films, len(LABELS))) < [0.5, 0.3, 0.2]
    film, column = np.nonzero(truth)
    film_labels = pd.DataFrame({"movie_id": film, "label": np.array(LABELS)[column]})
    folds = pd.Series(np.arange(n_films) % 4, pd.RangeIndex(n_films, name="movie_id"))

    def say(noise: float) -> pd.DataFrame:
        logits = np.where(truth, 1.0, -1.0) + noise * random.normal(size=truth.shape)
        table = pd.DataFrame(1 / (1 + np.exp(-logits)), columns=LABELS)
        table.insert(0, "review_id", movie_ids.index)
        table.insert(0, "classifier", folds.astype(str).to_numpy())
        return table

    return Case({OURS: say(0.5), "baseline": say(3.0)}, movie_ids, folds, film_labels, truth)


def compare(case: Case, **changes: Any) -> EncoderComparison:
    """The comparison of a case, by settings with parts exchanged."""
    predictions, movie_ids, folds, film_labels, _ = case
    return compare_encoders(predictions, movie_ids, folds, film_labels, LABELS, CONFIG.model_copy(update=changes))
