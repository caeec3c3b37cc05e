"""Whether a review is positive, by its words and phrases, and by the plain baseline that all is held against."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field

from latentflix.artifacts import Artifact, Handle, Store
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.text.tfidf import TfidfConfig, TfidfModel, restore_tfidf, tfidf_logits, tune_tfidf

WORDS, BASELINE = "words", "baseline"


class SentimentTfidfConfig(StageConfig):
    """Words and phrases, weighed by naive Bayes; the baseline is TF-IDF and logistic regression as they come."""

    words: TfidfConfig = Field(
        TfidfConfig(max_ngram=3, max_df=1, stop_words=False, balanced=False, naive_bayes=True),
        description="which words count",
    )
    baseline: TfidfConfig = Field(
        TfidfConfig(max_ngram=2, stop_words=False, balanced=False), description="the same for the baseline"
    )
    inverse_regularizations: tuple[float, ...] = setting(
        (1.0, 3.0, 10.0, 30.0), "values of logistic regression's C that are tried on the validation reviews"
    )


@dataclass(frozen=True)
class SentimentTfidf:
    """model: what was learned. trials: as `tune_tfidf` gives them, with `method`, WORDS or BASELINE.

    logits: index review_id, of valid and test; columns WORDS and BASELINE, float32.
    """

    model: TfidfModel
    trials: pd.DataFrame
    logits: pd.DataFrame

    def save(self, artifact: Artifact) -> None:
        """Write the model and the tables into an artifact."""
        artifact.write_arrays("tfidf", self.model.arrays)
        artifact.write_json("tfidf", self.model.names())
        artifact.write_table("trials", self.trials)
        artifact.write_table("logits", self.logits)

    @classmethod
    def load(cls, store: Store, handle: Handle) -> Self:
        """Read what `save` wrote. Raises ArtifactError as `Store.file` does."""
        model = restore_tfidf(store.read_arrays(handle, "tfidf"), store.read_json(handle, "tfidf"), n_labels=1)
        return cls(model, store.read_table(handle, "trials"), store.read_table(handle, "logits"))


def fit_sentiment_tfidf(reviews: pd.DataFrame, config: SentimentTfidfConfig) -> SentimentTfidf:
    """Learn words and baseline from the reviews of `train`, each with the C that is best on `valid`.

    reviews: review_id, text, positive, part.
    """
    seen = reviews["part"].isin([TRAIN, VALID]).to_numpy()
    learned = reviews[seen]
    watched = reviews[reviews["part"].isin([VALID, TEST]).to_numpy()]
    fitted, trials, logits = {}, [], {}
    for method, words in ((WORDS, config.words), (BASELINE, config.baseline)):
        fitted[method], tried = tune_tfidf(
            list(learned["text"]),
            learned[["positive"]],
            (learned["part"] == VALID).to_numpy(),
            words,
            config.inverse_regularizations,
        )
        trials.append(tried.assign(method=method))
        logits[method] = tfidf_logits(list(watched["text"]), fitted[method])[:, 0].astype(np.float32)
    index = pd.Index(watched["review_id"], name="review_id")
    return SentimentTfidf(fitted[WORDS], pd.concat(trials, ignore_index=True), pd.DataFrame(logits, index))
