import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from latentflix.errors import DataError
from latentflix.recommender.item_vectors import (
    ItemFactorsSource,
    align_fits,
    load_item_vectors,
    load_items,
    with_fingerprint,
)
from latentflix.recommender.vector_files import Vectors
from tests.support.hostile_files import HOSTILE, hostile_bytes, read_or_refuse

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(5, 2)).astype(np.float32)


def vectors(values=VALUES, ids=None):
    return Vectors(ids or [f"i{row}" for row in range(len(values))], ["a", "b"][: values.shape[1]], values)


def align(*items, users=()):
    return align_fits(items, users, [f"fit {number}" for number in range(len(items))])


def test_fits_are_brought_into_one_order():
    backwards = vectors(VALUES[::-1], [f"i{row}" for row in reversed(range(5))])
    first, second = align(vectors(), backwards).fits()
    np.testing.assert_array_equal(first.item_factors, second.item_factors)
    np.testing.assert_array_equal(first.item_ids, [1, 2, 3, 4, 5])


def test_without_users_all_directions_count_alike_and_with_them_as_they_vary():
    (fit,) = align(vectors()).fits()
    np.testing.assert_array_equal(fit.user_covariance, np.eye(2))
    users = RANDOM.normal(size=(50, 2)).astype(np.float32) * [1, 3]
    (fit,) = align(vectors(), users=[vectors(users)]).fits()
    np.testing.assert_allclose(fit.user_covariance, np.cov(users, rowvar=False), rtol=1e-6)


def broken(row, value):
    values = VALUES.copy()
    values[row] = value
    return vectors(values)


BAD = {
    "one item": ([vectors(VALUES[:1])], "there is only one item"),
    "NaN": ([broken(1, np.nan)], "missing or not finite; where: fit 0, item i1; 1 such items"),
    "infinite": ([broken(1, np.inf)], "missing or not finite"),
    "all equal": ([vectors(np.ones((5, 2), np.float32))], "all items have the same vector; .*found: 5 times 1, 1"),
    "an id twice": ([vectors(ids=["a", "b", "c", "d", "a"])], "an id occurs twice; where: fit 0; found: a"),
    "wide": ([vectors(VALUES[:, :2].T.repeat(2, 1)[:, :4])], "more dimensions than items; .*2 items of 4 dimensions"),
    "other items": (
        [vectors(), vectors(ids=["i0", "i1", "i2", "i3", "x"])],
        "only in the first: i4; only in the second: x",
    ),
    "fewer items": ([vectors(), vectors(VALUES[:4])], "two fits are not of the same items"),
}


@pytest.mark.parametrize("case", BAD)
def test_vectors_that_are_of_no_use_are_one_clear_error(case):
    items, message = BAD[case]
    with pytest.raises(DataError, match=message):
        align(*items)


@pytest.mark.parametrize(
    ("users", "message"),
    [
        (np.ones((5, 1)), "not of the same length; where: fit 0; found: 2 dimensions of items, 1 of users"),
        (np.ones((1, 2)), "the vectors of users are of no use; where: the users of fit 0; found: 1 users"),
    ],
)
def test_users_of_no_use_are_one_clear_error(users, message):
    with pytest.raises(DataError, match=message):
        align(vectors(), users=[vectors(users.astype(np.float32))])


def write(folder, file="v.csv", **columns):
    path = folder / file
    pd.DataFrame({"item_id": ["007", "x", "y", "z"], **columns}).to_csv(path, index=False)
    return path


def test_files_are_read_with_what_a_table_says_of_the_items(tmp_path):
    numbers = {"a": [1.0, 2, 3, 5], "b": [0.0, 1, 5, 2]}
    path, table = (
        write(tmp_path, **numbers),
        write(tmp_path, "items.csv", name=["Bond", "X", "Y", "Z"], pages=[1, 2, 3, 4]),
    )
    source = ItemFactorsSource(path=(path, path), items_path=table, title_column="name")
    config = with_fingerprint(source)
    found = load_item_vectors(config)
    items = load_items(found.numbers, config)
    assert len(found.fits()) == 2
    assert found.dimensions == ["a", "b"]
    assert items.loc[found.numbers["007"], "title"] == "Bond"
    assert items["number_pages"].tolist() == [1, 2, 3, 4]


def test_a_source_is_identified_by_what_its_files_hold(tmp_path):
    numbers = {"a": [1.0, 2, 3, 5]}
    path = write(tmp_path, **numbers)
    before = with_fingerprint(ItemFactorsSource(path=(path,)))
    moved = with_fingerprint(ItemFactorsSource(path=(path.rename(tmp_path / "w.csv"),)))
    assert before.model_dump(mode="json") == moved.model_dump(mode="json")
    write(tmp_path, "w.csv", a=[1.0, 2, 3, 6])
    assert with_fingerprint(ItemFactorsSource(path=(tmp_path / "w.csv",))).sha256 != before.sha256


def test_items_by_another_id_column_are_refused(tmp_path):
    path = write(tmp_path, a=[1.0, 2, 3, 5])
    other = tmp_path / "items.csv"
    pd.DataFrame({"id": [1]}).to_csv(other, index=False)
    config = with_fingerprint(ItemFactorsSource(path=(path,), items_path=other))
    with pytest.raises(DataError, match=r"columns are missing from .*items\.csv; where: item_id; found: id"):
        load_items(load_item_vectors(config).numbers, config)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": ("a", "b"), "users_path": ("c",)}, "2 files of item vectors and 1 of user vectors"),
        ({"items_path": "a"}, "items_path says more of the items in path, and path is not given"),
    ],
)
def test_paths_that_do_not_fit_together_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        ItemFactorsSource(**given)


TABLE = b"""item_id,title,year,genres,ratings,mean_rating,day,word
x,"One, (1999)",1999,a|b,5,3.5,2004-05-03,q
y,Two,,c,1,2,20040503,r
"""


@settings(HOSTILE)
@given(content=hostile_bytes(TABLE))
def test_whatever_a_table_of_items_holds_it_is_read_or_refused(tmp_path, content):
    (tmp_path / "v.csv").write_text("item_id,a\nx,1\ny,2\n")
    (tmp_path / "items.csv").write_bytes(content)

    def read():
        config = with_fingerprint(ItemFactorsSource(path=(tmp_path / "v.csv",), items_path=tmp_path / "items.csv"))
        load_items(load_item_vectors(config).numbers, config)

    read_or_refuse(read)
