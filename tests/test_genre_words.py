import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from latentflix.genre_words import WordConfig, fit_words, word_logits
from tests.small_genres import WORDS, prepare

PREPARED = prepare()
PLOTS = list(PREPARED.plots["plot"])


@pytest.mark.parametrize("balanced", [True, False])
def test_the_arrays_say_what_scikit_learn_says(balanced):
    words = fit_words(PLOTS, PREPARED.carried, WordConfig(balanced=balanced))
    vectors = TfidfVectorizer(sublinear_tf=True, min_df=3, max_df=0.5, stop_words="english").fit_transform(PLOTS)
    for column, genre in enumerate(PREPARED.carried):
        model = LogisticRegression(solver="liblinear", class_weight="balanced" if balanced else None)
        model.fit(vectors, PREPARED.carried[genre])
        np.testing.assert_allclose(word_logits(PLOTS, words)[:, column], model.decision_function(vectors), atol=1e-4)


def test_the_planted_words_weigh_most():
    words = fit_words(PLOTS, PREPARED.carried, WordConfig())
    for genre, row in zip(PREPARED.carried, words.arrays["coefficients"], strict=True):
        heaviest = {words.vocabulary[column] for column in np.argsort(-row)[:3]}
        assert heaviest == set(WORDS[genre].split())


def test_a_plot_of_unknown_words_gets_the_intercepts():
    words = fit_words(PLOTS, PREPARED.carried, WordConfig())
    assert word_logits(["幽霊 xyzzy", ""], words).tolist() == [words.arrays["intercepts"].tolist()] * 2
