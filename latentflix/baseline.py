"""The plain way to learn labels from words, to hold the classifier against: TF-IDF and logistic regression."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting
from latentflix.labels import indicator_matrix


class BaselineConfig(StageConfig):
    """TF-IDF and logistic regression."""

    min_reviews: int = setting(3, "reviews a word must occur in", ge=1)
    max_share: float = setting(0.5, "largest share of reviews a word may occur in", gt=0, le=1)
    inverse_regularization: float = setting(1.0, "logistic regression's C", gt=0)


def predict_by_words(
    reviews: pd.DataFrame,
    film_labels: pd.DataFrame,
    labels: Sequence[str],
    held_out: pd.DataFrame,
    config: BaselineConfig,
) -> pd.DataFrame:
    """What TF-IDF and logistic regression say of the same reviews held out from the same training reviews.

    reviews: review_id, movie_id, text. film_labels: movie_id, label. held_out: index review_id, a bool column for
    each classifier. A film weighs as the root of its number of reviews, so that none outvotes the others. Returns
    one row a classifier and held-out review: classifier str, review_id str, and a float32 probability for each label.
    """
    tables = []
    words = reviews["text"].to_numpy(dtype=object)
    movie_ids, review_ids = reviews["movie_id"], reviews["review_id"]
    indicators = indicator_matrix(film_labels, movie_ids, list(labels))
    masks = held_out.loc[review_ids]
    for name in tqdm(masks.columns, "baseline", leave=False, disable=None):
        mask = masks[name].to_numpy()
        vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=config.min_reviews, max_df=config.max_share)
        train, test = vectorizer.fit_transform(words[~mask]), vectorizer.transform(words[mask])
        film_sizes = movie_ids[~mask].groupby(movie_ids[~mask]).transform("size")
        table = pd.DataFrame({"classifier": name, "review_id": review_ids.to_numpy()[mask]})
        for column, label in enumerate(labels):
            table[label] = _fit_one(train, indicators[~mask, column], film_sizes**-0.5, test, config)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _fit_one(
    train: object, carried: np.ndarray, weights: pd.Series, test: object, config: BaselineConfig
) -> np.ndarray:
    if carried.min() == carried.max():
        return np.full(test.shape[0], carried[0], np.float32)  # type: ignore[attr-defined]
    model = LogisticRegression(C=config.inverse_regularization, solver="liblinear")
    model.fit(train, carried, sample_weight=weights.to_numpy())
    return model.predict_proba(test)[:, 1].astype(np.float32)
