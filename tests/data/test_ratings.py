import numpy as np
import pandas as pd
import pytest

from latentflix.data.movielens import rating_scale
from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.errors import DataError

COLUMNS = ["user_id", "item_id", "rating", "timestamp"]


def some_ratings(*rows):
    return pd.DataFrame(rows or [(1, 1, 3, 10), (2, 1, 4, 11), (1, 2, 5, 12)], columns=COLUMNS)


def some_items(*titles, **more):
    titles = titles or ("Emma (1996)", "Heat (1995)", "Fargo (1996)", "Alien (1979)")
    return pd.DataFrame({"item_id": range(1, len(titles) + 1), "title": titles, "genres": ""} | more)


def put(table, row, column, value):
    table = table.astype(object)
    table.loc[row, column] = value
    return table


def complaint(ratings, items, config=None):
    with pytest.raises(DataError) as caught:
        read_ratings(ratings, items, config or RatingsConfig(), rating_scale(1, 5))
    return str(caught.value)


def test_ratings_items_and_users_are_read():
    items = some_items("Emma (1996)", "Heat (1995)", "Fargo (1996)", genres=["Drama|Romance", "Crime", " Crime |"])
    read = read_ratings(some_ratings((2, 1, 4, 11), (1, 2, 5, 12), (1, 1, 3, 10)), items, RatingsConfig())
    pd.testing.assert_frame_equal(
        read.ratings, some_ratings((1, 1, 3, 10), (1, 2, 5, 12), (2, 1, 4, 11)), check_dtype=False
    )
    assert read.items.to_dict("index") == {
        1: {"title": "Emma (1996)", "year": 1996, "genres": ["Drama", "Romance"], "ratings": 2},
        2: {"title": "Heat (1995)", "year": 1995, "genres": ["Crime"], "ratings": 1},
        3: {"title": "Fargo (1996)", "year": 1996, "genres": ["Crime"], "ratings": 0},
    }
    assert read.users.to_dict("index") == {1: {"ratings": 2}, 2: {"ratings": 1}}
    assert (read.merged, read.lowest, read.highest) == (0, 3, 5)


def test_numbers_written_as_text_are_numbers():
    read = read_ratings(some_ratings(("1", "2", "4.5", "10"), ("2", "1", "3", "11")), some_items(), RatingsConfig())
    assert read.ratings.to_numpy().tolist() == [[1, 2, 4.5, 10], [2, 1, 3, 11]]


@pytest.mark.parametrize("titles", [("Emma (1996)", "Heat (1995)"), ("Emma (1996)", "unknown")])
def test_ratings_and_items_have_the_documented_types(movielens, titles):
    assert movielens.ratings.dtypes.astype(str).tolist() == ["int32", "int32", "float32", "int64"]
    items = read_ratings(some_ratings(), some_items(*titles), RatingsConfig()).items
    assert items.index.name == "item_id"
    assert items.index.dtype == "int32"
    types = {"title": "str", "year": "Int16", "genres": "object", "ratings": "int32"}
    assert items.dtypes.astype(str).to_dict() == types
    linked = read_ratings(some_ratings(), some_items(*titles, tconst=["tt1", None]), RatingsConfig()).items
    assert linked.dtypes.astype(str).to_dict() == types | {"tconst": "str"}


@pytest.mark.parametrize(
    ("title", "year"),
    [("Emma (1996)", 1996), ("Land Before Time III (1995) (V)", 1995), ("2001 (no year)", None), ("unknown", None)],
)
def test_the_year_is_the_one_in_brackets(title, year):
    found = read_ratings(some_ratings(), some_items(title, "Heat (1995)"), RatingsConfig()).items["year"].iloc[0]
    assert pd.isna(found) if year is None else found == year


def test_the_input_is_not_changed():
    ratings, items = some_ratings(), some_items("Emma (1996)", "Heat (1995)", "Emma (1996)")
    ratings_before, items_before = ratings.copy(), items.copy()
    read_ratings(ratings, items, RatingsConfig())
    pd.testing.assert_frame_equal(ratings, ratings_before)
    pd.testing.assert_frame_equal(items, items_before)


