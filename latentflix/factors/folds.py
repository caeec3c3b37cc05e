"""Which items are held out from which classifier: one that has read a review of an item knows the item's labels."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from latentflix.errors import NotEnoughData

logger = logging.getLogger(__name__)

RANDOM_SPLIT = "random"


def assign_folds(item_ids: pd.Series, indicators: np.ndarray, groups: pd.Series, n_folds: int, seed: int) -> pd.Series:
    """Assign each item to a fold, so that the folds have similar shares of labels, items and reviews.

    Groups of items that belong together are assigned one by one, those with the rarest labels first, each to the fold
    that has fewest of its labels, then fewest items, then fewest reviews. Source: Sechidis et al. 2011, iterative
    stratification. Raises NotEnoughData if a fold would have fewer than two groups.

    Args:
        item_ids: the item of each review.
        indicators: the labels of each review's item (reviews, labels).
        groups: index item_id, int64; an item that is missing here is a group of its own.

    Returns:
        The fold, 0 to n_folds - 1: int64, index item_id.
    """
    by_item = pd.DataFrame(indicators).groupby(item_ids.to_numpy())
    items, n_reviews = by_item.first(), by_item.size().to_numpy()
    own = pd.Series(-1 - np.arange(len(items)), items.index)
    rows, names = pd.factorize(groups.reindex(items.index).fillna(own))
    if len(names) < 2 * n_folds:
        raise NotEnoughData(
            "there are too few items to hold any out",
            found=f"{len(items)} items with reviews, {len(names)} groups of them that belong together",
            expected=f"at least {2 * n_folds}, two for each fold",
            hint="lower --classifier.n-folds or --labels.min-ratings",
        )
    has_label = np.zeros((len(names), items.shape[1]))
    np.add.at(has_label, rows, items.to_numpy(np.float64))
    sizes, reviews = np.bincount(rows), np.bincount(rows, n_reviews)
    weights = 1 / np.maximum(has_label.sum(0), 1)
    rareness = has_label @ weights
    shuffled = np.random.default_rng(seed).permutation(len(names))
    folds = np.full(len(names), -1)
    labels_in, reviews_in, items_in = np.zeros((n_folds, has_label.shape[1])), np.zeros(n_folds), np.zeros(n_folds)
    for group in shuffled[np.argsort(-rareness[shuffled], kind="stable")]:
        crowding = labels_in @ (has_label[group] * weights)
        fold = np.lexsort((reviews_in, items_in, crowding.round(9)))[0]
        folds[group] = fold
        labels_in[fold] += has_label[group]
        reviews_in[fold] += reviews[group]
        items_in[fold] += sizes[group]
    return pd.Series(folds[rows], index=pd.Index(items.index, name="item_id"), name="fold")


def assign_groups(groups: np.ndarray, n_folds: int, random: np.random.Generator) -> np.ndarray:
    """Assign items to folds of similar size, at random, those of one group to the same: int64 (items,).

    Raises NotEnoughData if there are fewer than two groups for each fold.
    """
    names, rows, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2 * n_folds:
        raise NotEnoughData(
            "there are too few items to hold any out",
            found=f"{len(groups)} items with texts, {len(names)} groups of them that belong together",
            expected=f"at least {2 * n_folds}, two for each fold",
            hint="lower --readers.n-folds, or bring more reviews",
        )
    order = random.permutation(len(names))
    folds, filled = np.zeros(len(names), np.int64), np.zeros(n_folds)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        folds[group] = filled.argmin()
        filled[folds[group]] += sizes[group]
    return folds[rows]


def held_out_masks(
    item_ids: pd.Series, folds: pd.Series, n_folds: int, random_split: bool, seed: int
) -> dict[str, np.ndarray]:
    """For each classifier to train, which reviews are held out from it: bool (reviews,), by the classifier's name.

    "0", "1", … hold out the items of that fold; RANDOM_SPLIT, if asked for, as large a share of single reviews.
    """
    fold = item_ids.map(folds).to_numpy()
    masks = {str(number): fold == number for number in range(n_folds)}
    if random_split:
        masks[RANDOM_SPLIT] = np.random.default_rng(seed).permutation(len(item_ids)) < len(item_ids) // n_folds
    return masks


def predict_each(
    review_ids: pd.Series,
    held_out: pd.DataFrame,
    labels: Sequence[str],
    predict: Callable[[str, np.ndarray], np.ndarray],
) -> pd.DataFrame:
    """Predict, for each classifier, the reviews that are held out from it.

    predict: from the name of a classifier and a mask, bool (reviews,), to float32 (masked reviews, labels). Returns one
    row per classifier and held-out review: classifier str, review_id str, a float32 probability per label.
    """
    tables = []
    for classifier, column in held_out.loc[review_ids].items():
        mask = column.to_numpy()
        table = pd.DataFrame(predict(str(classifier), mask), columns=list(labels))
        table.insert(0, "review_id", review_ids.to_numpy()[mask])
        table.insert(0, "classifier", classifier)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def average_by_item(predictions: pd.DataFrame, item_ids: pd.Series, labels: list[str]) -> pd.DataFrame:
    """Average an item's reviews, as predicted by classifiers that have not read about it: index item_id."""
    grouped = predictions[predictions["classifier"] != RANDOM_SPLIT]
    return grouped[labels].groupby(item_ids.loc[grouped["review_id"]].to_numpy()).mean().rename_axis("item_id")


def frequent_labels(
    item_labels: pd.DataFrame, item_ids: pd.Series, labels: Sequence[str], min_items: int
) -> tuple[list[str], pd.DataFrame]:
    """Choose the labels that at least `min_items` items with reviews have. Raises NotEnoughData if there is none.

    item_labels: item_id, label. item_ids: the item of each review. Returns the labels in their order, and a table of
    the rare ones: index label, items.
    """
    reviewed = item_labels[item_labels["item_id"].isin(item_ids)]
    items = reviewed.groupby("label")["item_id"].nunique().reindex(labels, fill_value=0)
    rare = items[items < min_items]
    if len(rare) == len(items):
        raise NotEnoughData(
            "too few items with reviews have any label",
            found=", ".join(f"{label}: {count} items" for label, count in items.nlargest(3).items()),
            expected=f"at least {min_items} items for a label",
            hint="lower --classifier.min-items, or bring more reviews",
        )
    if len(rare):
        logger.warning("labels of fewer than %d items are left out: %s", min_items, ", ".join(rare.index))
    return [label for label in labels if label not in rare.index], rare.rename("items").rename_axis("label").to_frame()
