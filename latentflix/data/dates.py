"""Dates in files: as ISO 8601 writes them, as a year or a date in digits, or as seconds since 1970."""

import re
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_float_dtype, is_integer_dtype, is_numeric_dtype

# Seconds from 1970 to the years 1800 and 2201.
_EARLIEST = -5_364_662_400
_END = 7_289_654_400
_YEARS = (1800, 2200)
_FIRST_DATE, _LAST_DATE = 1800_01_01, 2200_12_31
_SECONDS = r"\d{9,11}"


def spell_date(value: Any) -> Any:
    """Write a date that is a number as ISO 8601 does: 2004 as 2004-01-01 and 20040503 as 2004-05-03.

    Numbers of nine digits or more, which are seconds since 1970, and values that are not numbers stay as they are.
    Raises ValueError for any other number.
    """
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
    if re.fullmatch(r"\d{4}", text):
        return f"{text}-01-01"
    if re.fullmatch(r"\d{8}", text):
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if _is_number(text) and not re.fullmatch(r"\d{9,}(\.\d+)?", text):
        raise ValueError("a number is a date if it is a year, as 2004, a date, as 20040503, or seconds since 1970")
    return value


def parse_dates(column: pd.Series) -> pd.Series:
    """Parse dates, of which some may be missing: datetime64 in UTC, NaT where there is no date."""
    if is_datetime64_any_dtype(column):
        return pd.to_datetime(column, utc=True)
    if is_float_dtype(column):
        column = column.where(np.isfinite(column.astype("float64")) & (column % 1 == 0)).astype("Int64")
    text = column.astype("str").str.strip()
    seconds = pd.to_numeric(text.where(text.str.fullmatch(_SECONDS, na=False)))
    dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    return dates.where(seconds.isna(), pd.to_datetime(seconds, unit="s", utc=True))


def parse_times(column: pd.Series) -> pd.Series:
    """Parse times: seconds since 1970, NaN where one is missing.

    A column of numbers that are all dates, as 20040503, or all years from 1800 to 2200, holds these; else numbers are
    seconds. Raises ValueError, with the first of them, if a time is not of these years or no time at all.
    """
    if is_numeric_dtype(column) and not are_dates(column) and not column.dropna().between(*_YEARS).all():
        seconds = column
    else:
        times = parse_dates(column)
        _require(times.notna() | column.isna(), column, "a date as ISO 8601 writes it, or seconds since 1970")
        seconds = (times - pd.Timestamp(0, tz="UTC").as_unit("s")) // pd.Timedelta(seconds=1)
    usable = seconds.isna() | ((seconds >= _EARLIEST) & (seconds < _END))
    _require(usable, column, "a time of the years 1800 to 2200, in seconds (not milliseconds) since 1970 or as a date")
    return seconds


def are_dates(column: pd.Series) -> bool:
    """Whether a column holds dates and nothing else: full dates as ISO 8601 writes them, or as 20040503."""
    known = column.dropna()
    if known.empty or is_datetime64_any_dtype(column):
        return not known.empty
    if is_integer_dtype(column) or is_float_dtype(column):
        plausible = known.between(_FIRST_DATE, _LAST_DATE).all() and (known % 1 == 0).all()
    else:
        plausible = known.map(lambda value: isinstance(value, str) and len(value) >= len("2000-01-01")).all()
        plausible = plausible and not known.astype("str").str.fullmatch(_SECONDS).any()
    return bool(plausible) and bool(parse_dates(known).notna().all())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _require(usable: pd.Series, column: pd.Series, expected: str) -> None:
    wrong = ~usable.to_numpy(bool)
    if wrong.any():
        raise ValueError(f"row {int(wrong.argmax())} has the time {column.iloc[int(wrong.argmax())]}, not {expected}")
