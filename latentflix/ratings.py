"""Ratings and items, checked, with one id for each film."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from pydantic import model_validator

from latentflix.config import StageConfig, setting
from latentflix.datasets import GENRES
from latentflix.errors import InvalidRatings


class RatingsConfig(StageConfig):
    """What counts as a rating."""

    lowest: float = setting(1.0, "the lowest rating of the scale", unit="stars")
    highest: float = setting(5.0, "the highest rating of the scale", unit="stars")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.lowest < self.highest:
            raise ValueError(f"the lowest rating, {self.lowest:g}, is not below the highest, {self.highest:g}")
        return self


@dataclass(frozen=True)
class Ratings:
    """Ratings and the films they are of.

    ratings: user_id int32, movie_id int32, rating float32, timestamp int64; one row a user and film.
    films: index movie_id; title str, year Int16, genres list of str, ratings int32 (how many).
    merged: items that were another item's double.
    """

    ratings: pd.DataFrame
    films: pd.DataFrame
    merged: int


def read_ratings(ratings: pd.DataFrame, items: pd.DataFrame, config: RatingsConfig) -> Ratings:
    """Check ratings and items as they come, and merge the ids that stand for one film.

    Two items of the same title are one film; it keeps the lower id. Where a user rated both, the later rating
    stands. Raises InvalidRatings with the first row that cannot be used.
    """
    checked = _check_ratings(ratings, config)
    films = _check_items(items)
    unknown = ~checked["movie_id"].isin(films.index)
    _reject(checked["movie_id"], unknown, "a rating is of a film that is not among the items", "a known movie_id")

    kept = films.reset_index().groupby("title", sort=False)["movie_id"].transform("min")
    canonical = pd.Series(kept.to_numpy(), index=films.index)
    checked["movie_id"] = checked["movie_id"].map(canonical).astype("int32")
    merged = (
        checked.sort_values("timestamp", kind="stable")
        .drop_duplicates(["user_id", "movie_id"], keep="last")
        .sort_values(["user_id", "movie_id"], ignore_index=True)
    )
    n_items = len(films)
    films = films[films.index == canonical]
    counts = merged["movie_id"].value_counts().reindex(films.index, fill_value=0)
    return Ratings(merged, films.assign(ratings=counts.astype("int32")).sort_index(), n_items - len(films))


def _check_ratings(ratings: pd.DataFrame, config: RatingsConfig) -> pd.DataFrame:
    expected = {"user_id": "int32", "movie_id": "int32", "rating": "float32", "timestamp": "int64"}
    _require_columns(ratings, expected, "ratings")
    if ratings.empty:
        raise InvalidRatings("there are no ratings", found="0 rows", expected="at least one row")
    given = ratings[list(expected)].reset_index(drop=True)
    table = pd.DataFrame({name: _numbers(given[name], dtype) for name, dtype in expected.items()})
    outside = ~table["rating"].between(config.lowest, config.highest)
    _reject(given["rating"], outside, "a rating lies outside the scale", f"{config.lowest:g} to {config.highest:g}")
    pairs = table["user_id"].astype(str) + " and " + table["movie_id"].astype(str)
    pairs.name = "user_id and movie_id"
    _reject(pairs, table.duplicated(["user_id", "movie_id"]), "a user rates a film twice", "one rating each")
    return table


def _check_items(items: pd.DataFrame) -> pd.DataFrame:
    _require_columns(items, ["movie_id", "movie_title", *GENRES], "items")
    table = items.reset_index(drop=True)
    movie_id = _numbers(table["movie_id"], "int32")
    _reject(table["movie_id"], movie_id.duplicated(), "two items have one id", "one row an item")
    title = table["movie_title"].where(table["movie_title"].map(lambda given: isinstance(given, str)), "").str.strip()
    _reject(table["movie_title"], title == "", "an item has no title", "a title")
    flags = table[list(GENRES)].astype(bool)
    return pd.DataFrame(
        {
            "title": title.array,
            "year": pd.to_numeric(title.str.extract(r"\((\d{4})\)")[0]).astype("Int16").array,
            "genres": [[genre for genre in GENRES if row[genre]] for row in flags.to_dict("records")],
        },
        index=pd.Index(movie_id, name="movie_id"),
    )


def _numbers(column: pd.Series, dtype: str) -> pd.Series:
    """The column as numbers of a type, after a check that each is one and fits."""
    numbers = pd.to_numeric(column, errors="coerce")
    _reject(column, numbers.isna(), f"{column.name} is not a number", "a number")
    if dtype.startswith("int"):
        bounds = np.iinfo(dtype)
        fits = (numbers % 1 == 0) & (numbers >= bounds.min) & (numbers < bounds.max)
        _reject(column, ~fits, f"{column.name} is not a whole number of its size", f"{dtype}, up to {bounds.max}")
    return numbers.astype(dtype)


def _require_columns(table: pd.DataFrame, expected: Iterable[str], name: str) -> None:
    missing = [column for column in expected if column not in table.columns]
    if missing:
        raise InvalidRatings(
            f"the {name} lack columns",
            where=", ".join(missing),
            found=", ".join(map(str, table.columns)),
            expected=", ".join(expected),
        )


def _reject(column: pd.Series, bad: pd.Series, what: str, expected: str) -> None:
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise InvalidRatings(
            what,
            where=f"row {row} (counting from 0), column {column.name}; {int(bad.sum())} such rows",
            found=repr(column.tolist()[row]),
            expected=expected,
            remedy="mend or remove these rows",
        )
