"""The plain way to learn labels from words, to hold the classifier against: TF-IDF and logistic regression."""

from collections.abc import Sequence

import pandas as pd
from scipy.special import expit
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting
from latentflix.labels import indicator_matrix
from latentflix.words import WordConfig, fit_words, word_logits


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
    words = WordConfig(
        min_texts=config.min_reviews,
        max_share=config.max_share,
        stop_words=False,
        balanced=False,
        inverse_regularization=config.inverse_regularization,
    )
    tables = []
    texts = reviews["text"].to_numpy(dtype=object)
    movie_ids = reviews["movie_id"]
    carried = pd.DataFrame(indicator_matrix(film_labels, movie_ids, list(labels)), columns=list(labels))
    masks = held_out.loc[reviews["review_id"]]
    for name in tqdm(masks.columns, "baseline", leave=False, disable=None):
        mask = masks[name].to_numpy()
        film_sizes = movie_ids[~mask].groupby(movie_ids[~mask]).transform("size").to_numpy()
        fitted = fit_words(texts[~mask], carried[~mask], words, film_sizes**-0.5)
        table = pd.DataFrame(expit(word_logits(texts[mask], fitted)), columns=list(labels))
        table.insert(0, "review_id", reviews["review_id"].to_numpy()[mask])
        table.insert(0, "classifier", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
