"""Ratings and items, checked, with one id for each item."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.movielens import GENRE_SEPARATOR, RATING_TYPES
from latentflix.errors import DataError


class RatingsConfig(StageConfig):
    """What counts as a rating."""

    lowest: float | None = setting(None, "the lowest rating of the scale; by default that of the source", unit="stars")
    highest: float | None = setting(
        None, "the highest rating of the scale; by default that of the source", unit="stars"
    )
    merge_titles: bool = setting(True, "take items of one title for one item, unless IMDb tells them apart")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.lowest is not None and self.highest is not None and not self.lowest < self.highest:
            raise ValueError(f"the lowest rating, {self.lowest:g}, is not below the highest, {self.highest:g}")
        return self


@dataclass(frozen=True)
class Ratings:
    """Ratings and the items they are of.

    ratings: user_id int32, item_id int32, rating float32, timestamp int64, and official_fold int8 if the source
    has official splits; one row a user and item, in their order.
    items: index item_id; title str, year Int16, genres list of str, ratings int32 (how many), and if the source
    says them tconst str (nullable) and source_id str. users: index user_id; ratings int32, and source_id str. A
    source_id is what the source itself calls an item or user, where that is no number.
    lowest, highest: the scale. merged: items that were another item's double.
    """

    ratings: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    lowest: float
    highest: float
    merged: int


def read_ratings(
    ratings: pd.DataFrame, items: pd.DataFrame, config: RatingsConfig, scale: pd.DataFrame | None = None
) -> Ratings:
    """Check ratings and items as `read_movielens` or `load_ratings_file` give them, and merge the ids of one item.

    scale: one row, lowest and highest; without it the least and the greatest rating. Ids that are categories are
    numbered from 1 in their order. Two ids of the same title are one item, unless they have two IMDb ids; it keeps
    the lower id. Where a user rated both, the later rating stands. Raises DataError with the first row that
    cannot be used, or if there are fewer than two users, items or different ratings.
    """
    _require_columns(ratings, RATING_TYPES, "ratings")
    if ratings.empty:
        raise DataError("there are no ratings", found="0 rows", expected="at least one row")
    items = _check_items(items)
    user_id, names = _number(ratings["user_id"])
    item_rows = _find_items(ratings["item_id"], items)
    table = {"user_id": user_id, "item_id": items.index.to_numpy()[item_rows]}
    table |= {name: _numbers(ratings[name], RATING_TYPES[name]) for name in ("rating", "timestamp")}
    if "official_fold" in ratings:
        table["official_fold"] = ratings["official_fold"].to_numpy("int8")
    lowest, highest = _check_scale(ratings["rating"], table["rating"], config, scale)
    _reject_doubles(ratings, _pairs(table))

    kept = items.index.to_series().groupby(_item_keys(items, config), sort=False).transform("min")
    table["item_id"] = kept.to_numpy("int32")[item_rows]
    _check_variety(table)
    del item_rows
    merged = _keep_latest(table)
    return Ratings(
        merged,
        _merge_items(items, kept, merged["item_id"]),
        _count_users(merged["user_id"], names),
        lowest,
        highest,
        int((kept != items.index).sum()),
    )


def _check_items(items: pd.DataFrame) -> pd.DataFrame:
    _require_columns(items, ["item_id", "title", "genres"], "items")
    item_id, names = _number(items["item_id"])
    _reject([items["item_id"]], pd.Series(item_id).duplicated(), "two items have one id", "one row an item")
    title = items["title"].where(items["title"].map(lambda given: isinstance(given, str)), "").str.strip()
    _reject([items["title"]], title == "", "an item has no title", "a title")
    checked = pd.DataFrame(
        {
            "title": title.array,
            "year": pd.to_numeric(title.str.extract(r"\((\d{4})\)")[0]).astype("Int16").array,
            "genres": [_split_genres(given) for given in items["genres"]],
        },
        index=pd.Index(item_id, name="item_id"),
    )
    if "tconst" in items:
        checked["tconst"] = items["tconst"].astype("str").array
    if names is not None:
        checked["source_id"] = names[item_id - 1].astype("str")
    return checked


def _split_genres(given: Any) -> list[str]:
    names = given.split(GENRE_SEPARATOR) if isinstance(given, str) else []
    return [name.strip() for name in names if name.strip()]


def _number(column: pd.Series) -> tuple[np.ndarray, pd.Index | None]:
    """Ids as int32; of categories also the category that each number, counting from 1, stands for."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return _numbers(column, "int32"), None
    _reject([column], column.isna(), f"{column.name} is missing", "an id")
    names = column.cat.categories.sort_values()
    numbers = names.get_indexer(column.cat.categories).astype(np.int32) + 1
    return numbers[column.cat.codes], names


def _find_items(item_id: pd.Series, items: pd.DataFrame) -> np.ndarray:
    """The row in `items` of the item of each rating."""
    if isinstance(item_id.dtype, pd.CategoricalDtype):
        _reject([item_id], item_id.isna(), "item_id is missing", "an id")
        rows = pd.Index(items["source_id"]).get_indexer(item_id.cat.categories)[item_id.cat.codes]
    else:
        rows = items.index.get_indexer(_numbers(item_id, "int32"))
    _reject([item_id], rows < 0, "a rating is of an item that is not among the items", "a known item_id")
    return rows


