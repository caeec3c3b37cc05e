import pandas as pd
import pytest

from latentflix.data.movielens import GENRES
from latentflix.genres.movielens_comparison import SAME_GENRE, compare_genres
from tests.support.title_plots import join

COLUMNS = ["predicted", "has_genre", "true_positives", "false_negatives", "false_positives"]


def test_plots_without_titles_are_joined_with_no_film():
    films, ambiguous = join([None, None])
    assert films.empty
    assert ambiguous == 0
    assert compare_genres(films, pd.DataFrame({"Drama": [0.9, 0.1]}), pd.Series({"Drama": 0.5})).empty


def test_predicted_genres_are_compared_with_those_of_movielens():
    films, _ = join(["Alien", "The Postman"])
    names = ["Horror", "Science Fiction", "Drama", "Slasher"]
    probabilities = pd.DataFrame([[0.9, 0.2, 0.6, 0.8], [0.1, 0.1, 0.9, 0.1]], columns=names)
    compared = compare_genres(films, probabilities, pd.Series(0.5, names)).set_index("item_id")
    assert compared.loc[20, COLUMNS].tolist() == [["Horror", "Slasher", "Drama"], True, 1, 1, 1]
    assert compared.loc[10, COLUMNS].tolist() == [["Drama"], True, 1, 0, 0]


@pytest.mark.parametrize("genres", [[], ["unknown"]])
def test_a_film_without_a_genre_in_movielens_is_marked(genres):
    films = join(["Solaris"])[0].assign(genres=[genres])
    compared = compare_genres(films, pd.DataFrame({"Drama": [0.9]}), pd.Series({"Drama": 0.5}))
    assert compared.loc[0, COLUMNS].tolist() == [["Drama"], False, 0, 0, 1]


def test_the_genres_that_both_know_are_genres_of_movielens():
    assert set(SAME_GENRE) == set(GENRES) - {"unknown"}
