import pandas as pd
import pytest

from latentflix.data.dates import are_dates, parse_dates, parse_times, spell_date


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (2004, "2004-01-01"),
        (2004.0, "2004-01-01"),
        (" 20040503 ", "2004-05-03"),
        ("1083542400", "1083542400"),
        ("2004-05", "2004-05"),
        ("yesterday", "yesterday"),
        (None, None),
    ],
)
def test_years_and_dates_in_digits_are_spelled_out(value, spelled):
    assert spell_date(value) == spelled


@pytest.mark.parametrize("value", ["0", "-5", "2004.5", "200405", "nan", "1e9", 1])
def test_another_number_is_no_date(value):
    with pytest.raises(ValueError, match="a number is a date if"):
        spell_date(value)


@pytest.mark.parametrize("kind", ["int64", "float64", "Int64", "str"])
def test_dates_in_digits_mean_the_same_whatever_the_type_of_their_column(kind):
    dates = parse_dates(pd.Series([2004, 20040503, 1083542400]).astype(kind))
    assert dates.dt.strftime("%Y-%m-%d").tolist() == ["2004-01-01", "2004-05-03", "2004-05-03"]


def test_what_is_no_date_is_missing():
    texts = ["2004-05-03T01:00:00+02:00", "0001-01-01T00:00:00+02:00", "yesterday", None, "99999-01-01", "²"]
    assert parse_dates(pd.Series(texts)).notna().tolist() == [True, True, False, False, False, False]
    assert parse_dates(pd.Series([float("inf"), 0.5, float("nan")])).notna().sum() == 0


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([2004, 2005], [1072915200, 1104537600]),
        ([20040503, 20040504], [1083542400, 1083628800]),
        (["20040503", "2004-05-04T00:00:00.9Z"], [1083542400, 1083628800]),
        ([1083542400, 2004], [1083542400, 2004]),
        ([0, 1, 2], [0, 1, 2]),
    ],
    ids=["years", "dates in digits", "dates of two forms", "seconds", "an order"],
)
def test_times_are_seconds_unless_all_are_years_or_dates(times, seconds):
    assert parse_times(pd.Series(times)).tolist() == seconds


@pytest.mark.parametrize("time", [1083542400000, "0001-01-01T00:00:00+02:00", "9999-12-31", float("inf"), 10**18])
def test_times_of_other_centuries_are_refused(time):
    with pytest.raises(ValueError, match=r"row 0 has the time .*, not a time of the years 1800 to 2200"):
        parse_times(pd.Series([time]))


@pytest.mark.parametrize(
    ("values", "dates"),
    [
        (["2004-05-03", None], True),
        ([20040503, 19991231], True),
        ([20040503, 20041332], False),
        ([2004, 2005], False),
        (["1083542400"], False),
        (["2004-05-03", "a word of ten"], False),
        ([None], False),
    ],
)
def test_a_column_of_full_dates_is_told_from_numbers_and_words(values, dates):
    assert are_dates(pd.Series(values)) == dates
