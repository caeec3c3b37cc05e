"""Items of one's own, as any recommender has them: their ids, titles, and whatever else a table says of them."""

from collections.abc import Hashable, Sequence
from itertools import chain

import numpy as np
import pandas as pd
from pandas.api.types import is_list_like, is_numeric_dtype

from latentflix.data.dates import are_dates, parse_dates
from latentflix.data.ids import plain_ids, require_unique
from latentflix.errors import DataError

# What the names of the columns of further numbers begin with.
NUMBER = "number_"
# The count of an item whose number of users is unknown: the largest there is, so that no threshold leaves the item out
# and all such items weigh the same.
UNCOUNTED = np.iinfo(np.int32).max
SEPARATOR = "|"
COUNT, MEAN = "ratings", "mean_rating"
# A column of more categories identifies items rather than describing them.
_MOST_CATEGORIES = 200
_LARGEST_ID = np.iinfo(np.int32).max


def number_items(ids: Sequence[str]) -> pd.Series:
    """Give each item a number: int32, index the sorted ids.

    Ids that are all whole numbers without leading zeros keep their value; others are counted from 1.
    """
    numeric = all(each.isdecimal() and str(int(each)) == each and int(each) <= _LARGEST_ID for each in ids)
    ordered = sorted(ids, key=int) if numeric else sorted(ids)
    numbers = [int(each) for each in ordered] if numeric else range(1, len(ordered) + 1)
    return pd.Series(np.array(numbers, np.int32), pd.Index(ordered, name="source_id", dtype="str"), name="item_id")


def index_table(table: pd.DataFrame, id_column: str, where: str) -> pd.DataFrame:
    """Make the column of ids the index of a table, as text. Raises DataError if an id is missing or occurs twice."""
    ids = plain_ids(table[id_column], where)
    require_unique(ids, where)
    return table.drop(columns=id_column).set_axis(pd.Index(ids, name="source_id", dtype="str"))


def describe_items(numbers: pd.Series, table: pd.DataFrame | None, where: str = "items") -> pd.DataFrame:
    """Describe items by the rows of a table: index item_id, with the columns of `Ratings.items`, and further ones.

    Of the table's columns, `title`, `year`, `genres`, `ratings` (how many users an item has) and `mean_rating` are what
    they are called; the others are what `read_metadata` makes of them. An item without a row, or a title, is called by
    its id.

    Args:
        numbers: item_id, index the id in the source, as `number_items` returns it.
        table: index the id in the source.
        where: what errors call the table.

    Raises:
        DataError: a column is not what its name says.
    """
    table = pd.DataFrame(index=numbers.index) if table is None else table.reindex(numbers.index)
    index = pd.Index(numbers.to_numpy(), name="item_id")
    title = table.get("title", pd.Series(pd.NA, table.index)).astype("object")
    described = {
        "title": title.where(title.notna(), table.index.to_series()).astype("str").to_numpy(),
        "year": _numbers(table, "year", where).round().astype("Int16").array,
        "ratings": _counts(table, where),
        "source_id": table.index.astype("str"),
    }
    genres = table.get("genres")
    others = table.drop(columns=["title", "year", "genres", COUNT, MEAN], errors="ignore")
    described["genres"], numbers = read_metadata(others, genres)
    described |= numbers
    if MEAN in table:
        described[MEAN] = _numbers(table, MEAN, where).astype("float64").array
    return pd.DataFrame(described, index=index)


def read_metadata(
    table: pd.DataFrame, genres: pd.Series | None = None
) -> tuple[list[list[str]], dict[str, np.ndarray]]:
    """Read what columns say of items: the categories of each, and float64 (items,) by names that begin with NUMBER.

    Numbers, truth values and dates (as years) become numbers. Words become categories, several of one item separated by
    a bar, under the name of their column if there are several such columns. A column of more than 200 categories, or of
    one for every second item or more, or without two values, says nothing and is left out.

    genres: a column of categories that need no name.
    """
    words = [name for name in table if not _is_number(table[name]) and _are_categories(table[name])]
    numbers = {
        f"{NUMBER}{name}": _as_number(table[name])
        for name in table
        if _is_number(table[name]) and table[name].nunique() >= 2
    }
    categories = [] if genres is None else [_categories(genres, "")]
    named = len(words) + len(categories) > 1
    categories += [_categories(table[name], f"{name}: " if named else "") for name in words]
    merged = [list(chain(*of_one)) for of_one in zip(*categories, strict=True)]
    return merged or [[] for _ in range(len(table))], numbers


def category_flags(genres: pd.Series) -> pd.DataFrame:
    """Which item is filed under which category: bool, one column per category, in the order of the items.

    genres: index item_id; the list of each item.
    """
    flags = pd.get_dummies(genres.explode()).groupby(level=0).max()
    return flags.reindex(genres.index)


def are_counted(items: pd.DataFrame) -> bool:
    """Whether it is known how many users the items have."""
    return bool((items["ratings"] < UNCOUNTED).any())


def _counts(table: pd.DataFrame, where: str) -> np.ndarray:
    if COUNT not in table:
        return np.full(len(table), UNCOUNTED, np.int32)
    counts = _numbers(table, COUNT, where).fillna(0)
    if (counts < 0).any():
        raise DataError(
            "a count is negative", where=f"{where}, column {COUNT}", found=f"{counts.min():g}", expected="0 or more"
        )
    return counts.clip(upper=UNCOUNTED - 1).round().to_numpy(np.int32)


def _numbers(table: pd.DataFrame, name: str, where: str) -> pd.Series:
    if name not in table:
        return pd.Series(np.nan, table.index)
    numbers = pd.to_numeric(table[name], errors="coerce").astype("Float64")
    wrong = numbers.isna() & table[name].notna() | np.isinf(numbers.fillna(0).astype(float))
    if wrong.any():
        raise DataError(
            "a value is not a number",
            where=f"{where}, column {name}; {int(wrong.sum()):,} such rows",
            found=repr(table.loc[wrong, name].iloc[0]),
            expected="a number, or nothing",
            hint="correct the column, or give it another name",
        )
    return numbers


def _is_number(column: pd.Series) -> bool:
    return is_numeric_dtype(column) or are_dates(column)


def _as_number(column: pd.Series) -> np.ndarray:
    """Numbers as they are, truth values as 0 and 1, dates (20040503 too) as years with decimals: float64."""
    if not are_dates(column):
        values = column.astype("Float64").to_numpy(np.float64, na_value=np.nan)
        return np.where(np.isinf(values), np.nan, values)
    dates = parse_dates(column)
    return (dates.dt.year + (dates.dt.dayofyear - 1) / 365.25).to_numpy(np.float64)


def _are_categories(column: pd.Series) -> bool:
    values = {value for of_one in _categories(column, "") for value in of_one}
    return 1 < len(values) <= min(_MOST_CATEGORIES, column.notna().sum() / 2)


def _categories(column: pd.Series, prefix: str) -> list[list[str]]:
    return [[f"{prefix}{name}" for name in _split(value)] for value in column]


def _split(value: Hashable) -> list[str]:
    if is_list_like(value):
        return [str(each).strip() for each in value if str(each).strip()]  # type: ignore[attr-defined]
    parts = [] if pd.isna(value) else str(value).split(SEPARATOR)
    return [part.strip() for part in parts if part.strip()]
