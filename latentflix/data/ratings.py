"""Ratings or interactions, items and users, checked, with one id for each item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.items import NUMBER
from latentflix.data.movielens import GENRE_SEPARATOR, RATING_TYPES
from latentflix.data.tables import require_columns
from latentflix.data.users import add_user_columns
from latentflix.errors import DataError

COUNT = "count"
# In 32-bit numbers, a larger count drowns all others.
_GREATEST_COUNT = 1e9


class RatingsConfig(StageConfig):
    """What counts as a rating, and which items are one."""

    lowest: float | None = setting(None, "the lowest rating of the scale; not given: that of the source", unit="stars")
    highest: float | None = setting(
        None, "the highest rating of the scale; not given: that of the source", unit="stars"
    )
    likes_from: float | None = setting(
        None,
        "turns ratings into likes: those from here on count as interactions, and the others are left out",
        unit="stars",
    )
    merge_titles: bool = setting(True, "merge items with the same title unless their IMDb ids differ")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.lowest is not None and self.highest is not None and not self.lowest < self.highest:
            raise ValueError(f"the lowest rating, {self.lowest:g}, is not below the highest, {self.highest:g}")
        return self


@dataclass(frozen=True)
class Ratings:
    """Ratings or interactions, with the items and users that they name, and the scale.

    Attributes:
        ratings: user_id int32, item_id int32, rating float32, timestamp int64, and official_fold int8 if the source has
            official splits; one row per user and item, sorted by both. For interactions rating is their count.
        items: index item_id; title str, year Int16, genres list of str, ratings int32 (how many), and if the source has
            them tconst str (nullable) and source_id str, its own id if that is not a number.
        users: index user_id; ratings int32, source_id str as for items, and if the source says who its users are what
            `add_user_columns` adds.
        item_ids: index the id that an item has in the source, int32, or str if that is not a number; the item_id int32
            of the item that it is here, or was merged into.
        interactions: whether these are interactions, likes among them; they have no scale.
        lowest, highest: the ends of the scale; None without ratings.
        merged: how many items were merged into another.
        added_up: how many rows of interactions were added to another of the same user and item.
        left_out: how many ratings were below `likes_from`.
    """

    ratings: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    item_ids: pd.Series
    interactions: bool
    lowest: float | None
    highest: float | None
    merged: int
    added_up: int
    left_out: int


def without_ratings(items: pd.DataFrame) -> Ratings:
    """Items without any ratings. items: as `describe_items` returns them."""
    none = {name: np.zeros(0, dtype) for name, dtype in RATING_TYPES.items()}
    users = pd.DataFrame({"ratings": np.zeros(0, np.int32)}, index=pd.Index([], name="user_id", dtype="int32"))
    own = pd.Index(items["source_id"], name="source_id")
    item_ids = pd.Series(items.index.to_numpy(np.int32), own, name="item_id")
    return Ratings(pd.DataFrame(none), items, users, item_ids, False, None, None, merged=0, added_up=0, left_out=0)


def read_ratings(
    ratings: pd.DataFrame,
    items: pd.DataFrame,
    config: RatingsConfig,
    scale: pd.DataFrame | None = None,
    described: pd.DataFrame | None = None,
) -> Ratings:
    """Check ratings and items as `read_movielens` or `load_ratings_source` return them, and merge items.

    Ids that are categories are numbered from 1 in their order. Items with the same title are merged, under the lowest
    of their ids, unless their IMDb ids differ; if a user rated several of them, the latest rating is kept. Without a
    scale it is from the lowest to the highest rating. With a column `count` instead of `rating` these are interactions:
    all rows of a user and an item are added up, at the latest of their times. Ratings become interactions, each with
    the count 1, by `likes_from`. described: what the source says of users, if anything.
    Raises DataError if a row cannot be used (the first is named), if there are fewer than two users, items or
    different ratings, or as `add_user_columns` does.
    """
    counted = COUNT in ratings
    what, one = ("interactions", "an interaction") if counted else ("ratings", "a rating")
    value = COUNT if counted else "rating"
    require_columns(f"the {what}", ratings.columns, ["user_id", "item_id", value, "timestamp"])
    if ratings.empty:
        raise DataError(f"there are no {what}", found="0 rows", expected="at least one row")
    items = _check_items(items)
    user_id, user_names = _number(ratings["user_id"])
    item_rows = _find_items(ratings["item_id"], items, one)
    table = {"user_id": user_id, "item_id": items.index.to_numpy()[item_rows]}
    table["rating"] = _numbers(ratings[value], RATING_TYPES["rating"])
    table["timestamp"] = _numbers(ratings["timestamp"], RATING_TYPES["timestamp"])
    if "official_fold" in ratings:
        table["official_fold"] = ratings["official_fold"].to_numpy("int8")
    ends: tuple[float | None, float | None] = (None, None)
    if counted:
        _check_counts(ratings[COUNT], table["rating"])
    else:
        ends = _check_scale(ratings["rating"], table["rating"], config, scale)
        _check_pairs(ratings, table)
    merged_into = items.index.to_series().groupby(_item_keys(items, config), sort=False).transform("min")
    table["item_id"] = merged_into.to_numpy("int32")[item_rows]
    del item_rows
    kept = each_pair = _add_up(table) if counted else _keep_latest(table)
    if config.likes_from is not None:
        kept, ends = _keep_likes(each_pair, config.likes_from), (None, None)
    interactions = counted or config.likes_from is not None
    _check_variety(kept, interactions=interactions)
    users = kept["user_id"].value_counts().sort_index().astype("int32").to_frame("ratings")
    if user_names is not None:
        users["source_id"] = user_names[users.index - 1].astype("str")
    return Ratings(
        kept,
        _merge_items(items, merged_into, kept["item_id"]),
        users if described is None else add_user_columns(users, described),
        _item_ids(items, merged_into),
        interactions,
        *ends,
        merged=int((merged_into != items.index).sum()),
        added_up=len(ratings) - len(each_pair) if counted else 0,
        left_out=len(each_pair) - len(kept),
    )


def _check_items(items: pd.DataFrame) -> pd.DataFrame:
    require_columns("the items", items.columns, ["item_id", "title", "genres"])
    item_id, names = _number(items["item_id"])
    _reject([items["item_id"]], pd.Series(item_id).duplicated(), "two items have one id", "one row per item")
    genres = [value.split(GENRE_SEPARATOR) if isinstance(value, str) else [] for value in items["genres"]]
    title = items["title"].where(items["title"].map(lambda value: isinstance(value, str)), "").str.strip()
    _reject([items["title"]], title == "", "an item has no title", "a title")
    checked = pd.DataFrame(
        {
            "title": title.array,
            "year": pd.to_numeric(title.str.extract(r"\((\d{4})\)")[0]).astype("Int16").array,
            "genres": [[name.strip() for name in names if name.strip()] for names in genres],
        },
        index=pd.Index(item_id, name="item_id"),
    )
    if "tconst" in items:
        checked["tconst"] = items["tconst"].astype("str").array
    numbers = items[items.columns[items.columns.str.startswith(NUMBER)]].set_axis(checked.index)
    checked = pd.concat([checked, numbers], axis="columns")
    if names is not None:
        checked["source_id"] = names[item_id - 1].astype("str")
    return checked


def _number(column: pd.Series) -> tuple[np.ndarray, pd.Index | None]:
    """Ids as int32; for categories also the category that each number, counting from 1, stands for."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return _numbers(column, "int32"), None
    _reject([column], column.isna(), f"{column.name} is missing", "an id")
    names = column.cat.categories.sort_values()
    numbers = names.get_indexer(column.cat.categories).astype(np.int32) + 1
    return numbers[column.cat.codes], names


