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

# By default scikit-learn leaves out punctuation and words of one letter, and splits at apostrophes.
_WORD, _WORD_OR_MARK = r"(?u)\b\w\w+\b", r"(?u)\w+(?:['’]\w+)*|[^\w\s]"


class TfidfConfig(StageConfig):
    """TF-IDF and logistic regression."""

    min_df: int = setting(3, "texts a word must occur in", ge=1)
    max_df: float = setting(0.5, "largest share of texts a word may occur in", gt=0, le=1)
    max_ngram: int = setting(1, "longest run of words that is a feature", unit="words", ge=1, le=5)
    stop_words: bool = setting(True, "leave out English stop words, as `the`")
    punctuation: bool = setting(False, "count punctuation marks and single letters as words, and `don't` as one word")
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
    vectorizer = _vectorizer(config, min_df=config.min_df, max_df=config.max_df)
    return _fit_each(vectorizer, vectorizer.fit_transform(texts), y_true, config, weights=weights)


def tune_tfidf(
    texts: Sequence[str],
    y_true: pd.DataFrame,
    valid: np.ndarray,
    config: TfidfConfig,
    inverse_regularizations: Sequence[float],
    unlabelled: Sequence[str] = (),
) -> tuple[TfidfModel, np.ndarray, pd.DataFrame]:
    """Find the regularization that is best on the `valid` texts when the others are fitted, and fit all with it.

    Of equals the strongest is chosen. Words are counted once, in all texts: only labels of `valid` are held back.

    Args:
        texts: the labelled ones.
        y_true: bool (texts, labels).
        valid: bool (texts,).
        config: all but its regularization is used.
        inverse_regularizations: those that are tried.
        unlabelled: more texts; with naive Bayes, their words count too, with the labels that a first model predicts.

    Returns:
        The model of all texts, the logits of the valid texts by the model that did not see their labels, and one row
        per regularization: inverse_regularization, accuracy (over texts and labels), chosen.
    """
    vectorizer = _vectorizer(config, min_df=config.min_df, max_df=config.max_df)
    vectors = vectorizer.fit_transform(texts)
    more = vectorizer.transform(unlabelled) if len(unlabelled) and config.naive_bayes else None
    tried = sorted(set(inverse_regularizations))
    configs = [config.model_copy(update={"inverse_regularization": value}) for value in tried]
    train, watched = vectors[~valid], vectors[valid]
    models = (_fit_each(vectorizer, train, y_true[~valid], each, more) for each in configs)
    logits = [_logits(watched, model) for model in models]
    positive = y_true[valid].to_numpy()
    accuracy = [float(((each > 0) == positive).mean()) for each in logits]
    best = int(np.argmax(accuracy))
    trials = pd.DataFrame({"inverse_regularization": tried, "accuracy": accuracy})
    final = _fit_each(vectorizer, vectors, y_true, configs[best], more)
    return final, logits[best], trials.assign(chosen=trials.index == best)


def tfidf_logits(texts: Sequence[str], model: TfidfModel) -> np.ndarray:
    """The logit of each label for each text: float32 (texts, labels)."""
    return _logits(_vectorize(texts, model), model)


def _vectorizer(config: TfidfConfig, **options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        sublinear_tf=True,
        ngram_range=(1, config.max_ngram),
        stop_words="english" if config.stop_words else None,
        token_pattern=_WORD_OR_MARK if config.punctuation else _WORD,
        **options,
    )


def _fit_each(
    vectorizer: TfidfVectorizer,
    vectors: Any,
    y_true: pd.DataFrame,
    config: TfidfConfig,
    unlabelled: Any = None,
    weights: np.ndarray | None = None,
) -> TfidfModel:
    """A model of all labels. vectors: what the vectorizer made of the labelled texts; unlabelled: of others."""
    fitted = [
        _fit_one(vectors, y_true[label].to_numpy(), config, unlabelled, weights)
        for label in tqdm(y_true.columns, "words", leave=False, disable=None)
    ]
    coefficients, intercepts = (np.array(parts, np.float32) for parts in zip(*fitted, strict=True))
    vocabulary, idf = list(vectorizer.get_feature_names_out()), vectorizer.idf_.astype(np.float32)
    return TfidfModel(vocabulary, idf, coefficients, intercepts, config)


def _fit_one(
    vectors: Any, y_true: np.ndarray, config: TfidfConfig, unlabelled: Any, weights: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """The coefficients and the intercept of one label."""
    if y_true.min() == y_true.max():
        return np.zeros(vectors.shape[1]), np.inf if y_true[0] else -np.inf
    model = LogisticRegression(
        C=config.inverse_regularization, class_weight="balanced" if config.balanced else None, solver="liblinear"
    )

    def fit(scale: np.ndarray) -> tuple[np.ndarray, float]:
        model.fit(vectors.multiply(scale).tocsr(), y_true, sample_weight=weights)
        return model.coef_[0] * scale, float(model.intercept_[0])

    if not config.naive_bayes:
        return fit(np.ones(vectors.shape[1]))
    counts = _count_texts(vectors, y_true)
    coefficients, intercept = fit(_log_ratios(counts))
    if unlabelled is None:
        return coefficients, intercept
    # Self-training, of the naive Bayes weights alone: the regression sees no label that was only predicted.
    return fit(_log_ratios(counts + _count_texts(unlabelled, unlabelled @ coefficients + intercept > 0)))


def _count_texts(vectors: Any, positive: np.ndarray) -> np.ndarray:
    """In how many texts with and without the label each word occurs: int (2, words)."""
    return np.stack([vectors[part].getnnz(axis=0) for part in (positive, ~positive)])


def _log_ratios(counts: np.ndarray) -> np.ndarray:
    """How far each word's shares in texts with and without the label are apart: float64 (words,).

    Source: Wang and Manning 2012, baselines and bigrams, equation 2.
    """
    positive, negative = (1 + counts) / (1 + counts).sum(axis=1, keepdims=True)
    return np.asarray(np.abs(np.log(positive / negative)))


def _vectorize(texts: Sequence[str], model: TfidfModel) -> Any:
    vectorizer = _vectorizer(model.config, vocabulary=model.vocabulary)
    vectorizer.idf_ = model.idf.astype(np.float64)
    return vectorizer.transform(texts)


def _logits(vectors: Any, model: TfidfModel) -> np.ndarray:
    return np.asarray(vectors @ model.coefficients.T + model.intercepts, dtype=np.float32)
