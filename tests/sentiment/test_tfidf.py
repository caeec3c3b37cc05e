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
    one, other = (fit_sentiment_tfidf(table, [], SentimentTfidfConfig()) for table in (reviews, swapped))
    pd.testing.assert_frame_equal(one.logits, other.logits)
    pd.testing.assert_frame_equal(one.trials, other.trials)


def test_the_logits_of_test_are_those_of_the_stored_model_and_those_of_valid_of_one_that_did_not_see_them():
    small = small_model()
    texts = small.reviews.loc[small.tfidf.logits.index, "text"]
    same = tfidf_logits(list(texts), small.tfidf.model)[:, 0] == small.tfidf.logits[TFIDF].to_numpy()
    test = (small.reviews.loc[small.tfidf.logits.index, "part"] == "test").to_numpy()
    assert same[test].all()
    assert not same[~test].any()


def test_words_of_unlabelled_reviews_are_learned_from_their_neighbours():
    reviews = small_model().reviews.reset_index()
    # Each of these words is in two labelled reviews of a part.
    rare = {True: " splendid", False: " dreadful"}
    kinds = reviews["positive"].map(rare).where(reviews.groupby(["part", "positive"]).cumcount() < 2, "")
    labelled = reviews.assign(text=reviews["text"] + kinds)
    more = [f"{text}{rare[positive]}" for text, positive in zip(reviews["text"], reviews["positive"], strict=True)]
    config = SentimentTfidfConfig()
    weights = []
    for unlabelled in ([], more):
        model = fit_sentiment_tfidf(labelled, unlabelled, config).model
        weights.append(pd.Series(model.coefficients[0], model.vocabulary))
    alone, taught = weights
    assert taught["splendid"] > 2 * alone["splendid"] > 0 > 2 * alone["dreadful"] > taught["dreadful"]


def test_the_table_has_the_reviews_of_the_classifier_in_its_order_and_every_trial():
    small = small_model()
    assert small.tfidf.logits.index.equals(small.classifier.logits.index)
    assert small.tfidf.trials["inverse_regularization"].tolist() == [1, 3, 10, 30] * 2
    assert small.tfidf.trials.groupby("method")["chosen"].sum().to_dict() == {TFIDF: 1, BASELINE: 1}
