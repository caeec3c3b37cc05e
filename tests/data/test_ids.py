import numpy as np
import pandas as pd
import pytest

from latentflix.data.ids import list_some, plain_ids, require_common
from latentflix.errors import DataError


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ([7, 12], ["7", "12"]),
        (np.array([7, 12], np.int32), ["7", "12"]),
        ([7.0, 12.5], ["7", "12.5"]),
        (["007", " x "], ["007", "x"]),
    ],
)
def test_ids_are_text_and_whole_numbers_have_no_decimals(given, ids):
    assert plain_ids(given, "here") == ids


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, " "])
def test_a_missing_id_is_refused(missing):
    with pytest.raises(DataError, match=r"an id is missing; where: here, row 1 .counting from 0.; 1 such rows"):
        plain_ids(["a", missing], "here")


def test_a_tenth_of_the_shorter_list_in_common_is_enough():
    many = [str(number) for number in range(1000)]
    require_common(["0", "x"], many, "here", "do this")
    require_common(many, [*many[:2], *"abcdefghijklmnopqr"], "here", "do this")


@pytest.mark.parametrize("given", [["x", "y"], [*"abcdefghijklmnopqrst", "7"]])
def test_with_fewer_ids_in_common_some_of_each_side_are_shown(given):
    known = [str(number) for number in range(30)]
    with pytest.raises(DataError, match="of its .* ids are among the 30 known ones; .*what to do: do this") as caught:
        require_common(given, known, "here", "do this")
    assert f"found: {list_some(given)}; expected: ids such as 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …" in str(caught.value)
