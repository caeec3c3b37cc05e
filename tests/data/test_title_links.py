import pandas as pd
import pytest

from latentflix.data.datasets import DATA_SETS
from latentflix.data.movielens import read_movielens, read_movielens_items
from latentflix.data.title_links import ANOTHER, NAMED, NONE, NOT_NAMED, SEVERAL, link_items
from latentflix.data.titles import is_same_film
from tests.support.files import write_folder
from tests.support.movielens_files import LAYOUTS

LARGE, SMALL, OLD = "movielens_20m_items", "movielens_latest_small", "movielens_100k"
BY_ID = "same id, title and year as in MovieLens Latest Small (2018)"
BY_TITLE = "same title and year as in MovieLens Latest Small (2018)"
BY_OLD_TITLE = "same title and year as in MovieLens 100K"


def films(titles):
    return pd.DataFrame({"title": titles}, index=pd.Index(range(1, len(titles) + 1), name="item_id"))


def others(*rows):
    return pd.DataFrame(rows, columns=["item_id", "title", "tconst"]).astype({"tconst": "str"})


@pytest.mark.parametrize(
    ("title", "other", "same"),
    [
        ("Matrix, The (1999)", "The Matrix (1999)", True),
        ("Matrix, The (1999)", "Matrix, The (2000)", True),
        ("Matrix, The (1999)", "Matrix, The (2003)", False),
        ("Matrix, The (1999)", "Matrix, The", False),
        ("Matrix, The (1999)", "Matrix Reloaded, The (1999)", False),
        ("City of Lost Children, The (1995)", "City of Lost Children, The (Cité des enfants perdus, La) (1995)", True),
        ("Cite des enfants perdus, La (1995)", "City of Lost Children, The (Cité des enfants perdus, La) (1995)", True),
        ("Seven (Se7en) (1995)", "Seven (a.k.a. Se7en) (1995)", True),
        ("Se7en (1995)", "Seven (a.k.a. Se7en) (1995)", True),
        ("Dangerous Minds (Part 2) (1995)", "Dangerous Minds (1995)", True),
        ("Amélie & co (2001)", "AMELIE AND CO (2001)", True),
    ],
)
def test_titles_of_different_editions_are_compared_by_all_their_names(title, other, same):
    assert is_same_film(title, other) is is_same_film(other, title) is same


def test_a_link_is_taken_over_by_id_if_title_and_year_agree_else_by_title():
    own = films(["Heat (1995)", "Fargo (1996)", "Emma (1996)", "Alien (1979)", "Solo (1990)", "Toy Story (1995)"])
    small = others(
        (1, "Heat (1995)", "tt0000001"),
        (2, "Another Film (1996)", "tt0000002"),
        (30, "Emma (1996)", "tt0000003"),
        (4, "Alien (1986)", "tt0000004"),
        (6, "Toy Story (1995)", None),
    )
    old = others((2, "Fargo (1996)", "tt0000020"), (1, "Heat (1996)", "tt0000010"), (5, "Solo (1991)", "tt0000050"))
    linked = link_items(own, {SMALL: small, OLD: old})
    assert linked.items["tconst"].dropna().to_dict() == {1: "tt0000001", 2: "tt0000020", 3: "tt0000003"}
    assert linked.outcomes == {BY_ID: 1, BY_OLD_TITLE: 1, BY_TITLE: 1, ANOTHER: 1, NONE: 2}
    assert linked.items["title"].equals(own["title"])


def test_a_title_that_fits_several_or_that_several_items_fit_links_none():
    own = films(["Emma (1996)", "Hero (1992)", "Hero, The (1992)", "The Hero (1992)"])
    small = others(
        (10, "Emma (1996)", "tt0000001"), (11, "Emma (1996)", "tt0000002"), (12, "The Hero (1992)", "tt0000003")
    )
    linked = link_items(own, {SMALL: small})
    assert linked.outcomes == {SEVERAL: 3, NONE: 1}
    assert linked.items["tconst"].isna().all()


def test_a_title_taken_by_id_is_not_given_again():
    own = films(["Emma (1996)", "EMMA (1996)"])
    linked = link_items(own, {SMALL: others((1, "Emma (1996)", "tt0000001"))})
    assert linked.items["tconst"].tolist()[0] == "tt0000001"
    assert linked.outcomes == {BY_ID: 1, NONE: 1}


def test_links_of_the_ratings_own_source_are_kept_and_counted():
    own = films(["Heat (1995)", "Fargo (1996)"]).assign(tconst=["tt0000009", None])
    linked = link_items(own, {SMALL: others((1, "Heat (1995)", "tt0000001"))})
    assert linked.items["tconst"].tolist()[0] == "tt0000009"
    assert linked.outcomes == {NAMED: 1, NOT_NAMED: 1}
    assert link_items(own.drop(columns="tconst"), {}).outcomes == {}


@pytest.mark.parametrize("layout", ["1M", "10M"])
def test_a_set_without_links_is_linked_by_the_files_of_one_that_has_them(tmp_path, layout):
    own = read_movielens(write_folder(tmp_path / layout, LAYOUTS[layout]))["items"]
    other = read_movielens_items(write_folder(tmp_path / "20M", LAYOUTS["20M and later"]))["items"]
    linked = link_items(own.set_index("item_id"), {LARGE: other})
    assert linked.items["tconst"].tolist()[:2] == ["tt0113828", "tt12345678"]
    assert linked.outcomes == {f"same id, title and year as in {DATA_SETS[LARGE].title}": 2, NONE: 1}
