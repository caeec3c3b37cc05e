import numpy as np
import pandas as pd
import pytest

from latentflix.sentiment.classifier import CLASSIFIER, train_sentiment
from latentflix.text.classifier import predict_proba, read_reviews
from tests.support.factories.sentiment import QUICK, small_model, untrained_model


def tokens_of(small, reviews):
    return read_reviews(reviews["text"], small.model.vocabulary, QUICK)


def retrain(small, reviews, **changes):
    reviews = reviews.reset_index()
    model = untrained_model(small.model.vocabulary)
    return train_sentiment(reviews, tokens_of(small, reviews), model, QUICK.model_copy(update=changes))


def test_planted_sentiment_is_predicted_for_other_films():
    small = small_model()
    logits = small.classifier.logits
    accuracy = (logits > 0).eq(small.reviews.loc[logits.index, "positive"], axis=0).mean()
    assert accuracy["all"] > max(0.8, accuracy["head"])


def test_every_step_of_unfreezing_that_has_an_epoch_is_recorded():
    small = small_model()
    assert list(small.classifier.logits) == ["head", "last three", "all"]
    assert small.classifier.history["step"].tolist() == ["head", "last three", *["all"] * 4]
    watched = small.reviews.index[small.reviews["part"] != "train"]
    assert small.classifier.logits.index.tolist() == watched.tolist()


def test_the_last_logits_are_those_of_the_stored_weights():
    small = small_model()
    reviews = small.reviews.loc[small.classifier.logits.index]
    predicted = predict_proba(
        small.classifier.weights[CLASSIFIER], tokens_of(small, reviews), small.model.vocabulary, QUICK
    )
    logits = small.classifier.logits["all"].to_numpy()
    np.testing.assert_allclose(predicted[:, 0], 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_the_labels_of_test_do_not_change_the_training():
    small = small_model()
    swapped = small.reviews.assign(positive=small.reviews["positive"] ^ (small.reviews["part"] == "test"))
    few = {"last_three_epochs": 0, "all_epochs": 1}
    one, other = (retrain(small, reviews, **few) for reviews in (small.reviews, swapped))
    pd.testing.assert_frame_equal(one.logits, other.logits)
    pd.testing.assert_frame_equal(one.history, other.history)


def test_two_directions_are_averaged():
    small = small_model(backward=True)
    reviews = small.reviews.loc[small.classifier.logits.index]
    assert list(small.classifier.weights) == ["classifier", "classifier_backward"]
    tokens = tokens_of(small, reviews)
    logits = []
    for name, read in (("classifier", tokens), ("classifier_backward", [ids[::-1].copy() for ids in tokens])):
        predicted = predict_proba(small.classifier.weights[name], read, small.model.vocabulary, QUICK).astype(float)
        logits.append(np.log(predicted / (1 - predicted))[:, 0])
    assert small.classifier.logits["all"].to_numpy() == pytest.approx(np.mean(logits, axis=0), abs=1e-2)
    assert small.classifier.history["classifier"].unique().tolist() == ["classifier", "classifier_backward"]
