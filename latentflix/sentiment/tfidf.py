"""Whether a review is positive, predicted by TF-IDF of words and phrases, and by a plain baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.text.tfidf import TfidfConfig, TfidfModel, tfidf_logits, tune_tfidf

TFIDF, BASELINE = "tfidf", "baseline"


class SentimentTfidfConfig(StageConfig):
    """TF-IDF weighed by naive Bayes, and the baseline: TF-IDF and logistic regression with common settings."""

    tfidf: TfidfConfig = setting(
        TfidfConfig(max_ngram=3, max_df=1, stop_words=False, punctuation=True, balanced=False, naive_bayes=True),
        "words and phrases",
    )
    baseline: TfidfConfig = setting(
        TfidfConfig(max_ngram=2, stop_words=False, balanced=False), "the same for the baseline"
    )
    inverse_regularizations: tuple[float, ...] = setting(
        (1.0, 3.0, 10.0, 30.0), "values of logistic regression's C that are tried on the validation reviews"
    )


@dataclass(frozen=True)
class SentimentTfidf:
    """The fitted model, and how it was chosen. trials: as from `tune_tfidf`, with `method`, TFIDF or BASELINE.

    model: of the reviews of train and valid. logits: index review_id, of valid, by a model of train alone, and of test,
    by the final one; columns TFIDF and BASELINE, float32.
    """

    model: TfidfModel
    trials: pd.DataFrame
    logits: pd.DataFrame


def fit_sentiment_tfidf(
    reviews: pd.DataFrame, unlabelled: Sequence[str], config: SentimentTfidfConfig
) -> SentimentTfidf:
    """Fit TF-IDF and the baseline to the reviews of `train` and `valid`, each with the C that is best on `valid`.

    reviews: review_id, text, positive, part. unlabelled: texts that only the words and phrases learn from too.
    """
    used = reviews[reviews["part"].isin([TRAIN, VALID]).to_numpy()]
    texts, valid = list(used["text"]), (used["part"] == VALID).to_numpy()
    test = reviews[(reviews["part"] == TEST).to_numpy()]
    ids = [*used.loc[valid, "review_id"], *test["review_id"]]
    models, trials, logits = {}, [], {}
    for method, method_config, more in ((TFIDF, config.tfidf, unlabelled), (BASELINE, config.baseline, ())):
        models[method], on_valid, tried = tune_tfidf(
            texts, used[["positive"]], valid, method_config, config.inverse_regularizations, more
        )
        trials.append(tried.assign(method=method))
        on_test = tfidf_logits(list(test["text"]), models[method])
        logits[method] = np.concatenate([on_valid, on_test])[:, 0]
    # In the order of the reviews, as the classifier's.
    predicted = reviews.loc[reviews["part"].isin([VALID, TEST]).to_numpy(), "review_id"]
    table = pd.DataFrame(logits, ids).loc[predicted].rename_axis("review_id")
    return SentimentTfidf(models[TFIDF], pd.concat(trials, ignore_index=True), table)
