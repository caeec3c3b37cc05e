"""Evaluations of genres and of sentiment, as their pages show them."""

import numpy as np
import pandas as pd

from latentflix.genres.evaluation import COMBINED, TFIDF, GenreEvaluation, GenreEvaluationConfig, evaluate_genres
from latentflix.sentiment.evaluation import SentimentEvaluation, SentimentEvaluationConfig, evaluate_sentiment

GENRES = ["Drama", "Comedy", "War"]


def make_genre_evaluation(n_plots: int = 600) -> GenreEvaluation:
    """Three genres by a method that knows their probabilities, and by words that blur them."""
    random = np.random.default_rng(0)
    logits = random.normal([0, -1, -3], 2, size=(n_plots, 3))
    true, blurred = (1 / (1 + np.exp(-each)) for each in (logits, logits - random.normal(0, 2, logits.shape)))
    index = pd.RangeIndex(n_plots, name="plot_id")
    y_true = pd.DataFrame(random.random(true.shape) < true, index, GENRES)
    parts = pd.Series(np.array(["train", "valid", "test"])[np.arange(n_plots) % 3], index)
    methods = {COMBINED: pd.DataFrame(true, index, GENRES), TFIDF: pd.DataFrame(blurred, index, GENRES)}
    return evaluate_genres(methods, y_true, parts, 20, GenreEvaluationConfig(bootstraps=20))


def make_sentiment_evaluation(n_reviews: int = 400) -> tuple[SentimentEvaluation, pd.DataFrame]:
    """The evaluation of two predictors, and the reviews: index review_id; positive, film, part, text."""
    random = np.random.default_rng(0)
    index = pd.Index([f"r{number}" for number in range(n_reviews)], name="review_id")
    true = random.random(n_reviews)
    reviews = pd.DataFrame(
        {
            "positive": random.random(n_reviews) < true,
            "film": [f"f{number // 5}" for number in range(n_reviews)],
            "part": np.where(np.arange(n_reviews) < n_reviews // 4, "valid", "test"),
            "text": [f"<b>Review {number}</b> " + "word " * 200 for number in range(n_reviews)],
        },
        index,
    )
    words = np.where(random.random(n_reviews) < 0.3, 1 - true, true)
    probabilities = pd.DataFrame({"combined": true, "baseline": words}, index)
    steps = pd.DataFrame({"head": random.normal(size=n_reviews), "all": true - 0.5}, index)
    config = SentimentEvaluationConfig(bootstraps=50, mistakes=5)
    return evaluate_sentiment(probabilities, "combined", steps, reviews, config), reviews
