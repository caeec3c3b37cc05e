"""Whether a review is positive, predicted by TF-IDF of words and phrases, and by a plain baseline."""

from dataclasses import dataclass

import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.text.tfidf import TfidfConfig, TfidfModel, tfidf_logits, tune_tfidf

TFIDF, BASELINE = "tfidf", "baseline"


class SentimentTfidfConfig(StageConfig):
    """TF-IDF weighed by naive Bayes, and the baseline: TF-IDF and logistic regression with common settings."""

    tfidf: TfidfConfig = setting(
        TfidfConfig(max_ngram=3, max_df=1, stop_words=False, balanced=False, naive_bayes=True), "words and phrases"
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

    logits: index review_id, of valid and test; columns TFIDF and BASELINE, float32.
    """

    model: TfidfModel
    trials: pd.DataFrame
    logits: pd.DataFrame


def fit_sentiment_tfidf(reviews: pd.DataFrame, config: SentimentTfidfConfig) -> SentimentTfidf:
    """Fit TF-IDF and the baseline to the reviews of `train`, each with the C that is best on `valid`.

    reviews: review_id, text, positive, part.
    """
    used = reviews[reviews["part"].isin([TRAIN, VALID]).to_numpy()]
    predicted = reviews[reviews["part"].isin([VALID, TEST]).to_numpy()]
    models, trials, logits = {}, [], {}
    for method, method_config in ((TFIDF, config.tfidf), (BASELINE, config.baseline)):
        texts, valid = list(used["text"]), (used["part"] == VALID).to_numpy()
        tried_values = config.inverse_regularizations
        models[method], tried = tune_tfidf(texts, used[["positive"]], valid, method_config, tried_values)
        trials.append(tried.assign(method=method))
        logits[method] = tfidf_logits(list(predicted["text"]), models[method])[:, 0]
    index = pd.Index(predicted["review_id"], name="review_id")
    return SentimentTfidf(models[TFIDF], pd.concat(trials, ignore_index=True), pd.DataFrame(logits, index))
