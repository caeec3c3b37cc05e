"""What is known about users: the tables of MovieLens 100K and 1M, or one of the user's own, fitted to those who rated.

Source: the READMEs of the two sets, https://files.grouplens.org/datasets/movielens/
"""

import csv
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from latentflix.data.ids import plain_ids, require_common, require_unique
from latentflix.data.tables import Tables
from latentflix.errors import DataError

USERS = "users"
# What `Ratings.users` has of every user, so a column of a table cannot be called that.
_OWN_COLUMNS = ("ratings", "source_id")
_TABLE = "the table of users"
_GENDERS = {"F": "female", "M": "male"}
_AGES = {
    1: "under 18",
    18: "18 to 24",
    25: "25 to 34",
    35: "35 to 44",
    45: "45 to 49",
    50: "50 to 55",
    56: "56 or older",
}
_OCCUPATIONS = (
    *("other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service"),
    *("doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer"),
    *("retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman"),
    *("unemployed", "writer"),
)


def read_user_file(folder: Traversable) -> Tables:
    """Read what MovieLens 100K or 1M says of its users; another set says nothing, and there is no table.

    users: user_id int32, age (100K: float64, years; 1M: str, a range), gender and occupation str (nullable). Zip codes
    are not read: too few users share one to make a group, and with age and occupation they point at a person.
    """
    for name, separator, columns in (
        ("u.user", "|", ["user_id", "age", "gender", "occupation", "zip_code"]),
        ("users.dat", "::", ["user_id", "gender", "age", "occupation", "zip_code"]),
    ):
        path = folder / name
        if path.is_file():
            with path.open("rb") as file:
                table = pd.read_csv(
                    file, sep=separator, names=columns, encoding="latin-1", engine="python", quoting=csv.QUOTE_NONE
                )
            if name == "users.dat":
                table["age"] = table["age"].map(_AGES)
                table["occupation"] = table["occupation"].map(dict(enumerate(_OCCUPATIONS)))
            return {USERS: tidy_users(table)}
    return {}


def tidy_users(table: pd.DataFrame) -> pd.DataFrame:
    """The users of MovieLens with genders in words and without zip codes, with the columns of `read_user_file`."""
    users = table[["user_id", "age", "gender", "occupation"]].astype({"user_id": "int32"})
    return users.assign(gender=users["gender"].map(_GENDERS))


def user_columns(users: pd.DataFrame) -> list[str]:
    """The columns of `Ratings.users` that the source gave."""
    return [name for name in users.columns if name not in _OWN_COLUMNS]


def add_user_columns(users: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Add what a table says of users to those who rated: numbers as float64, all else as str, both nullable.

    Args:
        users: as `Ratings.users`.
        given: user_id, as the source of the ratings has it, and any other columns; a user may be missing, and one who
            rated nothing is left out.

    Raises:
        DataError: an id is missing or occurs twice, hardly any is that of a user who rated, there is no other column,
            or a column has a name that is taken.
    """
    names = [str(name) for name in given.columns if name != "user_id"]
    _check_names(names)
    known = plain_ids(users.get("source_id", users.index), "the ratings")
    ids = plain_ids(given["user_id"], _TABLE)
    require_unique(ids, _TABLE)
    require_common(ids, known, _TABLE, "name the column of ids with --ratings-source.user-id-column")
    found = given[names].set_axis(pd.Index(ids)).reindex(known)
    columns = {name: _numbers_or_words(found[name]) for name in names}
    return pd.concat([users, pd.DataFrame(columns, users.index)], axis="columns")


def _numbers_or_words(column: pd.Series) -> Any:
    if is_bool_dtype(column) or not is_numeric_dtype(column):
        return column.astype("str").array
    numbers = column.to_numpy("float64", na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _check_names(names: list[str]) -> None:
    taken = [name for name in names if name in _OWN_COLUMNS]
    if taken or not names:
        raise DataError(
            "a column of the table of users has a name that is taken" if taken else "the table of users has no column",
            where=", ".join(taken),
            found=", ".join(names) or "ids alone",
            expected="columns that say who the users are, of other names than " + " and ".join(_OWN_COLUMNS),
            hint="name the columns with --ratings-source.user-columns",
        )
