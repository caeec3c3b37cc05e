"""Ids of users and items as any source has them: numbers here, names there."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from latentflix.errors import DataError

# If two tables have a smaller share of ids in common, their ids are most likely of different kinds.
_LEAST_COMMON = 0.1
_SHOWN = 10


def plain_ids(values: Iterable[Any], where: str) -> list[str]:
    """Write ids as text, whole numbers without decimals. Raises DataError if one is missing or empty."""
    ids = [_plain_id(value) for value in values]
    if "" in ids:
        raise DataError(
            "an id is missing",
            where=f"{where}, row {ids.index('')} (counting from 0); {ids.count(''):,} such rows",
            expected="a number or a name",
            hint="give every row an id, or remove these",
        )
    return ids


def _plain_id(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else "" if np.isnan(value) else str(value)
    return "" if value is None or value is pd.NA else str(value).strip()


def require_unique(ids: Sequence[str], where: str) -> None:
    """Raise DataError, naming the first ones, if an id occurs twice."""
    index = pd.Index(ids)
    repeated = index[index.duplicated()].unique()
    if len(repeated):
        raise DataError(
            "an id occurs twice",
            where=where,
            found=f"{list_some(repeated)}; {len(repeated):,} such ids",
            expected="one row for each id",
            hint="keep one row of each",
        )


def require_common(given: Sequence[str], known: Sequence[str], where: str, hint: str) -> None:
    """Raise DataError, showing some ids of each side, if fewer than a tenth of the shorter list are in the other.

    Args:
        given: the ids of a table.
        known: those that it should have.
        where: what the error calls the table.
    """
    asked, expected = pd.Index(given).unique(), pd.Index(known).unique()
    common = len(asked.intersection(expected))
    if common >= max(_LEAST_COMMON * min(len(asked), len(expected)), 1):
        return
    raise DataError(
        "hardly any id of a table is known",
        where=f"{where}: {common:,} of its {len(asked):,} ids are among the {len(expected):,} known ones",
        found=list_some(asked) or "no id",
        expected=f"ids such as {list_some(expected)}",
        hint=hint,
    )


def list_some(values: Iterable[str]) -> str:
    """The first of some values, as errors list them."""
    shown = list(values)
    return ", ".join(shown[:_SHOWN]) + ", …" * (len(shown) > _SHOWN)
