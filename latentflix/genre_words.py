"""Genres from the words of a plot: TF-IDF and logistic regression, kept as plain arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting


class WordConfig(StageConfig):
    """TF-IDF and logistic regression."""

    min_plots: int = setting(3, "plots a word must occur in", ge=1)
    max_share: float = setting(0.5, "largest share of plots a word may occur in", gt=0, le=1)
    inverse_regularization: float = setting(1.0, "logistic regression's C", gt=0)
    balanced: bool = setting(True, "carriers of a genre weigh together as much as all others")


@dataclass(frozen=True)
class Words:
    """What words say of genres.

    vocabulary: a word for each column. arrays: rarity (words,), coefficients (genres, words), intercepts (genres,),
    all float32.
    """

    vocabulary: list[str]
    arrays: Mapping[str, np.ndarray]


def fit_words(plots: Sequence[str], carried: pd.DataFrame, config: WordConfig) -> Words:
    """Learn the words of each genre from plots. carried: bool (plots, genres)."""
    vectorizer = TfidfVectorizer(
        sublinear_tf=True, min_df=config.min_plots, max_df=config.max_share, stop_words="english"
    )
    vectors = vectorizer.fit_transform(plots)
    weight = "balanced" if config.balanced else None
    models = [
        LogisticRegression(C=config.inverse_regularization, class_weight=weight, solver="liblinear").fit(
            vectors, carried[genre]
        )
        for genre in tqdm(carried.columns, "words of genres", leave=False, disable=None)
    ]
    arrays = {
        "rarity": vectorizer.idf_,
        "coefficients": np.concatenate([model.coef_ for model in models]),
        "intercepts": np.concatenate([model.intercept_ for model in models]),
    }
    vocabulary = list(vectorizer.get_feature_names_out())
    return Words(vocabulary, {name: array.astype(np.float32) for name, array in arrays.items()})


def word_logits(plots: Sequence[str], words: Words) -> np.ndarray:
    """The logits of each genre by the words of the plots: float32 (plots, genres)."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", vocabulary=words.vocabulary)
    vectorizer.idf_ = words.arrays["rarity"].astype(np.float64)
    vectors = vectorizer.transform(plots)
    logits = vectors @ words.arrays["coefficients"].T + words.arrays["intercepts"]
    return np.asarray(logits, dtype=np.float32)
