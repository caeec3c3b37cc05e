import numpy as np
import pandas as pd
import pytest

from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.factors.user_groups import UserGroupConfig, find_user_groups, form_groups, measure_leanings
from tests.support.synthetic_world import describe_users, make_world

CONFIG = UserGroupConfig(permutations=99, bootstraps=40)
STABLE = pd.Series(True, pd.Index(["A", "B", "C"], name="axis"))


@pytest.fixture(scope="module")
def world():
    return make_world(reviews_per_item=1, corpus_reviews=10, noise=0.8)


@pytest.fixture(scope="module")
def read(world):
    return read_ratings(world.ratings, world.items, RatingsConfig(), world.scale, describe_users(world))


def find(world, read, users=None, config=CONFIG, stable=STABLE, positions=None):
    users = read.users if users is None else users
    positions = world.true_factors if positions is None else positions
    return find_user_groups(read.ratings, read.items, users, positions, stable, config)


def by_place(found):
    return found.leanings.set_index(["label", "column", "group"])


def shuffle(users, random):
    """The same users, each described as another one is."""
    order = random.permutation(len(users))
    return users.assign(**{name: users[name].to_numpy()[order] for name in ("side", "age", "shelf")})


def test_leanings_are_told_apart_where_positions_go_together(world, read):
    mixed = world.true_factors.assign(B=0.8 * world.true_factors["A"] + 0.6 * world.true_factors["B"])
    leanings = measure_leanings(read.ratings, read.users.index, mixed, 30)
    # The same liking, in terms of the mixed positions; the second factor weighs 0.7 of the first.
    liking = world.true_users.loc[leanings.index]
    liking = liking.assign(A=liking["A"] - 0.7 * 0.8 / 0.6 * liking["B"])
    r = np.corrcoef(leanings.T, liking.T)[:3, 3:]
    assert np.diag(r).min() > 0.8


def test_a_user_who_rated_as_many_items_as_the_penalty_leans_half_as_much(world, read):
    few, many = (measure_leanings(read.ratings, read.users.index, world.true_factors, known) for known in (1e-9, 56))
    # A user rates 56 of 80 items, of unit variance.
    assert (many / few)["A"].median() == pytest.approx(0.5, abs=0.05)


def test_planted_groups_are_found_at_their_poles_and_groups_of_chance_are_not(world, read):
    found = find(world, read)
    places = {(row.label, row.column, row.group) for row in found.found.itertuples()}
    assert {place for place in places if place[1] == "side"} == {("A+", "side", "right"), ("A-", "side", "left")}
    youngest, *_, oldest = sorted(
        set(found.leanings.loc[found.leanings["column"] == "age", "group"]), key=lambda name: int(name.split(" ")[0])
    )
    assert places >= {("B-", "age", youngest), ("B+", "age", oldest)}
    assert {label for label, column, _ in places if column == "age"} == {"B-", "B+"}
    assert "shelf" not in {column for _, column, _ in places}
    assert found.summary() == {"users": 300, "groups": 9, "leanings": len(places), "poles": 4}
    leaning = by_place(found).loc["A+", "side", "right"]
    users = read.users.join(world.true_users)
    truth = users.loc[users["side"] == "right", "A"].mean()
    assert leaning["lean_low"] < truth < leaning["lean_high"]
    assert leaning["users"] == (users["side"] == "right").sum()
    assert leaning["p"] == pytest.approx(0.01)


def test_the_poles_turn_with_the_axis(world, read):
    one, other = (by_place(find(world, read, positions=sign * world.true_factors)) for sign in (1, -1))
    assert one.loc["A+", "side", "right"]["lean"] == pytest.approx(other.loc["A-", "side", "right"]["lean"])


def test_users_described_at_random_hardly_ever_lean(world, read):
    random = np.random.default_rng(0)
    config = CONFIG.model_copy(update={"permutations": 39, "bootstraps": 20})
    false_alarms = [len(find(world, read, shuffle(read.users, random), config).found) > 0 for _ in range(15)]
    # At a rate of 5 %, four or more of 15 are seen once in 200 times.
    assert sum(false_alarms) <= 3


def test_a_group_that_only_rates_more_does_not_lean(world, read):
    counts = read.users["ratings"]
    users = read.users[["ratings"]].assign(busy=np.where(counts > counts.median(), "yes", "no"))
    assert find(world, read, users).found.empty


def test_only_stable_axes_and_users_who_rated_enough_count(world, read):
    stable = STABLE.where(STABLE.index != "A", False)
    assert set(find(world, read, stable=stable).leanings["label"].str[0]) == {"B", "C"}
    median = int(read.users["ratings"].median())
    found = find(world, read, config=CONFIG.model_copy(update={"min_ratings": median}))
    assert found.users == (read.users["ratings"] >= median).sum()
    assert find(world, read, config=CONFIG.model_copy(update={"max_users": 100})).users == 100


def test_where_nobody_is_described_nothing_leans(world, read):
    found = find(world, read, read.users.assign(side=None, age=np.nan, shelf=None))
    assert (found.users, found.groups, len(found.found)) == (0, 0, 0)


def test_groups_are_values_and_ranges_and_what_makes_none_is_said():
    n = 200
    users = pd.DataFrame(
        {
            "ratings": n,
            "age": [*range(1, n), np.nan],
            "stars": [1.0, 2.0] * (n // 2),
            "town": [*["rome"] * 30, *["oslo"] * 165, *["bonn"] * 5],
            "name": [f"name {number}" for number in range(n)],
            "same": ["x"] * n,
        }
    )
    members, left_out = form_groups(users, UserGroupConfig())
    assert members.sum().to_dict() == {
        ("age", "1 to 50"): 50,
        ("age", "51 to 100"): 50,
        ("age", "101 to 149"): 49,
        ("age", "150 to 199"): 50,
        ("stars", "1"): 100,
        ("stars", "2"): 100,
        ("town", "rome"): 30,
        ("town", "oslo"): 165,
    }
    assert left_out.to_dict("records") == [
        {"column": "town", "reason": "1 of 3 groups, of too few users or nearly all"},
        {"column": "name", "reason": "200 different values"},
        {"column": "same", "reason": "1 of 1 groups, of too few users or nearly all"},
    ]