@pytest.mark.parametrize(
    ("table", "column"),
    [("ratings", name) for name in COLUMNS] + [("items", name) for name in ("item_id", "title", "genres")],
)
def test_a_missing_column_is_named(table, column):
    tables = {"ratings": some_ratings(), "items": some_items()}
    expected = ", ".join(tables[table])
    tables[table] = tables[table].drop(columns=column)
    found = ", ".join(tables[table])
    message = complaint(**tables)
    assert message == f"columns are missing from the {table}; where: {column}; found: {found}; expected: {expected}"


@pytest.mark.parametrize(
    ("ratings", "items", "expected"),
    [
        (some_ratings().head(0), some_items(), "there are no ratings; found: 0 rows; expected: at least one row"),
        (
            some_ratings((7, 1, 3, 10), (8, 1, 3, 10), (7, 1, 4, 99)),
            some_items(),
            "a user rates an item twice; where: row 2 (counting from 0), column user_id and item_id; 1 such rows; "
            "found: 7 and 1; expected: one rating each",
        ),
        (
            some_ratings((1, 1, 3, 10), (1, 99, 3, 10)),
            some_items(),
            "a rating is of an item that is not among the items; where: row 1 (counting from 0), column item_id; "
            "1 such rows; found: 99; expected: a known item_id; what to do: correct or remove these rows",
        ),
        (some_ratings(), some_items().head(0), "a rating is of an item that is not among the items"),
        (
            some_ratings(),
            some_items(item_id=[1, 2, 1, 4]),
            "two items have one id; where: row 2 (counting from 0), column item_id; 1 such rows",
        ),
    ],
    ids=["no ratings", "an item rated twice", "an unknown item", "no items", "two items with one id"],
)
def test_tables_that_cannot_be_used_are_refused(ratings, items, expected):
    assert complaint(ratings, items).startswith(expected)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    ("value", "found"), [("four", "'four'"), (np.nan, "nan"), (None, "None"), ("", "''"), (np.inf, "inf")]
)
def test_what_is_not_a_number_is_named(column, value, found):
    message = complaint(put(some_ratings(), 1, column, value), some_items())
    assert message == (
        f"{column} is not a number; where: row 1 (counting from 0), column {column}; 1 such rows; "
        f"found: {found}; expected: a number; what to do: correct or remove these rows"
    )


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("ratings", name, value) for name in ("user_id", "item_id", "timestamp") for value in (1.5, 1e30, -1e30, np.inf)]
    + [("ratings", "user_id", 2**32 + 1), ("ratings", "item_id", 2**32 + 1)]
    + [("items", "item_id", value) for value in ("x", None, 1.5)],
)
def test_an_id_or_time_that_is_not_a_whole_number_of_its_size_is_named(table, column, value):
    tables = {"ratings": some_ratings(), "items": some_items()}
    message = complaint(**tables | {table: put(tables[table], 1, column, value)})
    assert f"row 1 (counting from 0), column {column}" in message
    assert f"found: {value!r}" in message


@pytest.mark.parametrize("rating", [0, 0.99, 5.01, 6, -3])
def test_a_rating_outside_the_scale_is_refused(rating):
    message = complaint(put(some_ratings(), 2, "rating", rating), some_items())
    assert message.startswith("a rating lies outside the scale; where: row 2 (counting from 0), column rating; 1 such")
    # As it was written, not as the float32 that it becomes.
    assert f"found: {rating}; expected: 1 to 5" in message


def test_the_scale_is_what_the_settings_say():
    ratings = some_ratings((1, 1, 0.5, 10), (2, 2, 10, 11))
    read = read_ratings(ratings, some_items(), RatingsConfig(lowest=0.5, highest=10), rating_scale(1, 5))
    assert list(read.ratings["rating"]) == [0.5, 10]
    assert (read.lowest, read.highest) == (0.5, 10)
    assert "expected: 0.5 to 9" in complaint(ratings, some_items(), RatingsConfig(lowest=0.5, highest=9))
    assert "expected: 0.5 to 5" in complaint(ratings, some_items(), RatingsConfig(lowest=0.5))


