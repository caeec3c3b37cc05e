"""Which groups of users lean to a pole: their ratings favour its items more than the ratings of other users do.

How far a user leans is a regression of that user's ratings on where the items stand. It needs no recommender, and it is
on all factors at once, since positions on two factors may go together. What is tested is permuted over users.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from latentflix.config import StageConfig, setting
from latentflix.data.users import user_columns
from latentflix.factors.labels import POLES
from latentflix.factors.marking import corrected_p
from latentflix.factors.permutations import permute_items
from latentflix.factors.resampling import add_interval
from latentflix.factors.word_use import standardise
from latentflix.metrics import bootstrap_counts

# Ranges with about as many users each, into which the numbers of a column are cut; with no more numbers, each is one.
_RANGES = 4
_NO_LEANINGS = pd.DataFrame(
    {name: pd.Series(dtype="str") for name in ("label", "column", "group")}
    | {"users": pd.Series(dtype="int64")}
    | {name: pd.Series(dtype=float) for name in ("lean", "lean_low", "lean_high", "r", "p")}
)


class UserGroupConfig(StageConfig):
    """Which users are looked at, what makes a group, and how leanings are tested."""

    enabled: bool = setting(True, "look for groups of users who lean to a pole, if it is known who the users are")
    min_ratings: int = setting(20, "ratings that a user needs, of items that count", ge=2)
    min_item_ratings: int = setting(30, "ratings that an item needs to count", ge=1)
    half_known: float = setting(30.0, "ratings of a user from which a leaning counts by half", gt=0)
    min_users: int = setting(20, "users that a group needs, and that must be outside it", ge=2)
    max_groups: int = setting(50, "groups that a column may make; one with more is left out", ge=2)
    max_users: int = setting(20_000, "users who are looked at; of more, as many drawn at random", ge=2)
    n_strata: int = setting(
        5, "parts of the users, by number of ratings, within which they are compared and permuted", ge=1
    )
    max_p: float = setting(
        0.05, "largest p-value of a leaning that holds, corrected for all groups and factors", gt=0, le=1
    )
    permutations: int = setting(1000, "permutations of users, for p-values", ge=19, le=100_000)
    bootstraps: int = setting(1000, "resamples of the users of a group, for the intervals", ge=20, le=100_000)
    confidence: float = setting(0.95, "coverage of the intervals", gt=0, lt=1)
    seed: int = setting(0, "seed of permutations and resamples", ge=0)


@dataclass(frozen=True)
class UserGroups:
    """How far groups of users lean to the poles of the stable factors.

    Attributes:
        leanings: one row for each group and factor: label (the pole to which the group leans), column and group (as the
            data name them), users, lean, lean_low, lean_high (the mean over its users, towards the pole, in standard
            deviations of users who rated about as much), r (rank correlation of being in the group with the leaning),
            p (corrected for all groups and factors), holds. The largest r first.
        left_out: column, reason: what of the table of users makes no group.
        users: who were looked at.
        groups: that were tested.
    """

    leanings: pd.DataFrame
    left_out: pd.DataFrame
    users: int
    groups: int

    @property
    def found(self) -> pd.DataFrame:
        """The leanings that hold."""
        return self.leanings[self.leanings["holds"]]

    def summary(self) -> dict[str, int]:
        """The figures of the whole."""
        return {
            "users": self.users,
            "groups": self.groups,
            "leanings": len(self.found),
            "poles": self.found["label"].nunique(),
        }


def find_user_groups(
    ratings: pd.DataFrame,
    items: pd.DataFrame,
    users: pd.DataFrame,
    positions: pd.DataFrame,
    stable: pd.Series,
    config: UserGroupConfig,
) -> UserGroups:
    """Find the groups of users who lean to a pole of a stable axis.

    Args:
        ratings: user_id, item_id, rating; sorted by user.
        items: index item_id; ratings (how many).
        users: index user_id, as `Ratings.users`.
        positions: index item_id, one column per axis.
        stable: index axis, bool.
    """
    random = np.random.default_rng(config.seed)
    known = items.index[items["ratings"] >= config.min_item_ratings].intersection(positions.index)
    rated = ratings.loc[ratings["item_id"].isin(known), ["user_id", "item_id", "rating"]]
    counts = rated["user_id"].value_counts().reindex(users.index, fill_value=0)
    described = users.index[(counts >= config.min_ratings) & users[user_columns(users)].notna().any(axis=1)]
    if len(described) > config.max_users:
        described = pd.Index(np.sort(random.choice(described, config.max_users, replace=False)))
    members, left_out = form_groups(users.loc[described], config)
    leanings = measure_leanings(rated, described, positions.loc[known], config.half_known)
    chosen = leanings.loc[:, stable.reindex(positions.columns, fill_value=False)]
    tested = _test_groups(members, chosen, counts[described].to_numpy(), config, random)
    return UserGroups(tested, left_out, len(described), members.shape[1])


def measure_leanings(
    ratings: pd.DataFrame, user_ids: pd.Index, positions: pd.DataFrame, half_known: float
) -> pd.DataFrame:
    """Measure how far each user leans to the positive pole of each axis: index user_id, float64, stars per deviation.

    A user's ratings, less the mean of the user and of each item, are regressed on the positions of the items, all axes
    at once, by ridge regression. Its penalty is `half_known`: it halves the leaning of one who rated so many items.

    Args:
        ratings: user_id, item_id, rating, of items in `positions`; sorted by user.
        user_ids: whose leanings are measured; the means of items are over all who rated.
        positions: index item_id, one column per axis.
    """
    excess = ratings["rating"].astype(float)
    excess = excess - excess.groupby(ratings["user_id"]).transform("mean")
    excess = excess - excess.groupby(ratings["item_id"]).transform("mean")
    rows = positions.index.get_indexer(ratings["item_id"])
    stands, rated_by = positions.to_numpy(float), ratings["user_id"].to_numpy()
    liked = excess.to_numpy()
    starts, ends = (np.searchsorted(rated_by, user_ids, side) for side in ("left", "right"))
    penalty = half_known * np.eye(positions.shape[1])
    result = np.empty((len(user_ids), positions.shape[1]))
    for user, (start, end) in enumerate(zip(starts, ends, strict=True)):
        seen = stands[rows[start:end]]
        # The user's own mean is a term of the regression too.
        seen = seen - seen.mean(0)
        result[user] = np.linalg.solve(seen.T @ seen + penalty, seen.T @ liked[start:end])
    return pd.DataFrame(result, user_ids, positions.columns)


def form_groups(users: pd.DataFrame, config: UserGroupConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Form groups of users: those with one value of a column, or with numbers in one of four ranges.

    Returns a bool table, index user_id, columns (column, group); and what makes no group: column, reason.
    """
    members: dict[tuple[str, str], pd.Series] = {}
    left_out = []
    for name in user_columns(users):
        values = _name_ranges(users[name]) if is_numeric_dtype(users[name]) else users[name]
        sizes = values.value_counts(sort=False)
        if len(sizes) > config.max_groups:
            left_out.append((name, f"{len(sizes):,} different values"))
            continue
        large = sizes.between(config.min_users, len(users) - config.min_users)
        members |= {(name, str(group)): values == group for group in sizes.index[large]}
        if not large.all():
            left_out.append((name, f"{(~large).sum()} of {len(sizes)} groups, of too few users or nearly all"))
    columns = pd.MultiIndex.from_tuples(list(members), names=["column", "group"]) if members else None
    table = pd.DataFrame(np.stack(list(members.values()), axis=1) if members else None, users.index, columns, bool)
    return table, pd.DataFrame(left_out, columns=["column", "reason"], dtype="str")


