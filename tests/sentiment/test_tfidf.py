import pandas as pd

from latentflix.sentiment.tfidf import BASELINE, WORDS, SentimentTfidfConfig, fit_sentiment_tfidf
from latentflix.text.tfidf import tfidf_logits
from tests.support.factories.sentiment import MOODS, small_model


def test_the_planted_words_are_told_of_films_never_read_about():
    small = small_model()
    truth = small.reviews.loc[small.words.logits.index, "positive"]
    for method in (WORDS, BASELINE):
        assert ((small.words.logits[method] > 0) == truth).mean() > 0.9
    weights = pd.Series(small.words.words.arrays["coefficients"][0], small.words.words.vocabulary)
    assert weights[MOODS[True]].min() > 0 > weights[MOODS[False]].max()


def test_only_train_is_learned_from_and_only_valid_is_chosen_on():
    reviews = small_model().reviews.reset_index()
    swapped = reviews.assign(positive=reviews["positive"] ^ (reviews["part"] == "test"))
    one, other = (fit_sentiment_tfidf(table, SentimentTfidfConfig()) for table in (reviews, swapped))
    pd.testing.assert_frame_equal(one.logits, other.logits)
    pd.testing.assert_frame_equal(one.trials, other.trials)


def test_what_is_said_is_what_the_kept_words_say():
    small = small_model()
    texts = small.reviews.loc[small.words.logits.index, "text"]
    assert (tfidf_logits(list(texts), small.words.words)[:, 0] == small.words.logits[WORDS].to_numpy()).all()
    assert small.words.trials["inverse_regularization"].tolist() == [1, 3, 10, 30] * 2
    assert small.words.trials.groupby("method")["chosen"].sum().to_dict() == {WORDS: 1, BASELINE: 1}