@pytest.mark.parametrize(
    ("scale", "bounds"),
    [(rating_scale(1, 5), (1, 5)), (rating_scale(0.5, 5), (0.5, 5)), (None, (3, 5))],
    ids=["1", "0.5", "found"],
)
def test_the_scale_is_that_of_the_source_unless_the_settings_say_one(scale, bounds):
    read = read_ratings(some_ratings(), some_items(), RatingsConfig(), scale)
    assert (read.lowest, read.highest) == bounds


def test_a_rating_on_a_bound_that_float32_rounds_is_accepted():
    ratings = some_ratings((1, 1, 0.7, 10), (2, 2, 4.1, 11))
    assert read_ratings(ratings, some_items(), RatingsConfig(lowest=0.7, highest=4.1)).lowest == 0.7


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([(7, 1, 3, 10), (7, 2, 4, 11)], "all ratings are of one user; found: 2 ratings with user_id 7"),
        ([(7, 2, 3, 10), (8, 2, 4, 11)], "all ratings are of one item; found: 2 ratings with item_id 2"),
        ([(7, 1, 3, 10), (8, 2, 3, 11)], "all ratings are of one value; found: 2 ratings with rating 3"),
    ],
    ids=["user", "item", "value"],
)
def test_ratings_of_only_one_user_item_or_value_are_refused(rows, found):
    assert complaint(some_ratings(*rows), some_items()).startswith(
        f"{found}; expected: at least two users, two items and two different ratings"
    )
    # Merged items are one item.
    message = complaint(some_ratings((7, 1, 3, 10), (8, 2, 4, 11)), some_items("Emma (1996)", "Emma (1996)"))
    assert message.startswith("all ratings are of one item")


def test_bad_rows_are_counted_by_place_not_by_index():
    ratings = some_ratings((1, 1, 3, 10), (2, 1, 9, 10), (3, 1, 9, 10))
    ratings.index = pd.Index([50, 50, 50])
    message = complaint(ratings, some_items())
    assert "row 1 (counting from 0), column rating; 2 such rows" in message


@pytest.mark.parametrize("title", [None, np.nan, "", "   ", 7], ids=repr)
def test_an_item_without_a_title_is_refused(title):
    message = complaint(some_ratings(), put(some_items(), 1, "title", title))
    assert message.startswith("an item has no title; where: row 1 (counting from 0), column title; 1 such rows")


def test_items_with_the_same_title_are_merged_under_the_lower_id():
    items = some_items("Heat (1995)", "Emma (1996)", "Emma (1996) ").iloc[::-1]
    read = read_ratings(some_ratings((1, 3, 4, 10), (2, 2, 5, 11), (3, 1, 1, 12)), items, RatingsConfig())
    assert read.items[["title", "ratings"]].to_numpy().tolist() == [["Heat (1995)", 1], ["Emma (1996)", 2]]
    assert list(read.items.index) == [1, 2]
    assert read.ratings[["user_id", "item_id"]].to_numpy().tolist() == [[1, 2], [2, 2], [3, 1]]
    assert read.merged == 1


@pytest.mark.parametrize("rows", [[(1, 1, 2, 10), (1, 2, 5, 20)], [(1, 2, 5, 20), (1, 1, 2, 10)]])
def test_the_later_of_two_ratings_of_a_merged_item_is_kept(rows):
    rows = [*rows, (2, 3, 4, 10)]
    read = read_ratings(some_ratings(*rows), some_items("Emma (1996)", "Emma (1996)", "Heat (1995)"), RatingsConfig())
    assert read.ratings.to_numpy().tolist() == [[1, 1, 5, 20], [2, 3, 4, 10]]


@pytest.mark.parametrize(
    ("tconst", "merged", "kept"),
    [
        (["tt1", "tt1", "tt3"], 1, {1: "tt1", 3: "tt3"}),
        ([None, "tt1", None], 1, {1: "tt1", 3: None}),
        (["tt1", "tt2", "tt3"], 0, {1: "tt1", 2: "tt2", 3: "tt3"}),
    ],
    ids=["one IMDb id", "one known", "two IMDb ids"],
)
def test_items_with_the_same_title_are_merged_unless_their_imdb_ids_differ(tconst, merged, kept):
    items = some_items("Emma (1996)", "Emma (1996)", "Heat (1995)", tconst=tconst)
    read = read_ratings(some_ratings((1, 1, 3, 10), (2, 2, 4, 11), (2, 3, 5, 12)), items, RatingsConfig())
    assert read.merged == merged
    assert {item: given if isinstance(given, str) else None for item, given in read.items["tconst"].items()} == kept


