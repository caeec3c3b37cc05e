import pandas as pd
import pytest

from latentflix.report.formatting import Nouns
from latentflix.report.headline import advice, finding, headline, headline_sentence, run_facts
from tests.support.factories.report import make_axis_scores, make_manifest, make_name_tests

FILMS = Nouns("film", "films")
FIGURES = {
    "items": 1234,
    "reviews": 56789,
    "factors": 12,
    "stable_factors": 9,
    "predictable_factors": 4,
    "factors_that_hold": 5,
    "factors_shared_by_people": 3,
    "names_that_hold": 6,
    "names_tested": 8,
    "mean_rho": 0.2123,
    "mean_rho_low": 0.15,
    "mean_rho_high": 0.2749,
    "mean_rho_network": 0.0501,
    "mean_rho_beyond_metadata": 0.1,
    "words_auc": 0.5449,
    "auc": 0.6123,
    "auc_low": 0.58,
    "auc_high": 0.6449,
    "auc_null": 0.5001,
    "auc_null_sd": 0.0123,
    "auc_p": 0.001,
}
COUNTED = {"factors", "stable_factors", "predictable_factors", "factors_shared_by_people"}
COUNTED |= {"names_that_hold", "names_tested"}


def test_the_headline_counts_factors_and_names_and_takes_scores_from_the_evaluation():
    names = [str(number) for number in range(1, 13)]
    axes = pd.DataFrame({"stable": [True] * 9 + [False] * 3, "shared": [True] * 3 + [False] * 9}, index=names)
    # The fifth that holds is not stable.
    scores = make_axis_scores({name: (0.3, 0.01, name in ("1", "2", "3", "4", "10")) for name in names})
    tests = make_name_tests({f"{name}+": (0.3, name < "7") for name in names[:8]})
    overall = {name: value for name, value in FIGURES.items() if name not in COUNTED}
    read = {name: overall.pop(name) for name in ("items", "reviews")}
    # The network may have read fewer reviews.
    found = headline(read | {"parts": 9000}, overall | {"items": 1, "reviews": 1}, axes, scores, tests)
    assert found == FIGURES


def test_headline_sentence():
    assert headline_sentence(FIGURES, FILMS) == (
        "1,234 films, 56,789 reviews; 5 of 12 factors hold: reviews predict where unseen films stand on them; mean rho "
        "0.212 [0.150, 0.275] over the 9 stable factors, 0.050 by the network; 6 of 8 names hold"
    )
    missing = {**FIGURES, **dict.fromkeys(("mean_rho", "mean_rho_low", "mean_rho_high", "mean_rho_network"))}
    assert "mean rho – [–, –] over the 9 stable factors; 6 of 8 names hold" in headline_sentence(missing, FILMS)


@pytest.mark.parametrize(
    ("hold", "words"),
    [
        (5, "predicts where the recommender puts them on 5 of its 12 factors."),
        (1, "predicts where the recommender puts them on 1 of its 12 factors."),
        (12, "predicts where the recommender puts them on all 12 of its factors."),
        (0, "does not predict where the recommender puts them on any of its 12 factors."),
    ],
)
def test_the_finding_says_in_plain_words_on_how_many_factors_reviews_predict(hold, words):
    assert finding({**FIGURES, "factors_that_hold": hold}, FILMS) == f"What people write about films {words}"


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"factors_that_hold": 0}, "do not rely on the predicted histograms."),
        ({}, "6 of 8 names put them in the right order, better than chance."),
        ({"names_tested": 0, "names_that_hold": 0}, "No name could be tested."),
    ],
)
def test_the_advice_depends_on_what_holds(changed, part):
    assert advice({**FIGURES, **changed}, FILMS).endswith(part)


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
