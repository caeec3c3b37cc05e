import pandas as pd
import pytest

from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.title_groups import group_titles

TOGETHER = [
    ["Godfather, The (1972)", "Godfather: Part II, The (1974)"],
    ["Star Wars (1977)", "Star Wars: Episode V - The Empire Strikes Back (1980)"],
    ["Alien (1979)", "Aliens (1986)", "Alien: Resurrection (1997)", "Alien 3 (1992)"],
    ["Batman (1989)", "Batman Returns (1992)", "Batman Forever (1995)", "Batman & Robin (1997)"],
    ["Sabrina (1954)", "Sabrina (1995)"],
    ["Terminator, The (1984)", "Terminator 2: Judgment Day (1991)"],
    ["Star Trek: First Contact (1996)", "Star Trek IV: The Voyage Home (1986)"],
    ["Free Willy (1993)", "Free Willy 2: The Adventure Home (1995)"],
    ["Nightmare on Elm Street, A (1984)", "Nightmare on Elm Street Part 2: Freddy's Revenge, A (1985)"],
]
APART = [
    ["Star Wars (1977)", "Star Trek: First Contact (1996)", "Stargate (1994)"],
    ["Seven (Se7en) (1995)", "Seven Years in Tibet (1997)"],
    ["Money Train (1995)", "Money Talks (1997)"],
    ["Big (1988)", "Big Sleep, The (1946)"],
    ["Toy Story (1995)", "Love Story (1970)"],
]


@pytest.mark.parametrize("titles", TOGETHER)
def test_sequels_remakes_and_other_versions_are_one_group(titles):
    assert len(set(group_titles(pd.Series(titles)))) == 1


@pytest.mark.parametrize("titles", APART)
def test_titles_that_only_share_a_word_are_apart(titles):
    assert group_titles(pd.Series(titles)).nunique() == len(titles)


def test_groups_of_movielens_are_small_and_keep_its_series_together():
    titles = load_data_set(DataSetConfig(name="movielens_100k"))["items"].drop_duplicates("title")["title"]
    groups = group_titles(titles)
    assert groups.index.equals(titles.index)
    assert groups.value_counts().max() <= 12
    for series, expected in (("Star Trek", 8), ("Batman ", 3), ("Free Willy", 3), ("Godfather", 2)):
        members = groups[titles.str.startswith(series)]
        assert len(members) >= expected, series
        assert len(set(members)) == 1, series