def test_items_are_not_merged_if_the_settings_say_so():
    items = some_items("Emma (1996)", "Emma (1996)", "Heat (1995)")
    read = read_ratings(some_ratings(), items, RatingsConfig(merge_titles=False))
    assert (read.merged, list(read.items.index), list(read.ratings["item_id"])) == (0, [1, 2, 3], [1, 2, 1])


def test_a_rating_keeps_its_official_fold():
    ratings = some_ratings((2, 1, 4, 11), (1, 2, 5, 12), (1, 1, 3, 10)).assign(official_fold=[1, 0, 5])
    folds = read_ratings(ratings, some_items(), RatingsConfig()).ratings["official_fold"]
    assert folds.dtype == "int8"
    assert folds.to_list() == [5, 0, 1]


def test_ids_that_are_categories_are_numbered_in_order():
    ratings = some_ratings(("bob", "x", 4, 11), ("ann", "y", 5, 12)).astype(
        {"user_id": "category", "item_id": "category"}
    )
    items = some_items("Heat", "Fargo", "Emma", item_id=["y", "w", "x"]).astype({"item_id": "category"})
    read = read_ratings(ratings, items, RatingsConfig())
    assert read.ratings[["user_id", "item_id"]].to_numpy().tolist() == [[1, 3], [2, 2]]
    assert read.items["source_id"].to_dict() == {1: "w", 2: "x", 3: "y"}
    assert read.items["title"].to_dict() == {1: "Fargo", 2: "Emma", 3: "Heat"}
    assert read.users["source_id"].to_dict() == {1: "ann", 2: "bob"}


@pytest.mark.parametrize("genres", [None, np.nan, "", "|"], ids=repr)
def test_an_item_may_have_no_genre(genres):
    items = read_ratings(some_ratings(), put(some_items(), 0, "genres", genres), RatingsConfig()).items
    assert items.loc[1, "genres"] == []


def test_eighteen_items_of_movielens_are_merged_and_their_ratings_counted(movielens, movielens_tables):
    items = movielens.items
    assert (movielens.merged, len(items)) == (18, 1664)
    assert set(items["title"]) == set(movielens_tables["items"]["title"].str.strip())
    assert items["title"].is_unique
    assert items.loc[246, "title"] == "Chasing Amy (1997)"
    assert 268 not in items.index
    assert items["ratings"].sum() == len(movielens.ratings)
    assert items.loc[50, ["title", "ratings"]].to_list() == ["Star Wars (1977)", 583]
    assert items["year"].isna().sum() == 1


def test_every_movielens_rating_is_kept_unless_there_is_a_later_one(movielens, movielens_tables):
    title = movielens_tables["items"].set_index("item_id")["title"].str.strip()
    before = movielens_tables["ratings"].assign(title=lambda table: table["item_id"].map(title))
    expected = before.sort_values("timestamp").groupby(["user_id", "title"]).last()["timestamp"]
    after = movielens.ratings.assign(title=lambda table: table["item_id"].map(movielens.items["title"]))
    found = after.set_index(["user_id", "title"])["timestamp"].sort_index()
    assert len(found) == 99_693
    assert found.to_dict() == expected.to_dict()


def some_interactions(*rows):
    return pd.DataFrame(rows, columns=["user_id", "item_id", "count", "timestamp"])


def test_interactions_of_a_user_and_an_item_are_added_up_at_the_latest_time_and_have_no_scale():
    rows = some_interactions((2, 1, 1, 11), (1, 2, 2.5, 12), (1, 1, 3, 10), (1, 2, 1, 9), (2, 1, 1, 30))
    read = read_ratings(rows, some_items(), RatingsConfig())
    pd.testing.assert_frame_equal(
        read.ratings, some_ratings((1, 1, 3, 10), (1, 2, 3.5, 12), (2, 1, 2, 30)), check_dtype=False
    )
    assert read.ratings.dtypes.astype(str).tolist() == ["int32", "int32", "float32", "int64"]
    assert (read.interactions, read.lowest, read.highest, read.added_up, read.left_out) == (True, None, None, 2, 0)
    assert read.items["ratings"].tolist() == [2, 1, 0, 0]
    assert read.users["ratings"].tolist() == [2, 1]