def _find_items(item_id: pd.Series, items: pd.DataFrame, one: str) -> np.ndarray:
    """The row in `items` of the item of each rating or interaction; `one` says which it is."""
    if isinstance(item_id.dtype, pd.CategoricalDtype):
        _reject([item_id], item_id.isna(), "item_id is missing", "an id")
        rows = pd.Index(items["source_id"]).get_indexer(item_id.cat.categories)[item_id.cat.codes]
    else:
        rows = items.index.get_indexer(_numbers(item_id, "int32"))
    _reject([item_id], rows < 0, f"{one} is of an item that is not among the items", "a known item_id")
    return rows


def _check_scale(
    column: pd.Series, rating: np.ndarray, config: RatingsConfig, scale: pd.DataFrame | None
) -> tuple[float, float]:
    _reject([column], np.isinf(rating), "a rating is too large", f"at most {np.finfo(rating.dtype).max:.2g}")
    least, greatest = (rating.min(), rating.max()) if scale is None else scale[["lowest", "highest"]].iloc[0]
    lowest = float(least) if config.lowest is None else config.lowest
    highest = float(greatest) if config.highest is None else config.highest
    outside = (rating < np.float32(lowest)) | (rating > np.float32(highest))
    _reject([column], outside, "a rating lies outside the scale", f"{lowest:g} to {highest:g}")
    return lowest, highest


def _check_counts(column: pd.Series, count: np.ndarray) -> None:
    unusable = (count <= 0) | (count > _GREATEST_COUNT)
    expected = f"a number above 0, up to {_GREATEST_COUNT:,.0f}"
    _reject([column], unusable, "a count of interactions cannot be used", expected)


def _check_pairs(ratings: pd.DataFrame, table: Mapping[str, np.ndarray]) -> None:
    """Raise DataError if a user rates an item twice."""
    in_order = np.sort(_pairs(table))
    if (in_order[1:] == in_order[:-1]).any():
        repeated = pd.Series(_pairs(table)).duplicated()
        _reject([ratings["user_id"], ratings["item_id"]], repeated, "a user rates an item twice", "one rating each")


