"""Labels from the vector of a review: a sentence transformer's, with logistic regression for a head."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting
from latentflix.labels import indicator_matrix


class VectorConfig(StageConfig):
    """Logistic regression on vectors."""

    inverse_regularization: float = setting(1e-3, "logistic regression's C, on standardised vectors", gt=0)


def predict_by_vectors(
    reviews: pd.DataFrame,
    vectors: np.ndarray,
    film_labels: pd.DataFrame,
    labels: Sequence[str],
    held_out: pd.DataFrame,
    config: VectorConfig,
) -> pd.DataFrame:
    """What vectors and logistic regression say of the same reviews held out from the same training reviews.

    reviews: review_id, movie_id. vectors: float (reviews, size). film_labels: movie_id, label. held_out: index
    review_id, a bool column for each classifier. A film weighs as the root of its number of reviews. Returns one row
    a classifier and held-out review: classifier str, review_id str, and a float32 probability for each label.
    """
    movie_ids = reviews["movie_id"]
    carried = indicator_matrix(film_labels, movie_ids, list(labels))
    masks = held_out.loc[reviews["review_id"]]
    tables = []
    for name in tqdm(masks.columns, "vectors", leave=False, disable=None):
        mask = masks[name].to_numpy()
        weights = movie_ids[~mask].groupby(movie_ids[~mask]).transform("size").to_numpy() ** -0.5
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
