import pytest

from latentflix.artifacts import Store
from latentflix.film_summary import summarise_film
from latentflix.runs import choose_run
from tests.small_run import FILMS, NAMES, write_run


@pytest.fixture(scope="module")
def summarise(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("artifacts"))
    write_run(store)
    return lambda movie_id: summarise_film(store, choose_run(store), FILMS, movie_id)


def test_a_film_stands_where_its_scores_say_the_strongest_first(summarise):
    scores = summarise(40).scores
    assert [(each.label, each.score, each.stable) for each in scores] == [
        ("2-", -2.5, False),
        ("1-", pytest.approx(-1.2), True),
    ]
    assert [each.name for each in scores] == ["", NAMES["1-"]]


def test_a_label_says_which_of_its_words_the_reviews_use(summarise):
    film = summarise(10)
    assert (film.title, film.tconst, film.ratings, film.reviews) == ("Matrix, The (1999)", "tt0133093", 300, 2)
    assert [(each.label, each.name, each.strength) for each in film.labels] == [("1+", NAMES["1+"], 2.0)]
    assert film.labels[0].words == ("machine", "war")


def test_predictions_are_told_with_and_without_the_dominating_label(summarise):
    film = summarise(10)
    assert film.dominating == "1+"
    assert [(each.label, each.own, each.share, each.share_without) for each in film.predicted] == [
        ("1+", True, 1.0, None),
        ("1-", False, 0.5, 1.0),
    ]


def test_a_film_without_reviews_labels_or_place_says_so_by_having_none(summarise):
    film = summarise(60)
    assert (film.scores, film.labels, film.predicted, film.reviews, film.tconst) == ((), (), (), 0, None)
    assert film.genres == ("Sci-Fi",)