def _pairs(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """User and item as one number, in the order of both."""
    return table["user_id"].astype(np.int64) * 2**32 + table["item_id"]


def _check_variety(ratings: pd.DataFrame, *, interactions: bool) -> None:
    """Raise DataError if all ratings have the same user, item or value; interactions may have the same value."""
    what, values = ("interactions", "") if interactions else ("ratings", " and two different ratings")
    named = {"user_id": "one user", "item_id": "one item"} | ({} if interactions else {"rating": "one value"})
    for name, of_one in named.items():
        if (ratings[name] == ratings[name].iloc[0]).all():
            raise DataError(
                f"all {what} are of {of_one}",
                found=f"{len(ratings):,} {what} with {name} {ratings[name].iloc[0]:g}",
                expected=f"at least two users{' and' if interactions else ','} two items{values}",
                hint=f"take more {what}",
            )


def _item_keys(items: pd.DataFrame, config: RatingsConfig) -> pd.Series:
    """What items have in common that are to be merged."""
    own = items.index.to_series().astype("str")
    if not config.merge_titles:
        return own
    if "tconst" not in items:
        return items["title"]
    differ = items.groupby("title")["tconst"].transform("nunique") > 1
    return items["title"].where(~differ, items["title"] + " " + items["tconst"].fillna(own))


def _keep_latest(table: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The latest rating of each user and item, sorted by both."""
    pairs = _pairs(table)
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    has_next = np.append(pairs[1:] == pairs[:-1], False)
    # Only the few pairs with several ratings need a second sort, by time.
    several = has_next | np.append(False, has_next[:-1])
    rows = order[several]
    order[several] = rows[np.lexsort((table["timestamp"][rows], pairs[several]))]
    rows = order[~has_next]
    del pairs, order
    return pd.DataFrame({name: column[rows] for name, column in table.items()}, copy=False)


def _add_up(table: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The sum of the counts of each user and item, at the latest of their times, sorted by both."""
    pairs = _pairs(table)
    order = np.argsort(pairs, kind="stable")
    starts = np.flatnonzero(np.diff(pairs[order], prepend=-1))
    rows = order[starts]
    counts = np.add.reduceat(table["rating"][order], starts, dtype=np.float64).astype(np.float32)
    times = np.maximum.reduceat(table["timestamp"][order], starts)
    ids = {name: table[name][rows] for name in ("user_id", "item_id")}
    return pd.DataFrame({**ids, "rating": counts, "timestamp": times}, copy=False)


def _keep_likes(ratings: pd.DataFrame, likes_from: float) -> pd.DataFrame:
    """The ratings from `likes_from` on, each as one interaction. Raises DataError if there are none."""
    likes = ratings[ratings["rating"] >= np.float32(likes_from)]
    if likes.empty:
        raise DataError(
            "no rating is a like",
            where="--ratings.likes-from",
            found=f"{likes_from:g}",
            expected=f"at most {ratings['rating'].max():g}, the highest rating",
        )
    return likes.assign(rating=np.float32(1)).reset_index(drop=True)


def _merge_items(items: pd.DataFrame, merged_into: pd.Series, rated: pd.Series) -> pd.DataFrame:
    counts = rated.value_counts().reindex(items.index, fill_value=0)
    items = items.assign(ratings=counts.astype("int32"))
    if "tconst" in items:
        items["tconst"] = items["tconst"].groupby(merged_into).transform("first")
    return items[items.index == merged_into].sort_index()


def _item_ids(items: pd.DataFrame, merged_into: pd.Series) -> pd.Series:
    own = pd.Index(items.get("source_id", items.index), name="source_id")
    return pd.Series(merged_into.to_numpy("int32"), own, name="item_id")


def _numbers(column: pd.Series, dtype: str) -> np.ndarray:
    """The column as numbers of a type, once every value is known to be a number that fits it."""
    numbers = pd.to_numeric(column, errors="coerce")
    _reject([column], numbers.isna() | np.isinf(numbers), f"{column.name} is not a number", "a number")
    if dtype.startswith("int") and numbers.dtype != dtype:
        bounds = np.iinfo(dtype)
        fits = (numbers % 1 == 0) & (numbers >= bounds.min) & (numbers < bounds.max)
        _reject([column], ~fits, f"{column.name} is not a whole number of its size", f"{dtype}, up to {bounds.max}")
    # What is too large becomes infinite, and lies outside of any bounds.
    with np.errstate(over="ignore"):
        return numbers.to_numpy(dtype)


def _reject(columns: Sequence[pd.Series], bad: Any, what: str, expected: str) -> None:
    """Raise DataError with the first of the bad rows, if there is one."""
    bad = np.asarray(bad)
    if bad.any():
        row = int(bad.argmax())
        names = " and ".join(str(column.name) for column in columns)
        raise DataError(
            what,
            where=f"row {row} (counting from 0), column {names}; {int(bad.sum())} such rows",
            found=" and ".join(repr(column.iloc[[row]].tolist()[0]) for column in columns),
            expected=expected,
            hint="correct or remove these rows",
        )
