import numpy as np
import pandas as pd
import pytest

from latentflix.data.items import (
    NUMBER,
    UNCOUNTED,
    are_counted,
    describe_items,
    index_table,
    number_items,
)
from latentflix.errors import DataError


def describe(table, **options):
    return describe_items(number_items(list(table.index)), table, **options)


def books(**columns):
    ids = [f"b{number}" for number in range(6)]
    return pd.DataFrame(columns, index=pd.Index(ids, name="source_id"))


def test_numbers_stay_what_they_are_and_names_are_counted_in_their_order():
    assert number_items(["10", "9", "0"]).to_dict() == {"0": 0, "9": 9, "10": 10}
    assert number_items(["b", "a", "9"]).to_dict() == {"9": 1, "a": 2, "b": 3}
    assert number_items(["007", "8"]).to_dict() == {"007": 1, "8": 2}
    assert number_items([str(2**40), "8"]).tolist() == [1, 2]
    assert number_items(["a"]).dtype == np.int32


def test_without_a_table_items_are_called_by_their_ids_and_count_alike():
    items = describe_items(number_items(["x", "y"]), None)
    assert items["title"].tolist() == ["x", "y"]
    assert items["ratings"].tolist() == [UNCOUNTED] * 2
    assert items["genres"].tolist() == [[], []]
    assert items["year"].isna().all()
    assert not are_counted(items)


def test_columns_of_known_names_are_what_they_are_called():
    table = books(
        title=["A", None, "C", "D", "E", "F"], year=[1990, None, 1992, 1, 2, 3], ratings=[5, 0, 1, 2, 3, None]
    )
    items = describe(table.assign(genres="War|Drama", mean_rating=3.5))
    assert items["title"].tolist()[:3] == ["A", "b1", "C"]
    assert items["year"].tolist()[0] == 1990
    assert items["ratings"].tolist() == [5, 0, 1, 2, 3, 0]
    assert items["genres"].tolist()[0] == ["War", "Drama"]
    assert items["mean_rating"].tolist() == [3.5] * 6
    assert are_counted(items)


def test_words_become_categories_under_the_name_of_their_column_if_there_are_several():
    author, shelf = ["Ann", "Bob"] * 3, [["a", "b"], ["a"], [], ["b"], ["b"], ["a"]]
    assert describe(books(author=author))["genres"].tolist()[:2] == [["Ann"], ["Bob"]]
    both = describe(books(author=author, shelf=shelf))["genres"].tolist()
    assert both[0] == ["author: Ann", "shelf: a", "shelf: b"]
    assert both[2] == ["author: Ann"]


def test_numbers_truth_values_and_dates_become_numbers():
    items = describe(
        books(
            pages=[100, 200, None, 1, 2, 3],
            signed=[True, False] * 3,
            out=["2000-01-01", "2001-07-02", None, "2000-01-01", "2000-01-01", "2000-01-01"],
        )
    )
    assert items[f"{NUMBER}pages"].tolist()[:2] == [100, 200]
    assert items[f"{NUMBER}signed"].tolist()[:2] == [1, 0]
    assert items[f"{NUMBER}out"].tolist()[:2] == pytest.approx([2000, 2001.5], abs=0.01)
    assert items[[f"{NUMBER}pages", f"{NUMBER}out"]].isna().sum().tolist() == [1, 1]
    assert items["genres"].tolist() == [[]] * 6


@pytest.mark.parametrize(
    "column",
    [["a", "b", "c", "d", "e", "f"], ["same"] * 6, [1, 1, 1, 1, 1, 1], [None] * 6],
    ids=["one for each item", "one category", "one number", "empty"],
)
def test_a_column_that_says_nothing_of_items_is_left_out(column):
    items = describe(books(other=column))
    assert items["genres"].tolist() == [[]] * 6
    assert [name for name in items if name.startswith(NUMBER)] == []


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("year", ["x"] + [1990] * 5, "a value is not a number; where: items, column year; 1 such rows; found: 'x'"),
        ("ratings", [-1] + [1] * 5, "a count is negative; where: items, column ratings; found: -1"),
        ("mean_rating", [np.inf] + [1] * 5, "a value is not a number; where: items, column mean_rating"),
    ],
)
def test_a_column_that_is_not_what_its_name_says_is_refused(column, values, message):
    with pytest.raises(DataError, match=message):
        describe(books(**{column: values}))


def test_an_id_that_occurs_twice_is_refused():
    with pytest.raises(
        DataError, match="an id occurs twice; where: items; found: 7; 1 such ids; expected: one row for"
    ):
        index_table(pd.DataFrame({"id": [7, 7.0, 8], "title": "x"}), "id", "items")


@pytest.mark.parametrize("dates", [["2004-07-02", "2005-07-02"] * 3, [20040702, 20050702] * 3])
def test_dates_in_words_or_digits_become_years(dates):
    described = describe(books(released=dates))
    assert described[f"{NUMBER}released"].round(1).tolist() == [2004.5, 2005.5] * 3


def test_years_stay_the_numbers_they_are_and_the_year_1_is_one():
    described = describe(books(made=[2004, 2005] * 3, old=["0001-01-01T00:00:00+02:00", "2004-01-01"] * 3))
    assert described[f"{NUMBER}made"].tolist() == [2004, 2005] * 3
    assert described[f"{NUMBER}old"].round().tolist() == [1, 2004] * 3
