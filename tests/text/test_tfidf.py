from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from latentflix.artifacts import Handle
from latentflix.errors import ModelError
from latentflix.text.tfidf import TfidfConfig, TfidfModel, fit_tfidf, tfidf_logits, tune_tfidf
from tests.support.factories.genres import WORDS, prepare

PREPARED = prepare()
PLOTS = list(PREPARED.plot_summaries["plot"])
MODEL = fit_tfidf(PLOTS, PREPARED.has_genre, TfidfConfig())


@pytest.mark.parametrize("balanced", [True, False])
def test_logits_are_those_of_scikit_learn(balanced):
    words = fit_tfidf(PLOTS, PREPARED.has_genre, TfidfConfig(balanced=balanced))
    vectors = TfidfVectorizer(sublinear_tf=True, min_df=3, max_df=0.5, stop_words="english").fit_transform(PLOTS)
    for column, genre in enumerate(PREPARED.has_genre):
        model = LogisticRegression(solver="liblinear", class_weight="balanced" if balanced else None)
        model.fit(vectors, PREPARED.has_genre[genre])
        np.testing.assert_allclose(tfidf_logits(PLOTS, words)[:, column], model.decision_function(vectors), atol=1e-4)


def test_the_planted_words_weigh_most_and_unknown_words_get_the_intercepts():
    for genre, row in zip(PREPARED.has_genre, MODEL.coefficients, strict=True):
        heaviest = {MODEL.vocabulary[column] for column in np.argsort(-row)[:3]}
        assert heaviest == set(WORDS[genre].split())
    assert tfidf_logits(["幽霊 xyzzy", ""], MODEL).tolist() == [MODEL.intercepts.tolist()] * 2


def test_phrases_predict_what_their_words_do_not():
    texts = ["not good", "good not bad", "not bad", "bad not good"] * 5
    y_true = pd.DataFrame({"positive": [False, True, True, False] * 5})
    config = TfidfConfig(stop_words=False, max_df=1, inverse_regularization=1e4)
    single, double = (fit_tfidf(texts, y_true, config.model_copy(update={"max_ngram": longest})) for longest in (1, 2))
    truth = y_true["positive"].tolist()
    assert (tfidf_logits(texts, double)[:, 0] > 0).tolist() == truth
    assert (tfidf_logits(texts, single)[:, 0] > 0).tolist() != truth


def test_a_label_of_all_or_no_texts_is_certain():
    y_true = pd.DataFrame({"all": [True] * 4, "none": [False] * 4, "some": [True, True, False, False]})
    words = fit_tfidf(["a1 b1"] * 2 + ["b1 c1"] * 2, y_true, TfidfConfig(min_df=1, max_df=1))
    assert tfidf_logits(["a1"], words)[0, :2].tolist() == [np.inf, -np.inf]
    assert 0 < tfidf_logits(["a1"], words)[0, 2] < np.inf


def test_texts_have_the_weights_that_are_given():
    texts, y_true = ["w1", "w1", "w1"], pd.DataFrame({"x": [True, False, False]})
    config = TfidfConfig(min_df=1, max_df=1, balanced=False, inverse_regularization=1e6)
    words = fit_tfidf(texts, y_true, config, np.array([8.0, 1, 1]))
    assert 1 / (1 + np.exp(-tfidf_logits(["w1"], words)[0, 0])) == pytest.approx(0.8, abs=0.01)


def test_regularization_is_chosen_on_texts_that_were_not_fitted():
    random = np.random.default_rng(0)
    y_true = pd.DataFrame({"x": random.random(120) < 0.5})
    texts = []
    for truth in y_true["x"]:
        words = [f"w{word}" for word in random.integers(0, 60, 12)]
        texts.append(" ".join([*words, "yes" if truth ^ (random.random() < 0.2) else "no"]))
    config = TfidfConfig(stop_words=False)
    words, logits, trials = tune_tfidf(texts, y_true, np.arange(120) >= 60, config, (1e-3, 1.0, 1e4))
    vectors = TfidfVectorizer(sublinear_tf=True, min_df=3, max_df=0.5).fit_transform(texts)
    for row in trials.to_dict("records"):
        alone = LogisticRegression(C=row["inverse_regularization"], class_weight="balanced", solver="liblinear")
        alone.fit(vectors[:60], y_true["x"][:60])
        assert row["accuracy"] == pytest.approx(alone.score(vectors[60:], y_true["x"][60:]))
        if row["chosen"]:
            np.testing.assert_allclose(logits[:, 0], alone.decision_function(vectors[60:]), atol=1e-4)
    assert trials.loc[trials["chosen"], "accuracy"].tolist() == [trials["accuracy"].max()]
    np.testing.assert_array_equal(
        tfidf_logits(texts, words), tfidf_logits(texts, fit_tfidf(texts, y_true, words.config))
    )


def test_marks_and_single_letters_are_words_if_the_settings_say_so():
    config = TfidfConfig(min_df=1, max_df=1, stop_words=False, max_ngram=2)
    texts, y_true = ["I don't!", "A film: 7/10"], pd.DataFrame({"x": [True, False]})
    words, marks = (fit_tfidf(texts, y_true, config.model_copy(update={"punctuation": on})) for on in (False, True))
    assert words.vocabulary == ["10", "don", "film", "film 10"]
    singles = {word for word in marks.vocabulary if " " not in word}
    assert singles == {"i", "don't", "!", "a", "film", ":", "7", "/", "10"}
    assert {"i don't", "don't !"} <= set(marks.vocabulary)
    # The model reads texts as it was fitted.
    assert tfidf_logits(["!"], marks)[0, 0] > marks.intercepts[0]


def test_a_model_comes_back_from_disk_as_it_was(store):
    handle = Handle(stage="a", key="b")
    store.ensure(handle, {}, MODEL.config, lambda artifact: artifact.write(MODEL))
    np.testing.assert_array_equal(tfidf_logits(PLOTS, store.read(handle, TfidfModel)), tfidf_logits(PLOTS, MODEL))


@pytest.mark.parametrize(("change", "where"), [("vocabulary", "idf"), ("intercepts", "coefficients")])
def test_arrays_that_do_not_fit_together_are_refused(change, where):
    with pytest.raises(ModelError, match=f"do not fit their names; where: {where}"):
        replace(MODEL, **{change: getattr(MODEL, change)[:-1]})


def test_naive_bayes_uses_rare_words_of_one_label_only():
    random = np.random.default_rng(0)
    texts, y_true = [], []
    for _ in range(300):
        positive = bool(random.random() < 0.5)
        words = list(random.choice([f"filler{number}" for number in range(400)], 20))
        # Each sentiment has sixty words of its own, of which a text has one.
        texts.append(" ".join([*words, f"{'good' if positive else 'bad'}{random.integers(60)}"]))
        y_true.append(positive)
    truth = pd.DataFrame({"positive": y_true})
    accuracy = {}
    for naive_bayes in (False, True):
        config = TfidfConfig(min_df=1, max_df=1, balanced=False, naive_bayes=naive_bayes)
        words = fit_tfidf(texts[:200], truth[:200], config)
        accuracy[naive_bayes] = ((tfidf_logits(texts[200:], words)[:, 0] > 0) == truth["positive"][200:]).mean()
    assert accuracy[True] > accuracy[False] + 0.02
