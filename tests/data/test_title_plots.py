import pandas as pd
import pytest

from latentflix.data.title_plots import YEARS_APART, join_plots, plots_of_items, title_key
from tests.support.title_plots import FILMS, join, plots


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Postman, The (1997)", "The Postman", True),
        ("Amélie", "amelie (2001)", True),
        ("Dr. Strangelove", "Dr Strangelove", True),
        ("Butch & Sundance", "Butch and Sundance", True),
        ("Schindler's List", "Schindlers List", True),
        ("Bread and Chocolate (Pane e cioccolata) (1973)", "Bread and Chocolate", True),
        ("Alien (1979)", "Aliens (1986)", False),
        ("Die Hard 2", "Die Hard", False),
    ],
)
def test_titles_in_other_spellings_are_the_same_and_those_that_differ_in_a_word_are_not(left, right, same):
    assert (title_key(left) == title_key(right)) == same


def test_films_and_plots_are_joined_by_title_and_titles_of_several_are_left_out_and_counted():
    films, ambiguous = join(["The Postman", "alien", "Nowhere"])
    assert films[["item_id", "plot_id"]].to_numpy().tolist() == [[10, 0], [20, 1]]
    assert ambiguous == 0
    films, ambiguous = join(["Kolya", "Heat", "Heat", "Alien"])
    assert films["item_id"].tolist() == [20]
    assert ambiguous == 3


def test_years_that_differ_by_more_than_one_keep_film_and_plot_apart():
    films, ambiguous = join(["Solaris", "Alien", "The Postman"], [2002, 1980, None])
    assert films["item_id"].tolist() == [10, 20]
    assert ambiguous == 1


def test_a_film_without_a_title_in_movielens_is_joined_with_no_plot():
    film = pd.DataFrame({"title": ["unknown"], "year": pd.array([None], dtype="Int16"), "genres": [["unknown"]]})
    assert join_plots(film.rename_axis("item_id"), plots(["Unknown"]), YEARS_APART)[0].empty


def test_plots_become_parts_of_the_documents_of_their_items():
    table = plots(["The Postman", "Alien", "Kolya"]).reset_index().assign(plot=["a letter", "a ship", "a boy"])
    parts = plots_of_items(FILMS, table)
    assert parts.to_numpy().tolist() == [[10, "0", "a letter"], [20, "1", "a ship"]]
