"""TF-IDF and logistic regression for each label, as plain arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting
from latentflix.errors import ModelError


class TfidfConfig(StageConfig):
    """TF-IDF and logistic regression."""

    min_df: int = setting(3, "texts a word must occur in", ge=1)
    max_df: float = setting(0.5, "largest share of texts a word may occur in", gt=0, le=1)
    max_ngram: int = setting(1, "longest run of words that is a feature", unit="words", ge=1, le=5)
    stop_words: bool = setting(True, "leave out English stop words, as `the`")
    inverse_regularization: float = setting(1.0, "logistic regression's C", gt=0)
    balanced: bool = setting(True, "give the texts with a label the same total weight as those without")
    naive_bayes: bool = setting(
        False, "scale a word by the log ratio of its shares in texts with and without the label"
    )


@dataclass(frozen=True)
class TfidfModel:
    """A logistic regression on TF-IDF for each label. Raises ModelError if the arrays, all float32, do not fit.

    vocabulary: the word of each column. idf: (words,). coefficients: (labels, words). intercepts: (labels,).
    """

    vocabulary: list[str]
    idf: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    config: TfidfConfig

    def __post_init__(self) -> None:
        n_words, n_labels = len(self.vocabulary), len(self.intercepts)
        for name, shape in {"idf": (n_words,), "coefficients": (n_labels, n_words)}.items():
            if (found := getattr(self, name).shape) != shape:
                raise ModelError(
                    "the weights of words do not fit their names",
                    where=name,
                    found=str(found),
                    expected=f"{shape}: {n_labels} labels, {n_words} words",
                )


def fit_tfidf(
    texts: Sequence[str], y_true: pd.DataFrame, config: TfidfConfig, weights: np.ndarray | None = None
) -> TfidfModel:
    """Fit a model to texts; a label of all or of no texts gets an intercept of plus or minus infinity.

    y_true: bool (texts, labels). weights: (texts,), by default all the same. Raises ValueError if no word is left.
    """
    return _fit_each(texts, y_true, [config], weights)[0]


def tune_tfidf(
    texts: Sequence[str],
    y_true: pd.DataFrame,
    valid: np.ndarray,
    config: TfidfConfig,
    inverse_regularizations: Sequence[float],
) -> tuple[TfidfModel, pd.DataFrame]:
    """Fit a model to the texts that are not `valid`, with the regularization that is best on those that are.

    Of equals the strongest is chosen. y_true: bool (texts, labels). valid: bool (texts,). Returns the model, and one
    row per regularization: inverse_regularization, accuracy (over texts and labels), chosen.
    """
    tried = sorted(set(inverse_regularizations))
    configs = [config.model_copy(update={"inverse_regularization": value}) for value in tried]
    train, watched = ([text for text, inside in zip(texts, valid, strict=True) if inside == part] for part in (0, 1))
    models = _fit_each(train, y_true[~valid], configs, None)
    vectors = _vectorize(watched, models[0])
    positive = y_true[valid].to_numpy()
    accuracy = [float(((_logits(vectors, model) > 0) == positive).mean()) for model in models]
    best = int(np.argmax(accuracy))
    trials = pd.DataFrame({"inverse_regularization": tried, "accuracy": accuracy})
    return models[best], trials.assign(chosen=trials.index == best)


def tfidf_logits(texts: Sequence[str], model: TfidfModel) -> np.ndarray:
    """The logit of each label for each text: float32 (texts, labels)."""
    return _logits(_vectorize(texts, model), model)


def _vectorizer(config: TfidfConfig, **options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        sublinear_tf=True,
        ngram_range=(1, config.max_ngram),
        stop_words="english" if config.stop_words else None,
        **options,
    )


def _fit_each(
    texts: Sequence[str], y_true: pd.DataFrame, configs: Sequence[TfidfConfig], weights: np.ndarray | None
) -> list[TfidfModel]:
    """A model for each config; the features are those of the first."""
    vectorizer = _vectorizer(configs[0], min_df=configs[0].min_df, max_df=configs[0].max_df)
    vectors = vectorizer.fit_transform(texts)
    vocabulary, idf = list(vectorizer.get_feature_names_out()), vectorizer.idf_.astype(np.float32)
    models = []
    for config in configs:
        fitted = [
            _fit_one(vectors, y_true[label].to_numpy(), config, weights)
            for label in tqdm(y_true.columns, "words", leave=False, disable=None)
        ]
        coefficients, intercepts = (np.array(parts, np.float32) for parts in zip(*fitted, strict=True))
        models.append(TfidfModel(vocabulary, idf, coefficients, intercepts, config))
    return models


def _fit_one(
    vectors: Any, y_true: np.ndarray, config: TfidfConfig, weights: np.ndarray | None
) -> tuple[np.ndarray, float]:
    if y_true.min() == y_true.max():
        return np.zeros(vectors.shape[1]), np.inf if y_true[0] else -np.inf
    model = LogisticRegression(
        C=config.inverse_regularization, class_weight="balanced" if config.balanced else None, solver="liblinear"
    )
    scale = np.ones(vectors.shape[1])
    if config.naive_bayes:
        # Source: Wang and Manning 2012, baselines and bigrams, equation 2.
        counts = [1 + vectors[part].getnnz(axis=0) for part in (y_true, ~y_true)]
        positive, negative = (count / count.sum() for count in counts)
        scale = np.abs(np.log(positive / negative))
    model.fit(vectors.multiply(scale).tocsr(), y_true, sample_weight=weights)
    return model.coef_[0] * scale, float(model.intercept_[0])


def _vectorize(texts: Sequence[str], model: TfidfModel) -> Any:
    vectorizer = _vectorizer(model.config, vocabulary=model.vocabulary)
    vectorizer.idf_ = model.idf.astype(np.float64)
    return vectorizer.transform(texts)


def _logits(vectors: Any, model: TfidfModel) -> np.ndarray:
    return np.asarray(vectors @ model.coefficients.T + model.intercepts, dtype=np.float32)
