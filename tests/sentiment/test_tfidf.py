import pandas as pd

from latentflix.sentiment.tfidf import BASELINE, TFIDF, SentimentTfidfConfig, fit_sentiment_tfidf
from latentflix.text.tfidf import tfidf_logits
from tests.support.factories.sentiment import WORDS, small_model


def test_planted_words_predict_the_sentiment_of_other_films():
    small = small_model()
    y_true = small.reviews.loc[small.tfidf.logits.index, "positive"]
    for method in (TFIDF, BASELINE):
        assert ((small.tfidf.logits[method] > 0) == y_true).mean() > 0.9
    weights = pd.Series(small.tfidf.model.coefficients[0], small.tfidf.model.vocabulary)
    assert weights[WORDS[True]].min() > 0 > weights[WORDS[False]].max()


def test_the_labels_of_test_do_not_change_the_model():
    reviews = small_model().reviews.reset_index()
    swapped = reviews.assign(positive=reviews["positive"] ^ (reviews["part"] == "test"))
    one, other = (fit_sentiment_tfidf(table, SentimentTfidfConfig()) for table in (reviews, swapped))
    pd.testing.assert_frame_equal(one.logits, other.logits)
    pd.testing.assert_frame_equal(one.trials, other.trials)


def test_the_logits_are_those_of_the_stored_model():
    small = small_model()
    texts = small.reviews.loc[small.tfidf.logits.index, "text"]
    assert (tfidf_logits(list(texts), small.tfidf.model)[:, 0] == small.tfidf.logits[TFIDF].to_numpy()).all()
    assert small.tfidf.trials["inverse_regularization"].tolist() == [1, 3, 10, 30] * 2
    assert small.tfidf.trials.groupby("method")["chosen"].sum().to_dict() == {TFIDF: 1, BASELINE: 1}
