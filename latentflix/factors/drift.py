"""Drift: how new reviews, which alone are predicted, change the histograms of the last report.

The distance between two histograms is half the sum of what each label's share gained or lost, divided by the number of
labels that a review votes for: 0 if nothing changed, 1 if no label kept a vote. Both are the network's, whatever the
report shows: of a known item, only a classifier that has held it out is no judge in its own cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.factors.histograms import HistogramConfig, count_votes, score_by_network
from latentflix.reviews.join import imdb_links
from latentflix.reviews.store import ReviewStore
from latentflix.text.cleaning import plain_text

_COLUMNS = ("tconst", "text", "kind", "content_sha256", "first_seen")
_NAMED_LABELS = 3


class DriftConfig(StageConfig):
    """When a histogram has drifted, and how new reviews are predicted."""

    batch_size: int = setting(64, "reviews per batch", ge=1)
    max_characters: int = setting(100_000, "longest review that is read", unit="characters", ge=100)
    drifted_from: float = setting(0.1, "distance from which a histogram has drifted", ge=0, le=1)


class StoredDriftConfig(DriftConfig):
    """New reviews of a store: those of one version of it since a refresh began."""

    store: str = Field(exclude=True, description="where the store is")
    storage_options: dict[str, str] = setting({}, "as in ReviewStoreConfig", exclude=True)
    store_id: str = Field(description="which store")
    store_version: int = Field(description="its version")
    new_since: str = Field(description="when the refresh began that brought them, ISO 8601")


@dataclass(frozen=True)
class NewReviews:
    """Reviews that the last run has not read: review_id (the text's SHA-256), item_id, text.

    held_out: index review_id, a bool column for each classifier: whether it has read nothing about the item.
    """

    reviews: pd.DataFrame
    held_out: pd.DataFrame


def find_new_reviews(
    items: pd.DataFrame, read: pd.DataFrame, folds: pd.Series, config: StoredDriftConfig
) -> NewReviews:
    """Find the reviews that a refresh brought and that the last run has not read; a text of several items is left out.

    Args:
        items: index item_id; tconst (nullable).
        read: review_id, those that the run read.
        folds: index item_id; an item that no classifier has read about is predicted by all of them.
    """
    titles = imdb_links(items)
    stored = ReviewStore(config.store, config.storage_options).read(titles["tconst"], config.store_version, _COLUMNS)
    new = stored[(stored["kind"] == "review") & (stored["first_seen"] >= pd.Timestamp(config.new_since))]
    new = new[new["text"].str.len() <= config.max_characters]
    new = new.rename(columns={"content_sha256": "review_id"}).drop_duplicates(["review_id", "tconst"])
    new = new[~new["review_id"].duplicated(keep=False) & ~new["review_id"].isin(read["review_id"])]
    new = new.merge(titles, on="tconst").sort_values("review_id")
    reviews = new[["review_id", "item_id", "text"]].assign(text=new["text"].map(plain_text).astype("str"))
    fold = reviews["item_id"].map(folds)
    held_out = {str(name): (fold.isna() | (fold == name)).to_numpy() for name in sorted(folds.unique())}
    return NewReviews(
        reviews.reset_index(drop=True), pd.DataFrame(held_out, index=pd.Index(reviews["review_id"], name="review_id"))
    )


def compare_histograms(
    previous: tuple[pd.DataFrame, pd.DataFrame],
    new: tuple[pd.DataFrame, pd.DataFrame],
    labels: Sequence[str],
    histograms: HistogramConfig,
    config: DriftConfig,
) -> pd.DataFrame:
    """Measure how far the histogram of each item with new reviews has drifted.

    previous: predictions and reviews of the last run. new: predictions and reviews of what has come since.

    Returns:
        One row per item, those that drifted most first: item_id int32, reviews (of the last run), new_reviews,
        distance float (0 to 1; NaN if the item had no reviews), drifted bool, gained and lost str (the labels whose
        share rose or fell most).
    """

    def shares_of(scores: pd.DataFrame, item_ids: pd.Series) -> pd.DataFrame:
        counted, _ = count_votes(scores, item_ids, histograms)
        return counted.pivot(index="item_id", columns="label", values="share")[list(labels)]

    # What is usual is what the last run has found, so that only new reviews move a histogram.
    old, fresh = (score_by_network(predictions, list(labels), previous[0]) for predictions, _ in (previous, new))
    old_items, fresh_items = (reviews.set_index("review_id")["item_id"] for _, reviews in (previous, new))
    old_shares = shares_of(old, old_items)
    shares = shares_of(pd.concat([old, fresh]), pd.concat([old_items, fresh_items]))
    rows = []
    for item_id, count in fresh_items.value_counts().items():
        is_known = item_id in old_shares.index
        change = shares.loc[item_id] - (old_shares.loc[item_id] if is_known else 0.0)
        distance = change.abs().sum() / 2 / min(histograms.top_k, len(labels)) if is_known else float("nan")
        rows.append(
            {
                "item_id": item_id,
                "reviews": int((old_items == item_id).sum()),
                "new_reviews": int(count),
                "distance": distance,
                "drifted": not is_known or distance >= config.drifted_from,
                "gained": ", ".join(change[change > 0].nlargest(_NAMED_LABELS).index),
                "lost": ", ".join(change[change < 0].nsmallest(_NAMED_LABELS).index),
            }
        )
    types = {"item_id": "int32", "reviews": "int64", "new_reviews": "int64", "distance": "float64", "drifted": "bool"}
    types |= {"gained": "str", "lost": "str"}
    table = pd.DataFrame(rows, columns=list(types)).astype(types)
    return table.sort_values(["distance", "item_id"], ascending=[False, True], ignore_index=True)
