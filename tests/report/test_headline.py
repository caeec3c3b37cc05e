import numpy as np
import pandas as pd
import pytest

from latentflix.report.formatting import Nouns
from latentflix.report.headline import (
    NOT_PREDICTABLE,
    PREDICTABLE,
    UNSTABLE,
    advice,
    finding,
    headline,
    headline_sentence,
    judge_axes,
    run_facts,
)
from tests.support.factories.report import make_manifest

FILMS = Nouns("film", "films")
FIGURES = {
    "items": 1234,
    "reviews": 56789,
    "stable_factors": 9,
    "factors": 12,
    "predictable_factors": 4,
    "words_auc": 0.5449,
    "auc": 0.6123,
    "auc_low": 0.58,
    "auc_high": 0.6449,
    "auc_null": 0.5001,
    "auc_null_sd": 0.0123,
    "auc_p": 0.001,
}


def judge(p, stable=None, correlation=0.3):
    names = pd.Index([str(number + 1) for number in range(len(p))], name="axis")
    axes = pd.DataFrame({"stable": stable or [True] * len(p)}, index=names)
    scores = pd.DataFrame({"correlation": correlation, "correlation_p": p}, index=names)
    return judge_axes(axes, scores[axes["stable"].to_numpy()], 0.05).tolist()


def test_an_axis_is_predictable_if_it_is_stable_and_its_p_is_small_among_all_that_are():
    assert judge([0.004, 0.5, 0.6]) == [PREDICTABLE, NOT_PREDICTABLE, NOT_PREDICTABLE]
    assert judge([0.04, 0.5, 0.6]) == [NOT_PREDICTABLE, NOT_PREDICTABLE, NOT_PREDICTABLE]
    assert judge([0.04]) == [PREDICTABLE]
    assert judge([0.04, 0.5], stable=[True, False]) == [PREDICTABLE, UNSTABLE]
    assert judge([0.001, 0.001], stable=[False, False]) == [UNSTABLE, UNSTABLE]


def test_an_axis_without_a_score_is_not_predictable():
    assert judge([0.001, 0.001], correlation=[np.nan, 0.3]) == [NOT_PREDICTABLE, PREDICTABLE]
    axes = pd.DataFrame({"stable": [True, False]}, index=pd.Index(["1", "2"], name="axis"))
    assert judge_axes(axes, pd.DataFrame(), 0.05).tolist() == [NOT_PREDICTABLE, UNSTABLE]


def test_the_headline_has_every_figure_of_its_sentence():
    overall = {name: FIGURES[name] for name in FIGURES if "auc" in name or name in ("items", "reviews")}
    verdicts = pd.Series([PREDICTABLE] * 4 + [NOT_PREDICTABLE] * 5 + [UNSTABLE] * 3)
    axes = pd.DataFrame({"stable": [True] * 9 + [False] * 3})
    assert headline(overall, axes, verdicts) == FIGURES


def test_headline_sentence():
    assert headline_sentence(FIGURES, FILMS) == (
        "1,234 films, 56,789 reviews, 9 stable factors of 12; mean held-out AUC 0.612 [0.580, 0.645] against "
        "0.500 ± 0.012 for labels permuted across films; TF-IDF and logistic regression 0.545"
    )
    missing = {**FIGURES, **dict.fromkeys(("auc", "auc_low", "auc_high", "words_auc"))}
    assert "mean held-out AUC – [–, –]" in headline_sentence(missing, FILMS)


@pytest.mark.parametrize(
    ("auc", "p", "words"),
    [
        (0.8, 0.001, "where they stand far better than guessing."),
        (0.65, 0.001, "where they stand better than guessing."),
        (0.53, 0.02, "where they stand only a little better than guessing."),
        (0.53, 0.05, "where they stand no better than guessing."),
        (0.9, 0.3, "where they stand no better than guessing."),
        (0.3, 0.99, "where they stand no better than guessing."),
        (None, None, "could not be measured."),
    ],
)
def test_the_finding_says_in_plain_words_how_well_reviews_predict(auc, p, words):
    sentence = finding({**FIGURES, "auc": auc, "auc_p": p}, FILMS)
    assert sentence.startswith("The recommender sorts films by 9 factors that come out the same in every training; ")
    assert sentence.endswith(words)
    assert sentence.count(".") == 1


def test_one_factor_is_in_the_singular():
    assert "one factor that comes out the same" in finding({**FIGURES, "stable_factors": 1}, FILMS)


@pytest.mark.parametrize(("p", "part"), [(0.4, "do not rely on"), (None, "do not rely on"), (0.01, "4 of the 9")])
def test_the_advice_is_not_to_rely_on_results_of_chance(p, part):
    assert part in advice({**FIGURES, "auc_p": p}, FILMS)


def test_the_facts_of_a_run_are_its_date_data_and_settings():
    manifests = [
        make_manifest("datasets", {"name": "movielens_100k"}),
        make_manifest("ratings_source", {"path": "mine.csv"}),
        make_manifest("collab", {"model": "bias", "n_factors": 50}),
        make_manifest("classifier", {"n_folds": 5}).model_copy(update={"made_at": "2026-03-04T05:06:07Z"}),
    ]
    assert run_facts(manifests, FILMS) == {
        "Made": "2026-03-04 05:06:07 UTC",
        "Data": "MovieLens 100K (datasets); ratings of your own (ratings_)",
        "Settings": "recommender bias with 50 factors; 5 folds of films",
    }
    for version, said in ((3, "version 3 of the review store"), (None, "")):
        assert run_facts([make_manifest("reviews", {"store_version": version})], FILMS)["Data"] == said