def _name_ranges(numbers: pd.Series) -> pd.Series:
    """The range in which each number is, as "26 to 31"; NaN for NaN."""
    few = numbers.nunique() <= _RANGES
    part = numbers if few else pd.qcut(numbers, _RANGES, labels=False, duplicates="drop")
    ends = numbers.groupby(part).agg(["min", "max"])
    names = [f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in ends.itertuples(index=False)]
    return part.map(dict(zip(ends.index, names, strict=True)))


def _test_groups(
    members: pd.DataFrame,
    leanings: pd.DataFrame,
    counts: np.ndarray,
    config: UserGroupConfig,
    random: np.random.Generator,
) -> pd.DataFrame:
    """`UserGroups.leanings`. members: users by groups. leanings: users by axes. counts: ratings of each user."""
    strata = _strata(counts, config.n_strata)
    by_stratum = leanings.groupby(strata)
    shares = np.full(len(members), 1 / max(len(members), 1))
    belongs = standardise(members.to_numpy(float), shares).T * shares
    ranks = standardise(by_stratum.rank(pct=True).to_numpy(), shares)
    r = belongs @ ranks
    orders = permute_items(np.arange(len(counts)), counts, config.n_strata, config.permutations, random)
    null = np.array([np.abs(belongs @ ranks[order]).max(initial=0) for order in orders])
    compared = ((leanings - by_stratum.transform("mean")) / by_stratum.transform("std")).to_numpy()
    parts = [_NO_LEANINGS]
    for (column, group), inside, r_group in zip(members.columns, members.to_numpy().T, r, strict=True):
        drawn = bootstrap_counts(random, int(inside.sum()), config.bootstraps)
        means = drawn @ compared[inside] / inside.sum()
        towards = np.where(r_group < 0, -1, 1)
        table = pd.DataFrame({"label": leanings.columns + np.where(r_group < 0, *POLES[::-1])})
        table = table.assign(column=column, group=group, users=int(inside.sum()))
        table["lean"] = towards * compared[inside].mean(0)
        add_interval(table, "lean", towards * means, config.confidence)
        parts.append(table.assign(r=np.abs(r_group).astype(float), p=corrected_p(r_group, null)))
    tested = pd.concat(parts, ignore_index=True).sort_values("r", ascending=False, kind="stable", ignore_index=True)
    return tested.assign(holds=(tested["p"] <= config.max_p) & (tested["lean"] > 0))


def _strata(counts: np.ndarray, n_strata: int) -> np.ndarray:
    """The part of the users, by number of ratings, that each belongs to: int64 (users,)."""
    strata = np.zeros(len(counts), np.int64)
    for number, rows in enumerate(np.array_split(np.argsort(counts, kind="stable"), n_strata)):
        strata[rows] = number
    return strata
