import numpy as np
import pandas as pd
import pytest

from latentflix.data.movielens import read_movielens
from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.data.users import add_user_columns, user_columns
from latentflix.errors import DataError
from tests.support.files import write_folder, write_zip
from tests.support.hostile_files import assert_linear
from tests.support.movielens_files import layout_100k, layout_csv, layout_dat

U_USER = "1|24|M|technician|85711\n2|53|F|caf\xe9 owner|94043\n".encode("latin-1")
USERS_DAT = b"1::F::1::10::48067\n2::M::56::16::70072\n"
NUMBERED = pd.DataFrame({"ratings": [3, 2, 1]}, index=pd.Index([1, 2, 5], name="user_id"))
NAMED = pd.DataFrame({"ratings": [3, 2], "source_id": ["ann", "bob"]}, index=pd.Index([1, 2], name="user_id"))


@pytest.mark.parametrize("write", [write_folder, write_zip])
def test_the_users_of_movielens_are_read_without_their_zip_codes(tmp_path, write):
    users = read_movielens(write(tmp_path / "ml", layout_100k() | {"u.user": U_USER}))["users"]
    assert users.to_dict("list") == {
        "user_id": [1, 2],
        "age": [24, 53],
        "gender": ["male", "female"],
        "occupation": ["technician", "café owner"],
    }
    users = read_movielens(write(tmp_path / "1m", layout_dat("latin-1") | {"users.dat": USERS_DAT}))["users"]
    assert users.to_dict("list") == {
        "user_id": [1, 2],
        "age": ["under 18", "56 or older"],
        "gender": ["female", "male"],
        "occupation": ["K-12 student", "self-employed"],
    }


def test_a_set_that_says_nothing_of_its_users_has_no_table_of_them(tmp_path):
    assert "users" not in read_movielens(write_folder(tmp_path / "ml", layout_csv()))


def test_movielens_100k_says_who_its_users_are(movielens_tables):
    tables = movielens_tables
    read = read_ratings(tables["ratings"], tables["items"], RatingsConfig(), tables["scale"], tables["users"])
    assert user_columns(read.users) == ["age", "gender", "occupation"]
    assert read.users["gender"].value_counts().to_dict() == {"male": 670, "female": 273}
    assert read.users["age"].median() == 31
    assert read.users.loc[1].to_dict() == {"ratings": 271, "age": 24, "gender": "male", "occupation": "technician"}


def test_columns_go_to_the_users_who_rated_and_what_is_unknown_of_one_is_missing():
    given = pd.DataFrame({"user_id": [9, 5, 1], "age": [1, 30, np.inf], "town": ["x", None, "a"], "paid": [True] * 3})
    users = add_user_columns(NUMBERED, given)
    assert users.dtypes.astype(str).to_dict() == {"ratings": "int64", "age": "float64", "town": "str", "paid": "str"}
    assert users["age"].fillna(-1).tolist() == [-1, -1, 30]
    assert users["town"].fillna("missing").tolist() == ["a", "missing", "missing"]
    assert users["paid"].fillna("missing").tolist() == ["True", "missing", "True"]
    assert list(NUMBERED) == ["ratings"]


@pytest.mark.parametrize("dtype", ["str", "category"])
def test_named_users_are_found_by_the_names_of_the_source(dtype):
    given = pd.DataFrame({"user_id": ["bob", "ann"], "side": ["left", "right"]}).astype({"user_id": dtype})
    assert add_user_columns(NAMED, given)["side"].to_dict() == {1: "right", 2: "left"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user_id": [1, 2, 1], "age": 3}, r"an id occurs twice; where: the table of users; found: 1; 1 such ids"),
        ({"user_id": [1, None], "age": 3}, r"an id is missing; where: the table of users, row 1"),
        ({"user_id": [1, 2]}, "the table of users has no column; found: ids alone"),
        ({"user_id": [1], "ratings": 3, "age": 3}, "a name that is taken; where: ratings; found: ratings, age"),
        (
            {"user_id": range(100, 120), "age": 3},
            r"hardly any id .* known; where: the table of users: 0 of its 20 ids are among the 3 known ones; "
            r"found: 100, 101, .*, 109, …; expected: ids such as 1, 2, 5",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused_in_one_sentence(given, message):
    with pytest.raises(DataError, match=message):
        add_user_columns(NUMBERED, pd.DataFrame(given))


def test_many_columns_take_no_longer_than_linear():
    users = pd.DataFrame({"ratings": [1, 2]}, index=pd.Index([7, 9], name="user_id"))

    def add(size):
        given = pd.DataFrame({"user_id": [7, 9], **{f"c{number}": [1, 2] for number in range(size)}})
        assert len(add_user_columns(users, given).columns) == size + 1

    assert_linear(add, (200, 1600))
