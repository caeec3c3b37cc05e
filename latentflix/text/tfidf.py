"""Labels from the words of a text: TF-IDF and logistic regression, kept as plain arrays."""

from collections.abc import Mapping, Sequence
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
    max_ngram: int = setting(1, "longest run of words that counts as one", unit="words", ge=1, le=5)
    stop_words: bool = setting(True, "leave out English words that say little, as `the`")
    inverse_regularization: float = setting(1.0, "logistic regression's C", gt=0)
    balanced: bool = setting(True, "carriers of a label fit_stacking together as much as all others")
    naive_bayes: bool = setting(
        False, "fit_stacking each word by how much more often texts with a label have it, or without"
    )


@dataclass(frozen=True)
class TfidfModel:
    """What words say of labels.

    vocabulary: a word for each column. arrays: rarity (words,), coefficients (labels, words), intercepts (labels,),
    all float32. config: what the words are.
    """

    vocabulary: list[str]
    arrays: Mapping[str, np.ndarray]
    config: TfidfConfig

    def names(self) -> dict[str, Any]:
        """What is no number, for a JSON file."""
        return {"vocabulary": self.vocabulary, "config": self.config.model_dump(mode="json")}


def restore_tfidf(arrays: Mapping[str, np.ndarray], names: Mapping[str, Any], n_labels: int) -> TfidfModel:
    """The words of what `TfidfModel.arrays` and `TfidfModel.names` gave. Raises ModelError if they do not fit."""
    n_words = len(names["vocabulary"])
    expected = {"rarity": (n_words,), "coefficients": (n_labels, n_words), "intercepts": (n_labels,)}
    for name, shape in expected.items():
        found = arrays[name].shape if name in arrays else "no such array"
        if found != shape:
            raise ModelError(
                "the weights of words do not fit their names",
                where=name,
                found=str(found),
                expected=f"{shape}: {n_labels} labels, {n_words} words",
            )
    chosen = {name: arrays[name] for name in expected}
    return TfidfModel(list(names["vocabulary"]), chosen, TfidfConfig.model_validate(names["config"]))


def fit_tfidf(
    texts: Sequence[str], carried: pd.DataFrame, config: TfidfConfig, weights: np.ndarray | None = None
) -> TfidfModel:
    """Learn the words of each label from texts.

    carried: bool (texts, labels). weights: (texts,), how much each text counts; by default all the same. A label that
    all or no texts carry gets an intercept of plus or minus infinity. Raises ValueError if no word is left.
    """
    return _fit_each(texts, carried, [config], weights)[0]


def tune_tfidf(
    texts: Sequence[str],
    carried: pd.DataFrame,
    valid: np.ndarray,
    config: TfidfConfig,
    inverse_regularizations: Sequence[float],
) -> tuple[TfidfModel, pd.DataFrame]:
    """Learn from the texts that are not `valid`, with the regularization that is best on those that are.

    valid: bool (texts,). Returns the words and a table, one row a regularization: inverse_regularization, accuracy
    (the share of texts and labels of `valid` told right), chosen. Of equals the strongest regularization is taken.
    """
    tried = sorted(set(inverse_regularizations))
    configs = [config.model_copy(update={"inverse_regularization": value}) for value in tried]
    learned, seen = ([text for text, inside in zip(texts, valid, strict=True) if inside == part] for part in (0, 1))
    words = _fit_each(learned, carried[~valid], configs, None)
    vectors = _vectorize(seen, words[0])
    truth = carried[valid].to_numpy()
    accuracy = [float(((_logits(vectors, each) > 0) == truth).mean()) for each in words]
    best = int(np.argmax(accuracy))
    trials = pd.DataFrame({"inverse_regularization": tried, "accuracy": accuracy})
    return words[best], trials.assign(chosen=trials.index == best)


def tfidf_logits(texts: Sequence[str], words: TfidfModel) -> np.ndarray:
    """The logits of each label by the words of the texts: float32 (texts, labels)."""
    return _logits(_vectorize(texts, words), words)


def _vectorizer(config: TfidfConfig, **options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        sublinear_tf=True,
        ngram_range=(1, config.max_ngram),
        stop_words="english" if config.stop_words else None,
        **options,
    )


def _fit_each(
    texts: Sequence[str], carried: pd.DataFrame, configs: Sequence[TfidfConfig], weights: np.ndarray | None
) -> list[TfidfModel]:
    """The words of each config; what the words are is as the first one has it."""
    vectorizer = _vectorizer(configs[0], min_df=configs[0].min_df, max_df=configs[0].max_df)
    vectors = vectorizer.fit_transform(texts)
    vocabulary = list(vectorizer.get_feature_names_out())
    rarity = vectorizer.idf_.astype(np.float32)
    words = []
    for config in configs:
        fitted = [
            _fit_one(vectors, carried[label].to_numpy(), config, weights)
            for label in tqdm(carried.columns, "words", leave=False, disable=None)
        ]
        coefficients, intercepts = (np.array(parts, np.float32) for parts in zip(*fitted, strict=True))
        arrays = {"rarity": rarity, "coefficients": coefficients, "intercepts": intercepts}
        words.append(TfidfModel(vocabulary, arrays, config))
    return words


def _fit_one(
    vectors: Any, carried: np.ndarray, config: TfidfConfig, weights: np.ndarray | None
) -> tuple[np.ndarray, float]:
    if carried.min() == carried.max():
        return np.zeros(vectors.shape[1]), np.inf if carried[0] else -np.inf
    model = LogisticRegression(
        C=config.inverse_regularization, class_weight="balanced" if config.balanced else None, solver="liblinear"
    )
    scale = _naive_bayes(vectors, carried) if config.naive_bayes else np.ones(vectors.shape[1])
    model.fit(vectors.multiply(scale).tocsr(), carried, sample_weight=weights)
    return model.coef_[0] * scale, float(model.intercept_[0])


def _naive_bayes(vectors: Any, carried: np.ndarray) -> np.ndarray:
    """How far each word's share of the texts with the label is from that of those without, as a log ratio: >= 0.

    Source: Wang and Manning 2012, baselines and bigrams, equation 2.
    """
    shares = []
    for part in (carried, ~carried):
        texts = 1 + vectors[part].getnnz(axis=0)
        shares.append(texts / texts.sum())
    return np.abs(np.log(shares[0] / shares[1]))


def _vectorize(texts: Sequence[str], words: TfidfModel) -> Any:
    vectorizer = _vectorizer(words.config, vocabulary=words.vocabulary)
    vectorizer.idf_ = words.arrays["rarity"].astype(np.float64)
    return vectorizer.transform(texts)


def _logits(vectors: Any, words: TfidfModel) -> np.ndarray:
    logits = vectors @ words.arrays["coefficients"].T + words.arrays["intercepts"]
    return np.asarray(logits, dtype=np.float32)
