"""Dates of headers, right and wrong in each of their parts."""

from hypothesis import strategies as st

_NUMBERS = st.integers(-1, 70).map(lambda number: f"{number:02d}")
_YEARS = st.sampled_from(["0000", "0001", "1969", "2024", "9999", "99999"])
_ZONES = st.sampled_from(["GMT", "+0000", "-0000", "+2359", "-2359", "+9999", "-99999999999", "EST", "x", ""])
HEADER_DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "Fri", "x", ""]),
    _NUMBERS,
    st.sampled_from(["Jan", "Feb", "Dec", "x"]),
    _YEARS,
    _NUMBERS,
    _NUMBERS,
    _NUMBERS,
    _ZONES,
)
