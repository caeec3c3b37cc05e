"""The plain way to learn labels from words, to hold the classifier against: TF-IDF and logistic regression."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting
from latentflix.factors.labels import indicator_matrix
from latentflix.text.tfidf import TfidfConfig, fit_tfidf, tfidf_logits


class BaselineConfig(StageConfig):
    """TF-IDF and logistic regression."""

    min_reviews: int = setting(3, "reviews a word must occur in", ge=1)
    max_df: float = setting(0.5, "largest share of reviews a word may occur in", gt=0, le=1)
    inverse_regularization: float = setting(1.0, "logistic regression's C", gt=0)


def predict_by_tfidf(
    reviews: pd.DataFrame,
    item_labels: pd.DataFrame,
    labels: Sequence[str],
    held_out: pd.DataFrame,
    config: BaselineConfig,
) -> pd.DataFrame:
    """What TF-IDF and logistic regression say of the same reviews held out from the same training reviews.

    reviews: review_id, item_id, text. item_labels: item_id, label. held_out: index review_id, a bool column for
    each classifier. An item weighs as the root of its number of reviews, so that none outvotes the others. Returns
    one row a classifier and held-out review: classifier str, review_id str, and a float32 probability for each label.
    """
    words = TfidfConfig(
        min_df=config.min_reviews,
        max_df=config.max_df,
        stop_words=False,
        balanced=False,
        inverse_regularization=config.inverse_regularization,
    )
    tables = []
    texts = reviews["text"].to_numpy(dtype=object)
    item_ids = reviews["item_id"]
    carried = pd.DataFrame(indicator_matrix(item_labels, item_ids, list(labels)), columns=list(labels))
    masks = held_out.loc[reviews["review_id"]]
    for name in tqdm(masks.columns, "baseline", leave=False, disable=None):
        mask = masks[name].to_numpy()
        item_sizes = item_ids[~mask].groupby(item_ids[~mask]).transform("size").to_numpy()
        fitted = fit_tfidf(texts[~mask], carried[~mask], words, item_sizes**-0.5)
        table = pd.DataFrame(expit(tfidf_logits(texts[mask], fitted)), columns=list(labels))
        table.insert(0, "review_id", reviews["review_id"].to_numpy()[mask])
        table.insert(0, "classifier", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


class EmbeddingBaselineConfig(StageConfig):
    """Logistic regression on vectors."""

    inverse_regularization: float = setting(1e-3, "logistic regression's C, on standardised vectors", gt=0)


def predict_by_embeddings(
    reviews: pd.DataFrame,
    vectors: np.ndarray,
    item_labels: pd.DataFrame,
    labels: Sequence[str],
    held_out: pd.DataFrame,
    config: EmbeddingBaselineConfig,
) -> pd.DataFrame:
    """What vectors and logistic regression say of the same reviews held out from the same training reviews.

    reviews: review_id, item_id. vectors: float (reviews, size). item_labels: item_id, label. held_out: index
    review_id, a bool column for each classifier. An item weighs as the root of its number of reviews. Returns one row
    a classifier and held-out review: classifier str, review_id str, and a float32 probability for each label.
    """
    item_ids = reviews["item_id"]
    carried = indicator_matrix(item_labels, item_ids, list(labels))
    masks = held_out.loc[reviews["review_id"]]
    tables = []
    for name in tqdm(masks.columns, "vectors", leave=False, disable=None):
        mask = masks[name].to_numpy()
        weights = item_ids[~mask].groupby(item_ids[~mask]).transform("size").to_numpy() ** -0.5
        said = np.zeros((mask.sum(), len(labels)), np.float32)
        for column, truth in enumerate(carried[~mask].T):
            if truth.min() == truth.max():
                said[:, column] = truth[0]
                continue
            model = make_pipeline(StandardScaler(), LogisticRegression(C=config.inverse_regularization, max_iter=1000))
            model.fit(vectors[~mask], truth, logisticregression__sample_weight=weights)
            said[:, column] = model.predict_proba(vectors[mask])[:, 1]
        table = pd.DataFrame(said, columns=list(labels))
        table.insert(0, "review_id", reviews["review_id"].to_numpy()[mask])
        table.insert(0, "classifier", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
