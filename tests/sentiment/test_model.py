from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from latentflix.errors import ModelError
from latentflix.sentiment.classifier import CLASSIFIER, SentimentClassifier
from latentflix.sentiment.model import COMBINED, SentimentConfig, choose_predictor
from latentflix.sentiment.tfidf import BASELINE, TFIDF, SentimentTfidf
from tests.support.factories.sentiment import QUICK, small_model


def planted_logits(classifier=1.0, tfidf=1.0, n_films=150, seed=0):
    """Logits of which each part knows the truth as well as its factor says, independently of the other."""
    random = np.random.default_rng(seed)
    index = pd.Index([f"r{number}" for number in range(4 * n_films)], name="review_id")
    reviews = pd.DataFrame({"positive": random.random(len(index)) < 0.5}, index)
    reviews["film"] = [f"f{number // 4}" for number in range(len(index))]
    reviews["part"] = np.where(np.arange(len(index)) < 3 * n_films, "valid", "test")
    sign = np.where(reviews["positive"], 1, -1)
    knowledge = {CLASSIFIER: classifier, TFIDF: tfidf}
    logits = {name: 3 * (sign * factor + random.normal(size=len(index))) for name, factor in knowledge.items()}
    logits[BASELINE] = random.normal(size=len(index))
    return pd.DataFrame(logits, index), reviews


def choose(logits, reviews):
    model = small_model().model
    classifier = SentimentClassifier(model.classifiers, model.vocabulary, logits[[CLASSIFIER]], pd.DataFrame())
    tfidf = SentimentTfidf(model.tfidf, pd.DataFrame(), logits[[TFIDF, BASELINE]])
    return choose_predictor(classifier, QUICK, tfidf, reviews, SentimentConfig())


@pytest.mark.parametrize(
    ("classifier", "tfidf", "best", "worst"),
    [
        (1.0, 1.0, {COMBINED}, {CLASSIFIER, TFIDF}),
        (2.0, 0.0, {CLASSIFIER, COMBINED}, {TFIDF}),
        (0.0, 2.0, {TFIDF, COMBINED}, {CLASSIFIER}),
    ],
)
def test_the_predictor_that_knows_most_is_chosen(classifier, tfidf, best, worst):
    chosen = choose(*planted_logits(classifier, tfidf))
    trials = chosen.trials.set_index("predictor").drop(index=BASELINE)
    assert chosen.model.predictor == trials["log_loss"].idxmin()
    assert chosen.model.predictor in best
    assert trials["log_loss"].idxmax() in worst


def test_a_part_that_knows_nothing_is_not_always_combined():
    chosen = [choose(*planted_logits(0.0, 1.0, seed=seed)).model.predictor for seed in range(8)]
    assert chosen.count(TFIDF) >= 4
    assert CLASSIFIER not in chosen


def test_the_baseline_is_never_chosen_however_good_it_is():
    logits, reviews = planted_logits(0.5, 0.5)
    logits[BASELINE] = np.where(reviews["positive"], 9.0, -9.0)
    chosen = choose(logits, reviews)
    assert chosen.trials.set_index("predictor")["log_loss"].idxmin() == BASELINE
    assert chosen.model.predictor == COMBINED


def test_overconfident_logits_become_calibrated_probabilities():
    logits, reviews = planted_logits(n_films=1000)
    probabilities = choose(logits * 10, reviews).probabilities[COMBINED]
    confident = (reviews["part"] == "test") & (probabilities > 0.9)
    assert reviews.loc[confident, "positive"].mean() == pytest.approx(probabilities[confident].mean(), abs=0.03)


def test_the_labels_of_test_do_not_change_the_choice():
    logits, reviews = planted_logits()
    swapped = reviews.assign(positive=reviews["positive"] ^ (reviews["part"] == "test"))
    one, other = (choose(logits, table) for table in (reviews, swapped))
    pd.testing.assert_frame_equal(one.trials, other.trials)
    pd.testing.assert_frame_equal(one.probabilities, other.probabilities)


def test_parts_that_do_not_fit_together_are_refused():
    model = small_model(COMBINED).model
    with pytest.raises(ModelError, match="not the weights of a model of sentiment; found: no classifier"):
        replace(model, classifiers={})
    with pytest.raises(ModelError, match="a mixture of 3 numbers for combined"):
        replace(model, mixture=np.ones(2))
    two_labels = {"coefficients": np.tile(model.tfidf.coefficients, (2, 1)), "intercepts": np.zeros(2, np.float32)}
    with pytest.raises(ModelError, match="TF-IDF for 2 labels"):
        replace(model, tfidf=replace(model.tfidf, **two_labels))
