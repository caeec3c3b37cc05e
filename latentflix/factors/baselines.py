"""Baselines of the classifier: logistic regression on TF-IDF or on sentence embeddings, on the same folds."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting
from latentflix.factors.folds import predict_each
from latentflix.factors.labels import indicator_matrix
from latentflix.text.tfidf import TfidfConfig, fit_tfidf, tfidf_logits


class BaselineConfig(StageConfig):
    """TF-IDF and logistic regression."""

    min_df: int = setting(3, "reviews a word must occur in", ge=1)
    max_df: float = setting(0.5, "largest share of reviews a word may occur in", gt=0, le=1)
    inverse_regularization: float = setting(1.0, "logistic regression's C", gt=0)


class EmbeddingBaselineConfig(StageConfig):
    """Sentence embeddings and logistic regression."""

    inverse_regularization: float = setting(1e-3, "logistic regression's C, on standardised embeddings", gt=0)


def predict_by_tfidf(
    reviews: pd.DataFrame,
    item_labels: pd.DataFrame,
    labels: Sequence[str],
    held_out: pd.DataFrame,
    config: BaselineConfig,
) -> pd.DataFrame:
    """Predict held-out reviews by TF-IDF and logistic regression; returns what `predict_each` does.

    An item weighs as the root of its number of reviews, so that none outvotes the others. reviews: review_id, item_id,
    text. item_labels: item_id, label. held_out: index review_id, a bool column for each classifier.
    """
    texts = reviews["text"].to_numpy(dtype=object)
    tfidf = TfidfConfig(stop_words=False, balanced=False, **config.model_dump())

    def fit_predict(test: np.ndarray, y_true: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
        return np.asarray(expit(tfidf_logits(texts[test], fit_tfidf(texts[~test], y_true, tfidf, weights))))

    return _predict_held_out(reviews, item_labels, labels, held_out, fit_predict)


def predict_by_embeddings(
    reviews: pd.DataFrame,
    embeddings: np.ndarray,
    item_labels: pd.DataFrame,
    labels: Sequence[str],
    held_out: pd.DataFrame,
    config: EmbeddingBaselineConfig,
) -> pd.DataFrame:
    """Predict held-out reviews by their embeddings, float (reviews, size); else as `predict_by_tfidf`."""

    def fit_predict(test: np.ndarray, y_true: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
        probabilities = np.zeros((test.sum(), len(labels)), np.float32)
        for column, label in enumerate(y_true.to_numpy().T):
            if label.min() == label.max():
                probabilities[:, column] = label[0]
                continue
            model = make_pipeline(StandardScaler(), LogisticRegression(C=config.inverse_regularization, max_iter=1000))
            model.fit(embeddings[~test], label, logisticregression__sample_weight=weights)
            probabilities[:, column] = model.predict_proba(embeddings[test])[:, 1]
        return probabilities

    return _predict_held_out(reviews, item_labels, labels, held_out, fit_predict)


def _predict_held_out(
    reviews: pd.DataFrame,
    item_labels: pd.DataFrame,
    labels: Sequence[str],
    held_out: pd.DataFrame,
    fit_predict: Callable[[np.ndarray, pd.DataFrame, np.ndarray], np.ndarray],
) -> pd.DataFrame:
    """Call `fit_predict` for each classifier: with its test reviews, and labels and weights of the others."""
    item_ids = reviews["item_id"]
    y_true = pd.DataFrame(indicator_matrix(item_labels, item_ids, list(labels)), columns=list(labels))

    with tqdm(total=held_out.shape[1], desc="baseline", leave=False, disable=None) as bar:

        def predict(_: str, test: np.ndarray) -> np.ndarray:
            bar.update()
            weights = item_ids[~test].groupby(item_ids[~test]).transform("size").to_numpy() ** -0.5
            return fit_predict(test, y_true[~test], weights)

        return predict_each(reviews["review_id"], held_out, labels, predict)
