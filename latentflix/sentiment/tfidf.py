"""Whether a review is positive, by its words and phrases, and by the plain baseline that all is held against."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.genres.plot_summaries import TEST, TRAIN, VALID
from latentflix.text.tfidf import WordConfig, Words, tune_words, word_logits

WORDS, BASELINE = "words", "baseline"


class SentimentWordConfig(StageConfig):
    """Words and phrases, weighed by naive Bayes; the baseline is TF-IDF and logistic regression as they come."""

    words: WordConfig = Field(
        WordConfig(longest_phrase=3, max_share=1, stop_words=False, balanced=False, naive_bayes=True),
        description="which words count",
    )
    baseline: WordConfig = Field(
        WordConfig(longest_phrase=2, stop_words=False, balanced=False), description="the same for the baseline"
    )
    inverse_regularizations: tuple[float, ...] = setting(
        (1.0, 3.0, 10.0, 30.0), "values of logistic regression's C that are tried on the validation reviews"
    )


@dataclass(frozen=True)
class SentimentWords:
    """words: what was learned. trials: as `tune_words` gives them, with `method`, WORDS or BASELINE.

    logits: index review_id, of valid and test; columns WORDS and BASELINE, float32.
    """

    words: Words
    trials: pd.DataFrame
    logits: pd.DataFrame


def train_sentiment_words(reviews: pd.DataFrame, config: SentimentWordConfig) -> SentimentWords:
    """Learn words and baseline from the reviews of `train`, each with the C that is best on `valid`.

    reviews: review_id, text, positive, part.
    """
    seen = reviews["part"].isin([TRAIN, VALID]).to_numpy()
    learned = reviews[seen]
    watched = reviews[reviews["part"].isin([VALID, TEST]).to_numpy()]
    fitted, trials, logits = {}, [], {}
    for method, words in ((WORDS, config.words), (BASELINE, config.baseline)):
        fitted[method], tried = tune_words(
            list(learned["text"]),
            learned[["positive"]],
            (learned["part"] == VALID).to_numpy(),
            words,
            config.inverse_regularizations,
        )
        trials.append(tried.assign(method=method))
        logits[method] = word_logits(list(watched["text"]), fitted[method])[:, 0].astype(np.float32)
    index = pd.Index(watched["review_id"], name="review_id")
    return SentimentWords(fitted[WORDS], pd.concat(trials, ignore_index=True), pd.DataFrame(logits, index))
