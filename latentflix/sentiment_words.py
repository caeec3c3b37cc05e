"""Whether a review is positive, by its words and pairs of words: what the network is held against."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.plots import TEST, TRAIN, VALID
from latentflix.words import WordConfig, Words, tune_words, word_logits

WORDS = "words"


class SentimentWordConfig(StageConfig):
    """TF-IDF and logistic regression on words and pairs of words."""

    words: WordConfig = Field(
        WordConfig(longest_phrase=2, stop_words=False, balanced=False), description="which words count"
    )
    inverse_regularizations: tuple[float, ...] = setting(
        (1.0, 3.0, 10.0, 30.0), "values of logistic regression's C that are tried on the validation reviews"
    )


@dataclass(frozen=True)
class SentimentWords:
    """words: what was learned. trials: as `tune_words` gives them. logits: index review_id, of valid and test."""

    words: Words
    trials: pd.DataFrame
    logits: pd.Series


def train_sentiment_words(reviews: pd.DataFrame, config: SentimentWordConfig) -> SentimentWords:
    """Learn from the reviews of `train`, with the C that is best on `valid`.

    reviews: review_id, text, positive, part.
    """
    seen = reviews["part"].isin([TRAIN, VALID]).to_numpy()
    learned = reviews[seen]
    words, trials = tune_words(
        list(learned["text"]),
        learned[["positive"]],
        (learned["part"] == VALID).to_numpy(),
        config.words,
        config.inverse_regularizations,
    )
    watched = reviews[reviews["part"].isin([VALID, TEST]).to_numpy()]
    logits = word_logits(list(watched["text"]), words)[:, 0]
    index = pd.Index(watched["review_id"], name="review_id")
    return SentimentWords(words, trials, pd.Series(logits.astype(np.float32), index, name=WORDS))
