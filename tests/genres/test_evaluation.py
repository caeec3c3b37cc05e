import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from latentflix.calibration import tune_thresholds
from latentflix.data.splits import TEST, VALID
from latentflix.genres.evaluation import COMBINED, PRIOR, TFIDF, GenreEvaluationConfig, confuse, evaluate_genres
from tests.support.factories.genres import make_methods

METHODS, HAS_GENRE, PARTS = make_methods()
EVALUATION = evaluate_genres(METHODS, HAS_GENRE, PARTS, 20, GenreEvaluationConfig(bootstraps=200))


def test_scores_are_those_of_scikit_learn_with_thresholds_from_validation():
    valid, test = (part == PARTS for part in (VALID, TEST))
    for name in (COMBINED, TFIDF):
        probabilities, y_true = METHODS[name][test].to_numpy(), HAS_GENRE[test].to_numpy()
        tuned = tune_thresholds(HAS_GENRE[valid].to_numpy(), METHODS[name][valid].to_numpy(), 20)
        for kind, thresholds in (("shared", tuned.shared), ("each", tuned.each)):
            for average in ("micro", "macro", "weighted"):
                expected = f1_score(y_true, probabilities >= thresholds, average=average)
                assert EVALUATION.score(name, kind, f"{average}_f1") == pytest.approx(expected)
        expected = average_precision_score(y_true, probabilities, average="macro")
        assert EVALUATION.score(name, "none", "average_precision") == pytest.approx(expected)


def test_the_better_method_is_better_on_the_same_resamples():
    combined, tfidf = (EVALUATION.scores[EVALUATION.scores["method"] == method] for method in (COMBINED, TFIDF))
    assert (combined["over_tfidf_low"] > 0).all()
    assert (tfidf[["over_tfidf", "over_tfidf_low", "over_tfidf_high"]] == 0).all(axis=None)
    assert (combined["low"] < combined["score"]).all()
    assert (combined["score"] < combined["high"]).all()


def test_each_genre_has_its_support_and_scores_and_the_prior_the_prevalence():
    test = PARTS == TEST
    assert EVALUATION.genres["films"].tolist() == HAS_GENRE[test].sum().tolist()
    predicted = METHODS[COMBINED][test] >= EVALUATION.genres["threshold"]
    assert EVALUATION.genres["predicted"].tolist() == predicted.sum().tolist()
    assert EVALUATION.genres["f1"].tolist() == pytest.approx(
        f1_score(HAS_GENRE[test], predicted, average=None).tolist()
    )
    tfidf_map = EVALUATION.score(TFIDF, "none", "average_precision")
    assert EVALUATION.genres["tfidf_average_precision"].mean() == pytest.approx(tfidf_map)
    assert EVALUATION.score(PRIOR, "none", "average_precision") == pytest.approx(HAS_GENRE[test].mean().mean())


def test_confusion_has_the_shares_of_genres_that_go_and_are_predicted_together():
    y_true = np.array([[True, True, False], [True, False, False], [False, False, True]])
    y_pred = np.array([[True, False, True], [True, False, True], [False, False, True]])
    shares = confuse(y_true, y_pred, list(HAS_GENRE)).set_index(["genre", "other"])
    assert shares.loc[("Drama", "Comedy")].tolist() == [0.5, 0.0]
    assert shares.loc[("Drama", "War")].tolist() == [0.0, 1.0]
    assert shares.loc[("War", "War")].tolist() == [1.0, 1.0]
