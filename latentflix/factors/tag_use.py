"""How far tags apply to items: the share of an item's taggers who gave each, or its relevance in the tag genome."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from latentflix.factors.word_use import WordUse, standardise

USERS, GENOME = "users", "genome"
# From this relevance on a tag of the genome counts as one of the item's.
_RELEVANT = 0.5


@dataclass(frozen=True)
class TagUse:
    """How far each tag applies to each item.

    Attributes:
        kind: USERS or GENOME.
        tags: str (tags,).
        item_ids: int32 (items,), ascending.
        weights: float64 (items,), how much each item counts, of sum 1.
        use: float32 (items, tags), standardised over items by `weights`.
        items: int64 (tags,), how many items have the tag.
    """

    kind: str
    tags: np.ndarray
    item_ids: np.ndarray
    weights: np.ndarray
    use: np.ndarray
    items: np.ndarray


def count_user_tags(
    tags: pd.DataFrame, weights: pd.Series, *, min_items: int, min_users: int, max_tags: int, prior_taggers: float
) -> TagUse:
    """See items by the tags that at least `min_users` users gave, to at least `min_items` of them.

    Of many tags, those that most items have. A tag of fewer users may be one that keeps track of what they have seen.

    The share of an item's taggers is drawn towards that of all, as if it had `prior_taggers` more of them; so the tag
    of one user alone hardly counts.

    Args:
        tags: item_id, tag, users, taggers, givers, as `tags_by_item` returns them.
        weights: index item_id, of the items that may be seen; those without any tag are not.
    """
    known = tags[tags["item_id"].isin(weights.index)]
    item_ids = np.unique(known["item_id"]).astype(np.int32)
    frequency = known[known["givers"] >= min_users].groupby("tag").size()
    chosen = frequency[frequency >= min_items].nlargest(max_tags).index.sort_values()
    given = known[known["tag"].isin(chosen)]
    places = np.searchsorted(item_ids, given["item_id"]), chosen.get_indexer(given["tag"])
    counts = sparse.csc_array((given["users"].to_numpy(np.float32), places), shape=(len(item_ids), len(chosen)))
    taggers = known.drop_duplicates("item_id").set_index("item_id")["taggers"].loc[item_ids].to_numpy(np.float32)
    counted = WordUse(chosen.to_numpy(str), counts, taggers)
    own = _share(weights, item_ids)
    return TagUse(USERS, counted.terms, item_ids, own, counted.standardise(prior_taggers, own), np.diff(counts.indptr))


def read_relevance(genome: pd.DataFrame, weights: pd.Series) -> TagUse:
    """See items by the tag genome. genome: index item_id, a column for each tag. weights: as for `count_user_tags`."""
    known = genome[genome.index.isin(weights.index)].sort_index()
    item_ids, relevance = known.index.to_numpy(np.int32), known.to_numpy(np.float32)
    own = _share(weights, item_ids)
    has_tag = (relevance >= _RELEVANT).sum(0)
    return TagUse(GENOME, known.columns.to_numpy(str), item_ids, own, standardise(relevance, own), has_tag)


def _share(weights: pd.Series, item_ids: np.ndarray) -> np.ndarray:
    own = weights.loc[item_ids].to_numpy(np.float64)
    return np.asarray(own / max(own.sum(), np.finfo(float).tiny))
