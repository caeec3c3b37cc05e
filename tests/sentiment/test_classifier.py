import numpy as np
import pandas as pd
import pytest
from latentflix.text.predictions import PredictionConfig, predict_reviews

from latentflix.sentiment.classifier import NETWORK, train_sentiment
from latentflix.text.classifier import read_reviews
from tests.support.factories.sentiment import QUICK, small_model, untrained_language_model


def tokens_of(small, reviews):
    return read_reviews(reviews["text"], small.model.vocabulary, QUICK)


def retrain(small, reviews, **changes):
    reviews = reviews.reset_index()
    model = untrained_language_model(small.model.vocabulary)
    return train_sentiment(reviews, tokens_of(small, reviews), model, QUICK.model_copy(update=changes))


def test_the_planted_mood_is_told_of_films_never_read_about():
    small = small_model()
    truth = small.reviews.loc[small.network.logits.index, "positive"]
    assert ((small.network.logits["all"] > 0) == truth).mean() > 0.8
    assert ((small.network.logits["head"] > 0) == truth).mean() < ((small.network.logits["all"] > 0) == truth).mean()


def test_every_step_of_unfreezing_that_has_an_epoch_is_watched():
    small = small_model()
    assert list(small.network.logits) == ["head", "last three", "all"]
    assert small.network.history["step"].tolist() == ["head", "last three", *["all"] * 4]
    watched = small.reviews.index[small.reviews["part"] != "train"]
    assert small.network.logits.index.tolist() == watched.tolist()


def test_what_is_said_at_the_end_is_what_the_kept_weights_say():
    small = small_model()
    asked = small.reviews.loc[small.network.logits.index]
    said = predict_reviews(
        small.network.weights[NETWORK], tokens_of(small, asked), small.model.vocabulary, QUICK, PredictionConfig()
    )
    logits = small.network.logits["all"].to_numpy()
    np.testing.assert_allclose(said[:, 0], 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_the_labels_of_test_are_nothing_to_the_training():
    small = small_model()
    swapped = small.reviews.assign(positive=small.reviews["positive"] ^ (small.reviews["part"] == "test"))
    few = {"last_three_epochs": 0, "all_epochs": 1}
    one, other = (retrain(small, reviews, **few) for reviews in (small.reviews, swapped))
    pd.testing.assert_frame_equal(one.logits, other.logits)
    pd.testing.assert_frame_equal(one.history, other.history)


def test_two_directions_say_their_mean():
    small = small_model(backward=True)
    asked = small.reviews.loc[small.network.logits.index]
    assert list(small.network.weights) == ["network", "network_backward"]
    tokens = tokens_of(small, asked)
    logits = []
    for name, read in (("network", tokens), ("network_backward", [ids[::-1].copy() for ids in tokens])):
        said = predict_reviews(
            small.network.weights[name], read, small.model.vocabulary, QUICK, PredictionConfig()
        ).astype(float)
        logits.append(np.log(said / (1 - said))[:, 0])
    assert small.network.logits["all"].to_numpy() == pytest.approx(np.mean(logits, axis=0), abs=1e-2)
    assert small.network.history["classifier"].unique().tolist() == ["network", "network_backward"]