def test_interactions_with_items_that_are_merged_are_added_up_too():
    rows = some_interactions((1, 1, 1, 10), (1, 3, 4, 12), (2, 2, 1, 9))
    read = read_ratings(rows, some_items("Emma (1996)", "Heat (1995)", "Emma (1996)"), RatingsConfig())
    assert read.ratings.to_numpy().tolist() == [[1, 1, 5, 12], [2, 2, 1, 9]]
    assert (read.merged, read.added_up) == (1, 1)


def test_interactions_may_all_have_one_count():
    read = read_ratings(some_interactions((1, 1, 1, 0), (2, 2, 1, 0)), some_items(), RatingsConfig())
    assert read.ratings["rating"].tolist() == [1, 1]


@pytest.mark.parametrize("count", [-1, 0, 1e39, 2e9])
def test_a_count_out_of_bounds_is_named(count):
    rows = some_interactions((1, 1, 1, 0), (2, 2, float(count), 0))
    assert complaint(rows, some_items()) == (
        "a count of interactions cannot be used; where: row 1 (counting from 0), column count; 1 such rows; "
        f"found: {float(count)!r}; expected: a number above 0, up to 1,000,000,000; "
        "what to do: correct or remove these rows"
    )


@pytest.mark.parametrize("count", [np.nan, np.inf, "many"])
def test_a_count_that_is_not_a_number_is_named(count):
    rows = put(some_interactions((1, 1, 1, 0), (2, 2, 1, 0)), 1, "count", count)
    assert complaint(rows, some_items()).startswith("count is not a number; where: row 1 (counting from 0)")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), "there are no interactions; found: 0 rows"),
        (((1, 1, 1, 0), (1, 2, 1, 0)), "all interactions are of one user; found: 2 interactions with user_id 1"),
        (((1, 1, 1, 0), (2, 1, 1, 0)), "all interactions are of one item; found: 2 interactions with item_id 1"),
        (((1, 1, 1, 0), (1, 99, 1, 0)), "an interaction is of an item that is not among the items; where: row 1"),
    ],
)
def test_interactions_that_cannot_be_used_are_not_called_ratings(rows, expected):
    message = complaint(some_interactions(*rows), some_items())
    assert message.startswith(expected)
    assert "rating" not in message


LIKED = some_ratings((1, 1, 5, 10), (1, 2, 4, 11), (2, 1, 4, 12), (2, 3, 3, 13), (3, 3, 1, 14))


def test_ratings_from_a_value_on_become_likes_and_the_others_are_left_out():
    read = read_ratings(LIKED, some_items(), RatingsConfig(likes_from=4), rating_scale(1, 5))
    assert read.ratings.to_numpy().tolist() == [[1, 1, 1, 10], [1, 2, 1, 11], [2, 1, 1, 12]]
    assert (read.interactions, read.lowest, read.highest, read.added_up, read.left_out) == (True, None, None, 0, 2)
    assert read.items["ratings"].tolist() == [2, 1, 0, 0]
    assert read.users["ratings"].to_dict() == {1: 2, 2: 1}


@pytest.mark.parametrize(
    ("likes_from", "expected"),
    [
        (5, "all interactions are of one user"),
        (6, "no rating is a like; where: --ratings.likes-from; found: 6; expected: at most 5, the highest rating"),
    ],
)
def test_too_few_likes_are_refused(likes_from, expected):
    assert complaint(LIKED, some_items(), RatingsConfig(likes_from=likes_from)).startswith(expected)


def test_ratings_are_checked_before_they_become_likes():
    assert complaint(put(LIKED, 3, "rating", 7), some_items(), RatingsConfig(likes_from=4)).startswith(
        "a rating lies outside the scale"
    )
