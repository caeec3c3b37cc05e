"""Labels of items: the factors on which an item stands far out, each with the pole towards which it does."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.errors import NotEnoughData

POLES = ("+", "-")
# Which way the scores of an axis grow towards each pole.
SIGNS = dict(zip(POLES, (1, -1), strict=True))


class LabelConfig(StageConfig):
    """How many labels an item gets, and which items get them."""

    rule: Literal["top_k", "z_score"] = setting(
        "z_score", "z_score: every factor on which an item is far enough from the mean; top_k: its strongest factors"
    )
    top_k: int = setting(5, "labels of an item with top_k: its strongest factors, each with its pole", ge=1)
    z_from: float = setting(
        1.25, "distance from the mean from which an item gets a label with z_score", unit="standard deviations", gt=0
    )
    only_stable: bool = setting(True, "take labels from stable factors only")
    min_ratings: int = setting(10, "ratings an item needs to be labelled", ge=1)
    drop_most_frequent: bool = setting(False, "leave out the items with the most frequent label")


@dataclass(frozen=True)
class Labels:
    """The labels of the items.

    Attributes:
        items: one row per item and label: item_id int32, label str ("3+"), strength float32, an item's strongest first.
        labels: index label; axis str, items int, share float (of the labelled items), most_frequent bool.
        item_ids: int32, all items that labels were asked for: those with enough ratings that were not left out. One
            that is not in `items` stands far out on no factor.
        unlabelled: items with enough ratings that get no label.
        most_frequent: the most frequent labels, before any item was left out.
        dropped: items left out because they have one of these.
    """

    items: pd.DataFrame
    labels: pd.DataFrame
    item_ids: np.ndarray
    unlabelled: int
    most_frequent: tuple[str, ...]
    dropped: int

    def summary(self) -> dict[str, Any]:
        """Count items and labels, and give the share of the labelled items that has each label."""
        return {
            "items": self.items["item_id"].nunique(),
            "labels": len(self.labels),
            "unlabelled": self.unlabelled,
            "most_frequent": self.most_frequent,
            "dropped": self.dropped,
            "shares": self.labels["share"].to_dict(),
        }


def label_items(scores: pd.DataFrame, axes: pd.DataFrame, n_ratings: pd.Series, config: LabelConfig) -> Labels:
    """Label each item with the axes on which it stands out, and the pole towards which it does.

    Raises NotEnoughData if there are fewer axes than `top_k` (with z_score: none), no item has enough ratings, or none
    gets a label.

    scores: index item_id, one column per axis, in standard deviations. axes: index axis, with `stable`.
    """
    names = axes.index[axes["stable"]] if config.only_stable else axes.index
    _require_axes(list(names), config)
    frequently_rated = n_ratings.reindex(scores.index, fill_value=0) >= config.min_ratings
    if not frequently_rated.any():
        raise NotEnoughData(
            "no item has enough ratings to be labelled",
            found=f"at most {int(n_ratings.max())} ratings",
            expected=f"{config.min_ratings} or more",
            hint="lower --labels.min-ratings",
        )
    chosen = scores.loc[frequently_rated, names]
    items = _choose(chosen, config)
    unlabelled = len(chosen) - items["item_id"].nunique()
    labels = _count(items, list(names))
    most_frequent = labels.index[labels["most_frequent"]]
    dropped, item_ids = 0, chosen.index
    if config.drop_most_frequent:
        left_out = items.loc[items["label"].isin(most_frequent), "item_id"].unique()
        items = items[~items["item_id"].isin(left_out)].reset_index(drop=True)
        labels = _count(items, list(names))
        dropped, item_ids = len(left_out), item_ids.difference(left_out, sort=False)
    if items.empty:
        raise NotEnoughData(
            "no item is left with a label",
            found=f"{unlabelled} items without one, {dropped} left out with {', '.join(most_frequent) or 'none'}",
            expected="at least one item",
            hint="lower --labels.z-from, or leave out --labels.drop-most-frequent",
        )
    return Labels(items, labels, item_ids.to_numpy(np.int32), unlabelled, tuple(most_frequent), dropped)


def _require_axes(names: list[str], config: LabelConfig) -> None:
    by_count = config.rule == "top_k"
    if len(names) < (least := config.top_k if by_count else 1):
        kind = "stable factors" if config.only_stable else "factors"
        raise NotEnoughData(
            f"there are fewer {kind} than labels an item is to get",
            found=f"{len(names)} {kind} ({', '.join(names)})",
            expected=f"at least {least}",
            hint=f"{'lower --labels.top-k, ' * by_count}train or bring more fits, as with --collab.n-seeds, or set "
            "--no-labels.only-stable",
        )


def _choose(scores: pd.DataFrame, config: LabelConfig) -> pd.DataFrame:
    """One row per item and label, items in the order of `scores`, an item's strongest label first."""
    strength = scores.abs()
    if config.rule == "top_k":
        chosen = strength.rank(axis=1, ascending=False, method="first") <= config.top_k
    else:
        chosen = strength >= config.z_from
    row, column = np.nonzero(chosen.to_numpy())
    strongest = np.lexsort((-strength.to_numpy()[row, column], row))
    row, column = row[strongest], column[strongest]
    pole = np.where(scores.to_numpy()[row, column] >= 0, *POLES)
    return pd.DataFrame(
        {
            "item_id": scores.index.to_numpy(np.int32)[row],
            "label": np.char.add(scores.columns.to_numpy(str)[column], pole),
            "strength": strength.to_numpy(np.float32)[row, column],
        }
    )


def _count(items: pd.DataFrame, axes: list[str]) -> pd.DataFrame:
    index = pd.Index([f"{axis}{pole}" for axis in axes for pole in POLES], name="label")
    counts = items["label"].value_counts().reindex(index, fill_value=0)
    table = pd.DataFrame({"axis": index.str[:-1], "items": counts.astype("int64")}, index=index)
    share = table["items"] / max(items["item_id"].nunique(), 1)
    return table.assign(share=share, most_frequent=(table["items"] == table["items"].max()) & (table["items"] > 0))


def indicator_matrix(items: pd.DataFrame, item_ids: pd.Series, labels: list[str]) -> np.ndarray:
    """Which labels each of `item_ids` has: float32 (len(item_ids), len(labels)), ones and zeros."""
    has_label = items.assign(value=np.float32(1)).pivot(index="item_id", columns="label", values="value")
    return has_label.reindex(index=item_ids.to_numpy(), columns=labels).fillna(0).to_numpy(np.float32)