def _check_scale(
    given: pd.Series, rating: np.ndarray, config: RatingsConfig, scale: pd.DataFrame | None
) -> tuple[float, float]:
    least, greatest = (rating.min(), rating.max()) if scale is None else scale[["lowest", "highest"]].iloc[0]
    lowest = float(least) if config.lowest is None else config.lowest
    highest = float(greatest) if config.highest is None else config.highest
    outside = (rating < np.float32(lowest)) | (rating > np.float32(highest))
    _reject([given], outside, "a rating lies outside the scale", f"{lowest:g} to {highest:g}")
    return lowest, highest


def _pairs(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """User and item as one number, in the order of both."""
    return table["user_id"].astype(np.int64) * 2**32 + table["item_id"]


def _reject_doubles(ratings: pd.DataFrame, pairs: np.ndarray) -> None:
    in_order = np.sort(pairs)
    if (in_order[1:] == in_order[:-1]).any():
        doubles = pd.Series(pairs).duplicated()
        _reject([ratings["user_id"], ratings["item_id"]], doubles, "a user rates an item twice", "one rating each")


def _check_variety(table: Mapping[str, np.ndarray]) -> None:
    """Raise DataError if there is nothing that could tell users or items apart."""
    for name, of_one in (("user_id", "one user"), ("item_id", "one item"), ("rating", "one value")):
        if (table[name] == table[name][0]).all():
            raise DataError(
                f"all ratings are of {of_one}",
                found=f"{len(table[name]):,} ratings with {name} {table[name][0]:g}",
                expected="at least two users, two items and two different ratings",
                hint="take more ratings",
            )


def _item_keys(items: pd.DataFrame, config: RatingsConfig) -> pd.Series:
    """What is the same for the items that stand for one item."""
    own = items.index.to_series().astype("str")
    if not config.merge_titles:
        return own
    if "tconst" not in items:
        return items["title"]
    told_apart = items.groupby("title")["tconst"].transform("nunique") > 1
    return items["title"].where(~told_apart, items["title"] + " " + items["tconst"].fillna(own))


def _keep_latest(table: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """One row a user and item, in their order; where there are several, the latest."""
    pairs = _pairs(table)
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    goes_on = np.append(pairs[1:] == pairs[:-1], False)
    # Only the few rows of which there are several need a second sort, by time.
    several = goes_on | np.append(False, goes_on[:-1])
    rows = order[several]
    order[several] = rows[np.lexsort((table["timestamp"][rows], pairs[several]))]
    rows = order[~goes_on]
    del pairs, order
    return pd.DataFrame({name: column[rows] for name, column in table.items()}, copy=False)


def _merge_items(items: pd.DataFrame, kept: pd.Series, rated: pd.Series) -> pd.DataFrame:
    counts = rated.value_counts().reindex(items.index, fill_value=0)
    items = items.assign(ratings=counts.astype("int32"))
    if "tconst" in items:
        items["tconst"] = items["tconst"].groupby(kept).transform("first")
    return items[items.index == kept].sort_index()


def _count_users(rated: pd.Series, names: pd.Index | None) -> pd.DataFrame:
    users = rated.value_counts().sort_index().astype("int32").to_frame("ratings")
    return users if names is None else users.assign(source_id=names[users.index - 1].astype("str"))


def _numbers(column: pd.Series, dtype: str) -> np.ndarray:
    """The column as numbers of a type, after a check that each is one and fits."""
    numbers = pd.to_numeric(column, errors="coerce")
    _reject([column], numbers.isna() | np.isinf(numbers), f"{column.name} is not a number", "a number")
    if dtype.startswith("int") and numbers.dtype != dtype:
        bounds = np.iinfo(dtype)
        fits = (numbers % 1 == 0) & (numbers >= bounds.min) & (numbers < bounds.max)
        _reject([column], ~fits, f"{column.name} is not a whole number of its size", f"{dtype}, up to {bounds.max}")
    return numbers.to_numpy(dtype)


def _require_columns(table: pd.DataFrame, expected: Iterable[str], name: str) -> None:
    missing = [column for column in expected if column not in table.columns]
    if missing:
        raise DataError(
            f"the {name} lack columns",
            where=", ".join(missing),
            found=", ".join(map(str, table.columns)),
            expected=", ".join(expected),
        )


def _reject(columns: Sequence[pd.Series], bad: Any, what: str, expected: str) -> None:
    """Raise DataError with the first of the bad rows, if there is any; only then is a text made."""
    bad = np.asarray(bad)
    if bad.any():
        row = int(bad.argmax())
        values = [column.iloc[[row]].tolist()[0] for column in columns]
        raise DataError(
            what,
            where=(
                f"row {row} (counting from 0), column {' and '.join(str(column.name) for column in columns)}; "
                f"{int(bad.sum())} such rows"
            ),
            found=repr(values[0]) if len(values) == 1 else " and ".join(map(repr, values)),
            expected=expected,
            hint="mend or remove these rows",
        )
