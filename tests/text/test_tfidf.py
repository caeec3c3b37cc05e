import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from latentflix.errors import ModelError
from latentflix.text.tfidf import TfidfConfig, fit_tfidf, restore_tfidf, tfidf_logits, tune_tfidf
from tests.support.factories.genres import WORDS, prepare

PREPARED = prepare()
PLOTS = list(PREPARED.plots["plot"])


@pytest.mark.parametrize("balanced", [True, False])
def test_the_arrays_say_what_scikit_learn_says(balanced):
    words = fit_tfidf(PLOTS, PREPARED.carried, TfidfConfig(balanced=balanced))
    vectors = TfidfVectorizer(sublinear_tf=True, min_df=3, max_df=0.5, stop_words="english").fit_transform(PLOTS)
    for column, genre in enumerate(PREPARED.carried):
        model = LogisticRegression(solver="liblinear", class_weight="balanced" if balanced else None)
        model.fit(vectors, PREPARED.carried[genre])
        np.testing.assert_allclose(tfidf_logits(PLOTS, words)[:, column], model.decision_function(vectors), atol=1e-4)


def test_the_planted_words_weigh_most():
    words = fit_tfidf(PLOTS, PREPARED.carried, TfidfConfig())
    for genre, row in zip(PREPARED.carried, words.arrays["coefficients"], strict=True):
        heaviest = {words.vocabulary[column] for column in np.argsort(-row)[:3]}
        assert heaviest == set(WORDS[genre].split())


def test_a_plot_of_unknown_words_gets_the_intercepts():
    words = fit_tfidf(PLOTS, PREPARED.carried, TfidfConfig())
    assert tfidf_logits(["幽霊 xyzzy", ""], words).tolist() == [words.arrays["intercepts"].tolist()] * 2


def test_phrases_tell_what_their_words_do_not():
    texts = ["not good", "good not bad", "not bad", "bad not good"] * 5
    carried = pd.DataFrame({"positive": [False, True, True, False] * 5})
    config = TfidfConfig(stop_words=False, max_df=1, inverse_regularization=1e4)
    single, double = (fit_tfidf(texts, carried, config.model_copy(update={"max_ngram": longest})) for longest in (1, 2))
    truth = carried["positive"].tolist()
    assert (tfidf_logits(texts, double)[:, 0] > 0).tolist() == truth
    assert (tfidf_logits(texts, single)[:, 0] > 0).tolist() != truth


def test_what_all_or_no_texts_carry_is_certain():
    carried = pd.DataFrame({"all": [True] * 4, "none": [False] * 4, "some": [True, True, False, False]})
    words = fit_tfidf(["a1 b1"] * 2 + ["b1 c1"] * 2, carried, TfidfConfig(min_df=1, max_df=1))
    assert tfidf_logits(["a1"], words)[0, :2].tolist() == [np.inf, -np.inf]
    assert 0 < tfidf_logits(["a1"], words)[0, 2] < np.inf


def test_texts_weigh_as_they_are_told():
    texts, carried = ["w1", "w1", "w1"], pd.DataFrame({"x": [True, False, False]})
    config = TfidfConfig(min_df=1, max_df=1, balanced=False, inverse_regularization=1e6)
    words = fit_tfidf(texts, carried, config, np.array([8.0, 1, 1]))
    assert 1 / (1 + np.exp(-tfidf_logits(["w1"], words)[0, 0])) == pytest.approx(0.8, abs=0.01)


def test_regularization_is_chosen_on_what_was_not_learned_from():
    random = np.random.default_rng(0)
    carried = pd.DataFrame({"x": random.random(120) < 0.5})
    texts = [
        " ".join(
            [f"w{word}" for word in random.integers(0, 60, 12)] + ["yes" if truth ^ (random.random() < 0.2) else "no"]
        )
        for truth in carried["x"]
    ]
    valid = np.arange(120) >= 60
    tried = (1e-3, 1.0, 1e4)
    words, trials = tune_tfidf(texts, carried, valid, TfidfConfig(stop_words=False), tried)
    for row in trials.to_dict("records"):
        alone = fit_tfidf(
            texts[:60],
            carried[:60],
            TfidfConfig(stop_words=False, inverse_regularization=row["inverse_regularization"]),
        )
        right = (tfidf_logits(texts[60:], alone) > 0) == carried[60:].to_numpy()
        assert row["accuracy"] == pytest.approx(right.mean())
    assert trials.loc[trials["chosen"], "accuracy"].tolist() == [trials["accuracy"].max()]
    assert words.config.inverse_regularization in trials.loc[trials["chosen"], "inverse_regularization"].tolist()


def test_words_come_back_from_what_was_kept():
    words = fit_tfidf(PLOTS, PREPARED.carried, TfidfConfig())
    again = restore_tfidf(words.arrays, words.names(), PREPARED.carried.shape[1])
    np.testing.assert_array_equal(tfidf_logits(PLOTS, again), tfidf_logits(PLOTS, words))


def test_words_that_do_not_fit_their_weights_are_refused():
    words = fit_tfidf(PLOTS, PREPARED.carried, TfidfConfig())
    names = {**words.names(), "vocabulary": words.vocabulary[:-1]}
    with pytest.raises(ModelError, match="do not fit their names; where: rarity"):
        restore_tfidf(words.arrays, names, PREPARED.carried.shape[1])


def test_naive_bayes_counts_on_words_that_few_texts_have_but_only_of_one_label():
    random = np.random.default_rng(0)
    texts, carried = [], []
    for _ in range(300):
        positive = bool(random.random() < 0.5)
        words = list(random.choice([f"filler{number}" for number in range(400)], 20))
        # Each mood has sixty words of its own, of which a text has one.
        texts.append(" ".join([*words, f"{'good' if positive else 'bad'}{random.integers(60)}"]))
        carried.append(positive)
    truth = pd.DataFrame({"positive": carried})
    told = {}
    for naive_bayes in (False, True):
        config = TfidfConfig(min_df=1, max_df=1, balanced=False, naive_bayes=naive_bayes)
        words = fit_tfidf(texts[:200], truth[:200], config)
        told[naive_bayes] = ((tfidf_logits(texts[200:], words)[:, 0] > 0) == truth["positive"][200:]).mean()
    assert told[True] > told[False] + 0.02
