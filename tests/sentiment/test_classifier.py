import numpy as np
import pandas as pd
import pytest

from latentflix.sentiment.classifier import train_sentiment
from latentflix.text.classifier import predict_proba, read_reviews
from tests.support.factories.sentiment import QUICK, small_model, untrained_model


def tokens_of(small, reviews):
    return read_reviews(reviews["text"], small.model.vocabulary, QUICK)


def retrain(small, reviews, **changes):
    reviews = reviews.reset_index()
    model = untrained_model(small.model.vocabulary)
    return train_sentiment(reviews, tokens_of(small, reviews), model, QUICK.model_copy(update=changes))


def test_planted_sentiment_is_predicted_for_other_films_and_every_step_that_has_an_epoch_is_recorded():
    small = small_model()
    logits = small.classifier.logits
    accuracy = (logits > 0).eq(small.reviews.loc[logits.index, "positive"], axis=0).mean()
    assert accuracy["all"] > max(0.8, accuracy["head"])
    assert list(logits) == ["head", "last three", "all"]
    assert small.classifier.history["step"].tolist() == ["head", "last three", *["all"] * 4]
    assert logits.index.tolist() == small.reviews.index[small.reviews["part"] != "train"].tolist()


@pytest.mark.parametrize("backward", [False, True])
def test_the_last_logits_are_those_of_the_stored_weights_averaged_over_the_directions(backward):
    small = small_model(backward=backward)
    names = ["classifier", "classifier_backward"][: 1 + backward]
    assert list(small.classifier.weights) == small.classifier.history["classifier"].unique().tolist() == names
    forward = tokens_of(small, small.reviews.loc[small.classifier.logits.index])
    logits = []
    for name, tokens in zip(names, (forward, [ids[::-1].copy() for ids in forward]), strict=False):
        predicted = predict_proba(small.classifier.weights[name], tokens, small.model.vocabulary, QUICK).astype(float)
        logits.append(np.log(predicted / (1 - predicted))[:, 0])
    assert small.classifier.logits["all"].to_numpy() == pytest.approx(np.mean(logits, axis=0), abs=1e-2)
    if not backward:
        probabilities = 1 / (1 + np.exp(-small.classifier.logits["all"]))
        np.testing.assert_allclose(predicted[:, 0], probabilities, atol=1e-5)


def test_the_labels_of_test_do_not_change_the_training():
    small = small_model()
    swapped = small.reviews.assign(positive=small.reviews["positive"] ^ (small.reviews["part"] == "test"))
    few = {"last_three_epochs": 0, "all_epochs": 1}
    one, other = (retrain(small, reviews, **few) for reviews in (small.reviews, swapped))
    pd.testing.assert_frame_equal(one.logits, other.logits)
    pd.testing.assert_frame_equal(one.history, other.history)
