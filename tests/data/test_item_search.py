import pandas as pd
import pytest

from latentflix.data.item_search import find_item
from latentflix.errors import NotFound
from tests.support.factories.run import ITEMS


@pytest.mark.parametrize(
    "asked",
    [
        *("Matrix, The (1999)", "The Matrix (1999)", "the matrix", "MATRIX, THE", "Matrix", "matrix (1999)"),
        *("matrix 1999", "the matrix, 1999", " The  Matrix! "),
    ],
)
def test_case_articles_punctuation_and_the_year_do_not_matter(asked):
    assert find_item(ITEMS, asked) == 10


@pytest.mark.parametrize(
    "asked",
    [
        *("La Cité des enfants perdus", "cite des enfants perdus", "City of Lost Children", "lost children"),
        "enfants perdus 1995",
    ],
)
def test_an_item_is_found_by_its_other_names_and_by_words_of_them(asked):
    assert find_item(ITEMS, asked) == 20


def test_a_year_distinguishes_items_of_one_name():
    assert find_item(ITEMS, "Sabrina (1954)") == find_item(ITEMS, "sabrina 1954") == 30
    assert find_item(ITEMS, "Sabrina (1995)") == 40
    expected = r"several items have this name; found: sabrina: Sabrina \(1995\), Sabrina \(1954\);"
    with pytest.raises(NotFound, match=expected):
        find_item(ITEMS, "sabrina")


def test_a_number_may_be_a_name_and_a_whole_name_comes_before_names_that_contain_it():
    assert find_item(ITEMS, "2001") == find_item(ITEMS, "2001: a space odyssey") == 60
    assert find_item(ITEMS, "the matrix") == 10
    assert find_item(ITEMS, "reloaded") == 50


def test_for_an_unknown_item_the_nearest_are_named():
    expected = r"no item has this name; found: Teh Matirx; .*perhaps you mean Matrix, The \(1999\)"
    with pytest.raises(NotFound, match=expected):
        find_item(ITEMS, "Teh Matirx")
    with pytest.raises(NotFound, match=r"perhaps you mean Sabrina \(1954\), Sabrina \(1995\)"):
        find_item(ITEMS, "Sabrina (2022)")


@pytest.mark.parametrize("asked", ["", "  ", "(1995)", "!?"])
def test_a_query_without_a_name_finds_no_item(asked):
    with pytest.raises(NotFound, match="no item has this name"):
        find_item(ITEMS, asked)


def test_every_title_of_movielens_finds_its_own_item(movielens):
    some = movielens.items.iloc[::20]
    assert [find_item(movielens.items, title) for title in some["title"]] == some.index.tolist()


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("empire strikes back", "Empire Strikes Back, The (1980)"),
        ("Il postino", "Postino, Il (1994)"),
        ("dr strangelove", "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1963)"),
        ("se7en", "Seven (Se7en) (1995)"),
        ("Monty Python & the Holy Grail", "Monty Python and the Holy Grail (1974)"),
    ],
)
def test_items_of_movielens_are_found_by_their_everyday_names(movielens, asked, title):
    assert movielens.items.loc[find_item(movielens.items, asked), "title"] == title


def test_only_some_of_many_items_are_listed():
    items = pd.DataFrame({"title": [f"Star {n} (1990)" for n in range(30)], "ratings": range(30)})
    with pytest.raises(NotFound, match=r"found: star: Star 29 \(1990\), .*Star 20 \(1990\) and 20 more;"):
        find_item(items, "star")
