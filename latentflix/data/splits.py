"""Which ratings are learned from, and which are held out."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import model_validator

from latentflix.config import StageConfig, setting
from latentflix.errors import DataError

# The names of the parts, wherever data are split for training, choosing and scoring.
TRAIN, VALID, TEST = "train", "valid", "test"


class SplitConfig(StageConfig):
    """How the ratings are split."""

    kind: Literal["random", "k_fold", "leave_last_out", "official"] = setting(
        "random", "a share of the ratings, one of several folds, each user's last rating, or the source's own folds"
    )
    share: float = setting(0.1, "share of the ratings held out, if random", gt=0, lt=1)
    n_folds: int = setting(5, "number of folds, if k_fold", ge=2, le=1000)
    fold: int = setting(1, "the fold held out, counting from 1, if k_fold or official", ge=1)
    seed: int = setting(0, "seed of random and k_fold", ge=0)

    @model_validator(mode="after")
    def _check_fold(self) -> Self:
        if self.kind == "k_fold" and self.fold > self.n_folds:
            raise ValueError(f"there is no fold {self.fold} of {self.n_folds}")
        return self


@dataclass(frozen=True)
class Split:
    """Three boolean masks (ratings,); each rating is in exactly one of them.

    unseen: would be held out, but no rating of the user or of the item is in train, so no model can predict it.
    """

    train: np.ndarray
    held_out: np.ndarray
    unseen: np.ndarray

    def counts(self) -> dict[str, int]:
        """How many ratings each part has."""
        return {name: int(getattr(self, name).sum()) for name in ("train", "held_out", "unseen")}


def split_ratings(ratings: pd.DataFrame, config: SplitConfig) -> Split:
    """Split ratings (user_id, item_id, timestamp, and official_fold if need be) independently of the order of rows.

    Raises DataError if the ratings have no such fold or no times, or if nothing is left to learn from or to score.
    """
    match config.kind:
        case "random":
            size = min(max(round(len(ratings) * config.share), 1), len(ratings) - 1)
            chosen = _hash_sample(ratings, config.seed, 0, size)
        case "k_fold":
            start, stop = (len(ratings) * fold // config.n_folds for fold in (config.fold - 1, config.fold))
            chosen = _hash_sample(ratings, config.seed, start, stop)
        case "leave_last_out":
            chosen = _last_of_each_user(ratings)
        case "official":
            chosen = _official_fold(ratings, config.fold)
    unseen = np.zeros_like(chosen)
    for name in ("user_id", "item_id"):
        ids = ratings[name].to_numpy()
        unseen[chosen] |= ~np.isin(ids[chosen], pd.unique(ids[~chosen]))
    split = Split(~chosen, chosen & ~unseen, unseen)
    counts = split.counts()
    if not counts["train"] or not counts["held_out"]:
        raise DataError(
            "a split leaves nothing to learn from or nothing to score",
            where=f"split {config.kind}",
            found=", ".join(f"{count:,} {name}" for name, count in counts.items()),
            expected="at least one row in train, and one held out whose user and item are in train",
            hint="take more data or another kind of split",
        )
    return split


def _hash_sample(ratings: pd.DataFrame, seed: int, start: int, stop: int) -> np.ndarray:
    """The ratings from place `start` to `stop` of a random order."""
    # By a hash of user, item and seed, so that the draw does not depend on the order of the rows.
    pairs = ratings["user_id"].to_numpy(np.uint64) << np.uint64(32) | ratings["item_id"].to_numpy(np.uint64)
    salt = pd.util.hash_array(np.array([seed], np.uint64))
    places = pd.util.hash_array(pd.util.hash_array(pairs) ^ salt)
    cuts = [cut for cut in (start, stop) if cut < len(places)]
    chosen = np.zeros(len(places), bool)
    chosen[np.argpartition(places, cuts)[start:stop]] = True
    return chosen


def _last_of_each_user(ratings: pd.DataFrame) -> np.ndarray:
    """Each user's last rating, unless it is the only one; of several at one time that of the greatest item_id."""
    times = ratings["timestamp"]
    if times.min() == times.max():
        raise DataError(
            "there are no times",
            where="timestamp",
            found=f"{times.min()} in every row",
            expected="seconds since 1970",
            hint="name the column of times with --ratings-source.timestamp-column, or take another kind of split",
        )
    table = ratings[["user_id", "item_id"]].set_axis(pd.RangeIndex(len(ratings)))
    by_user = times.set_axis(table.index).groupby(table["user_id"])
    latest = table[(by_user.transform("max").to_numpy() == times.to_numpy()) & (by_user.transform("size") > 1)]
    rows = latest.sort_values("item_id").drop_duplicates("user_id", keep="last").index
    chosen = np.zeros(len(ratings), bool)
    chosen[rows] = True
    return chosen


def _official_fold(ratings: pd.DataFrame, fold: int) -> np.ndarray:
    folds = sorted(set(pd.unique(ratings["official_fold"])) - {0}) if "official_fold" in ratings else []
    if fold not in folds:
        raise DataError(
            "there is no such official fold",
            where=f"fold {fold}",
            found=f"folds {', '.join(map(str, folds))}" if folds else "no official folds",
            expected="a fold of the source; MovieLens 100K has u1 to u5, in its original archive",
            hint="name that archive with --ratings-source.path, or take another kind of split",
        )
    return ratings["official_fold"].to_numpy() == fold
