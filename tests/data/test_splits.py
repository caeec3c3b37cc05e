import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from latentflix.data.splits import SplitConfig, split_ratings
from latentflix.errors import DataError
from tests.support.synthetic_world import make_world

KINDS = ["random", "k_fold", "leave_last_out", "official"]


@pytest.fixture(scope="module")
def ratings():
    table = make_world().ratings
    return table.assign(official_fold=(np.arange(len(table)) % 6).astype("int8"))


def some_ratings(*rows):
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])


def rows(mask):
    return np.flatnonzero(mask).tolist()


def pairs(ratings, mask):
    return set(ratings.loc[mask, ["user_id", "item_id"]].itertuples(index=False, name=None))


def split_of(ratings, **settings):
    return split_ratings(ratings, SplitConfig(**settings))


@pytest.mark.parametrize("kind", KINDS)
def test_every_rating_is_in_exactly_one_part_whatever_the_order_of_rows(ratings, kind):
    shuffled = ratings.sample(frac=1, random_state=3)
    one, other = split_of(ratings, kind=kind), split_of(shuffled, kind=kind)
    parts = np.stack([one.train, one.held_out, one.unseen])
    assert parts.dtype == bool
    assert (parts.sum(axis=0) == 1).all()
    assert pairs(ratings, one.held_out) == pairs(shuffled, other.held_out)
    assert pairs(ratings, one.unseen) == pairs(shuffled, other.unseen)


@pytest.mark.parametrize("kind", ["random", "k_fold"])
def test_a_seed_determines_the_split(ratings, kind):
    one, again, other = (split_of(ratings, kind=kind, seed=seed).held_out for seed in (4, 4, 5))
    assert (one == again).all()
    # Two independent draws share about that share of what either holds out.
    share = one.mean()
    assert (one & other).sum() / one.sum() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.9])
def test_a_random_split_holds_out_its_share(ratings, share):
    split = split_of(ratings, share=share)
    assert (split.held_out | split.unseen).sum() == round(share * len(ratings))


def test_a_random_split_is_unbiased_over_users_and_items(ratings):
    held_out = split_of(ratings, share=0.5).held_out
    for column in ("user_id", "item_id"):
        shares = pd.Series(held_out).groupby(ratings[column].to_numpy()).agg(["mean", "size"])
        deviations = (shares["mean"] - 0.5) / np.sqrt(0.25 / shares["size"])
        assert deviations.std() == pytest.approx(1, abs=0.2)


def test_a_random_split_holds_out_at_least_one_and_not_all():
    four = some_ratings((1, 1, 3, 0), (1, 2, 3, 0), (2, 1, 3, 0), (2, 2, 3, 0))
    assert split_of(four, share=0.001).counts() == {"train": 3, "held_out": 1, "unseen": 0}
    with pytest.raises(DataError, match="found: 1 train, 0 held_out, 3 unseen"):
        split_of(four, share=0.999)


def test_folds_are_of_one_size_and_hold_out_every_rating_once(ratings):
    splits = [split_of(ratings, kind="k_fold", n_folds=7, fold=fold) for fold in range(1, 8)]
    chosen = np.stack([split.held_out | split.unseen for split in splits])
    assert (chosen.sum(axis=0) == 1).all()
    sizes = chosen.sum(axis=1)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(
    ("ratings", "held_out"),
    [
        ([(1, 1, 3, 50), (1, 2, 4, 90), (1, 3, 5, 70), (2, 1, 3, 20), (2, 2, 3, 10), (2, 3, 3, 5)], [1, 3]),
        ([(1, 3, 3, 50), (1, 2, 4, 50), (1, 1, 4, 10), (2, 3, 3, 10), (2, 2, 3, 20), (2, 1, 3, 0)], [0, 4]),
        ([(1, 1, 3, 50), (1, 2, 4, 90), (2, 2, 3, 99)], [1]),
    ],
    ids=["the latest", "at one time the greatest item_id", "no only rating"],
)
def test_the_last_rating_of_each_user_is_held_out(ratings, held_out):
    split = split_of(some_ratings(*ratings), kind="leave_last_out")
    assert rows(split.held_out) == held_out
    assert rows(split.train) == sorted(set(range(len(ratings))) - set(held_out))


def test_an_official_fold_is_held_out(ratings):
    for fold in (1, 5):
        split = split_of(ratings, kind="official", fold=fold)
        assert ((split.held_out | split.unseen) == (ratings["official_fold"] == fold)).all()


def test_ratings_of_an_item_that_is_not_in_train_are_unseen_and_counted():
    ratings = some_ratings((1, 1, 3, 10), (1, 2, 4, 90), (2, 1, 3, 10), (2, 3, 3, 99), (3, 2, 3, 10), (3, 1, 3, 20))
    split = split_of(ratings, kind="leave_last_out")
    assert rows(split.train) == [0, 2, 4]
    assert rows(split.held_out) == [1, 5]
    assert rows(split.unseen) == [3]
    assert split.counts() == {"train": 3, "held_out": 2, "unseen": 1}


def test_ratings_of_a_user_who_is_not_in_train_are_unseen():
    ratings = some_ratings((1, 1, 3, 0), (1, 2, 3, 0), (2, 1, 3, 0), (3, 1, 3, 0)).assign(official_fold=[0, 1, 2, 1])
    with pytest.raises(DataError):
        split_of(ratings, kind="official", fold=1)
    split = split_of(ratings.assign(official_fold=[1, 0, 0, 1]), kind="official", fold=1)
    assert (rows(split.held_out), rows(split.unseen)) == ([0], [3])


def test_every_held_out_user_and_item_is_in_train(ratings):
    few = ratings.groupby("item_id").head(2)
    split = split_of(few, share=0.4)
    assert split.unseen.any()
    for column in ("user_id", "item_id"):
        assert set(few.loc[split.held_out, column]) <= set(few.loc[split.train, column])
    known = [few.loc[split.unseen, column].isin(few.loc[split.train, column]) for column in ("user_id", "item_id")]
    assert not (known[0] & known[1]).any()


@pytest.mark.parametrize(
    ("official_fold", "found"),
    [(None, "no official folds"), ([0, 0, 0], "no official folds"), ([1, 2, 0], "folds 1, 2")],
)
def test_a_missing_official_fold_is_refused(official_fold, found):
    ratings = some_ratings((1, 1, 3, 0), (1, 2, 3, 0), (2, 1, 3, 0))
    if official_fold:
        ratings = ratings.assign(official_fold=np.array(official_fold, "int8"))
    with pytest.raises(DataError, match=f"there is no such official fold; where: fold 3; found: {found}"):
        split_of(ratings, kind="official", fold=3)


def test_ratings_that_cannot_be_split_by_time_are_refused():
    with pytest.raises(DataError, match=r"there are no times; where: timestamp; found: 0 in every row"):
        split_of(some_ratings((1, 1, 3, 0), (1, 2, 3, 0)), kind="leave_last_out")
    expected = (
        "^a split leaves nothing to learn from or nothing to score; where: split leave_last_out; "
        "found: 2 train, 0 held_out, 0 unseen; expected: at least one row in train"
    )
    with pytest.raises(DataError, match=expected):
        split_of(some_ratings((1, 1, 3, 0), (2, 2, 3, 1)), kind="leave_last_out")


def test_a_fold_beyond_the_last_is_refused():
    assert SplitConfig(kind="k_fold", n_folds=3, fold=3).fold == 3
    with pytest.raises(ValidationError, match="there is no fold 4 of 3"):
        SplitConfig(kind="k_fold", n_folds=3, fold=4)
