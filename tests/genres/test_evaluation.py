import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score

from latentflix.calibration import tune_thresholds
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.genres.evaluation import (
    COMBINED,
    PRIOR,
    WORDS,
    GenreEvaluationConfig,
    confuse,
    evaluate_genres,
)

GENRES = ["Drama", "Comedy", "War"]
N_PLOTS = 1500
CONFIG = GenreEvaluationConfig(bootstraps=200)


def make_methods(seed=0):
    """True probabilities, and the same blurred as words alone."""
    random = np.random.default_rng(seed)
    logits = random.normal([0, -1, -3], 2, size=(N_PLOTS, 3))
    true = 1 / (1 + np.exp(-logits))
    index = pd.RangeIndex(N_PLOTS, name="plot_id")
    carried = pd.DataFrame(random.random(true.shape) < true, index, GENRES)
    blurred = 1 / (1 + np.exp(-logits - random.normal(0, 2, logits.shape)))
    parts = pd.Series(np.array([TRAIN, VALID, TEST])[np.arange(N_PLOTS) % 3], index)
    return {COMBINED: pd.DataFrame(true, index, GENRES), WORDS: pd.DataFrame(blurred, index, GENRES)}, carried, parts


METHODS, CARRIED, PARTS = make_methods()


@pytest.fixture(scope="module")
def evaluation():
    return evaluate_genres(METHODS, CARRIED, PARTS, 20, CONFIG)


def test_scores_are_those_of_scikit_learn_with_thresholds_from_validation(evaluation):
    valid, test = (part == PARTS for part in (VALID, TEST))
    for name in (COMBINED, WORDS):
        said, truth = METHODS[name][test].to_numpy(), CARRIED[test].to_numpy()
        tuned = tune_thresholds(CARRIED[valid].to_numpy(), METHODS[name][valid].to_numpy(), 20)
        for kind, thresholds in (("shared", tuned.shared), ("each", tuned.each)):
            for average in ("micro", "macro", "weighted"):
                expected = f1_score(truth, said >= thresholds, average=average)
                assert evaluation.score(name, kind, f"{average}_f1") == pytest.approx(expected)
        expected = average_precision_score(truth, said, average="macro")
        assert evaluation.score(name, "none", "average_precision") == pytest.approx(expected)


def test_what_is_truly_better_is_better_on_the_same_resamples(evaluation):
    ours = evaluation.scores[evaluation.scores["method"] == COMBINED]
    assert (ours["over_words_low"] > 0).all()
    words = evaluation.scores[evaluation.scores["method"] == WORDS]
    assert (words[["over_words", "over_words_low", "over_words_high"]] == 0).all(axis=None)
    assert (ours["low"] < ours["score"]).all()
    assert (ours["score"] < ours["high"]).all()


def test_the_same_guess_for_every_plot_has_the_prevalence_as_its_precision(evaluation):
    found = evaluation.score(PRIOR, "none", "average_precision")
    assert found == pytest.approx(CARRIED[PARTS == TEST].mean().mean())


def test_each_genre_has_its_support_and_scores(evaluation):
    test = PARTS == TEST
    assert evaluation.genres["films"].tolist() == CARRIED[test].sum().tolist()
    given = METHODS[COMBINED][test] >= evaluation.genres["threshold"]
    assert evaluation.genres["given"].tolist() == given.sum().tolist()
    assert evaluation.genres["f1"].tolist() == pytest.approx(f1_score(CARRIED[test], given, average=None).tolist())


def test_confusion_says_which_genres_are_carried_and_given_together():
    truth = np.array([[True, True, False], [True, False, False], [False, False, True]])
    given = np.array([[True, False, True], [True, False, True], [False, False, True]])
    shares = confuse(truth, given, GENRES).set_index(["genre", "other"])
    assert shares.loc[("Drama", "Comedy")].tolist() == [0.5, 0.0]
    assert shares.loc[("Drama", "War")].tolist() == [0.0, 1.0]
    assert shares.loc[("War", "War")].tolist() == [1.0, 1.0]
