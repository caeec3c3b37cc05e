"""Which IMDb title each rated item is: by its own data set, else by the links of another one.

GroupLens keeps the ids of films from set to set, so a link is taken over by the id; but only if title and year agree.
What is left is linked by title and year alone.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from latentflix.data.datasets import DATA_SETS
from latentflix.data.title_catalogs import catalog_of_items
from latentflix.data.titles import is_same_film, resolve_titles

logger = logging.getLogger(__name__)

# This set numbers films in a way of its own.
_OTHER_IDS = ("movielens_100k",)
_METHODS = ("title", "other name")
NAMED, NOT_NAMED = "named by the data's own source", "not linked: the data's own source names no title"
SEVERAL, ANOTHER, NONE = (
    f"not linked: {reason}"
    for reason in (
        "several titles fit",
        "under the same id there is another title or year, and none fits",
        "no title and year fit",
    )
)


@dataclass(frozen=True)
class LinkedItems:
    """Items with their IMDb titles.

    Attributes:
        items: as they were, with tconst str (nullable).
        outcomes: how many items were linked by what, and how many were not for which reason.
    """

    items: pd.DataFrame
    outcomes: dict[str, int]


def link_items(items: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> LinkedItems:
    """Link items to IMDb titles, unless their own source did. Without links of any set nothing is counted.

    Two items never get one title from titles alone.

    Args:
        items: index item_id; title, and perhaps tconst.
        others: by data set, items that have links: item_id, title, tconst (nullable).
    """
    if "tconst" in items:
        return _count(items, items["tconst"].notna().map({True: NAMED, False: NOT_NAMED}))
    if not others:
        return LinkedItems(items, {})
    tconst = pd.Series(None, items.index, dtype="str")
    outcome = pd.Series(NONE, items.index)
    for name, other in others.items():
        if name in _OTHER_IDS:
            continue
        known = other.dropna(subset="tconst").set_index("item_id")
        for item_id, title in items.loc[tconst.isna() & items.index.isin(known.index), "title"].items():
            if is_same_film(title, known.loc[item_id, "title"]):
                tconst[item_id] = known.loc[item_id, "tconst"]
                outcome[item_id] = f"same id, title and year as in {DATA_SETS[name].title}"
            else:
                outcome[item_id] = ANOTHER
    catalogs = [catalog_of_items(DATA_SETS[name].title, other) for name, other in others.items()]
    resolved = resolve_titles(items.loc[tconst.isna(), ["title"]], catalogs)
    links = resolved.links[resolved.links["method"].isin(_METHODS) & ~resolved.links["tconst"].isin(tconst)]
    several = links["tconst"].duplicated(keep=False)
    by_title = links[~several].set_index("item_id")
    tconst[by_title.index] = by_title["tconst"]
    outcome[by_title.index] = "same title and year as in " + by_title["catalog"]
    outcome[[*links.loc[several, "item_id"], *resolved.ambiguous["item_id"]]] = SEVERAL
    return _count(items.assign(tconst=tconst), outcome)


def _count(items: pd.DataFrame, outcome: pd.Series) -> LinkedItems:
    counts = outcome.value_counts()
    # What was linked comes first.
    names = sorted(counts.index, key=lambda name: (name.startswith("not linked"), -counts[name]))
    outcomes = {name: int(counts[name]) for name in names}
    logger.info("IMDb titles of %d items: %s", len(items), "; ".join(f"{n:,} {name}" for name, n in outcomes.items()))
    return LinkedItems(items, outcomes)
