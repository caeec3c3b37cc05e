"""What new reviews change: they alone are predicted, and the histograms of the last report are compared with the new.

A histogram has drifted if votes have gone from some labels to others: half the sum of what each label's share gained or
lost, over the labels that a review votes for, which is 0 if nothing drifted and 1 if no label kept a vote.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.factors.histograms import HistogramConfig, count_predictions
from latentflix.reviews.store import ReviewStore
from latentflix.text.cleaning import plain_text

_COLUMNS = ("tconst", "text", "kind", "content_sha256", "first_seen")
_NAMED_LABELS = 3


class DriftConfig(StageConfig):
    """Which histograms have drifted, and how new reviews are predicted."""

    batch_size: int = setting(64, "reviews a batch", ge=1)
    drifted_from: float = setting(0.1, "share of votes from which on a histogram has drifted", ge=0, le=1)


class StoredDriftConfig(DriftConfig):
    """New reviews of a store, known by the version of the store and since when they are new."""

    store: str = Field(exclude=True, description="where the store is")
    storage_options: dict[str, str] = Field({}, exclude=True, description="as in ReviewStoreConfig")
    store_id: str = Field(description="which store")
    store_version: int = Field(description="its version")
    new_since: str = Field(description="when the refresh began that brought them, ISO 8601")


@dataclass(frozen=True)
class NewReviews:
    """What the last run has not read.

    reviews: review_id (the text's SHA-256), item_id, text. held_out: index review_id, a bool column for each
    classifier that has read nothing about the review's item.
    """

    reviews: pd.DataFrame
    held_out: pd.DataFrame


def find_new_reviews(
    items: pd.DataFrame, read: pd.DataFrame, folds: pd.Series, config: StoredDriftConfig
) -> NewReviews:
    """The reviews of items that a refresh brought and that the last run has not read; no text of several items.

    items: index item_id, tconst (nullable). read: review_id, as the run read them. folds: index item_id; an item that
    no classifier has read about is told by all of them.
    """
    titles = items.reindex(columns=["tconst"]).dropna().astype("str").reset_index()
    stored = ReviewStore(config.store, config.storage_options).read(titles["tconst"], config.store_version, _COLUMNS)
    new = stored[(stored["kind"] == "review") & (stored["first_seen"] >= pd.Timestamp(config.new_since))]
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
    before: tuple[pd.DataFrame, pd.DataFrame],
    new: tuple[pd.DataFrame, pd.DataFrame],
    labels: Sequence[str],
    histograms: HistogramConfig,
    config: DriftConfig,
) -> pd.DataFrame:
    """How far the histogram of each item with new reviews has drifted, those that drifted most first.

    before, new: predictions and reviews, of the last run and of what has come since. Returns item_id int32, reviews
    (as before), new_reviews, distance float (0 to 1; NaN of an item that had none), drifted bool, gained and lost str
    (the labels whose share rose or fell most).
    """
    known, fresh = (_one_for_each(*each, labels) for each in (before, new))
    if fresh[0].empty:
        columns = {"item_id": "int32", "reviews": "int64", "new_reviews": "int64", "distance": "float64"}
        texts = {"drifted": "bool", "gained": "str", "lost": "str"}
        return pd.DataFrame(columns=[*columns, *texts]).astype({**columns, **texts})
    joined = (pd.concat([known[0], fresh[0]]), pd.concat([known[1], fresh[1]]))
    old_shares, new_shares = (_shares(*each, labels, histograms) for each in (known, joined))
    rows = []
    for item_id, count in fresh[1].value_counts().items():
        had = item_id in old_shares.index
        change = new_shares.loc[item_id] - (old_shares.loc[item_id] if had else 0.0)
        distance = change.abs().sum() / 2 / min(histograms.top_k, len(labels)) if had else float("nan")
        rows.append(
            {
                "item_id": item_id,
                "reviews": int((known[1] == item_id).sum()),
                "new_reviews": int(count),
                "distance": distance,
                "drifted": not had or distance >= config.drifted_from,
                "gained": ", ".join(change[change > 0].nlargest(_NAMED_LABELS).index),
                "lost": ", ".join(change[change < 0].nsmallest(_NAMED_LABELS).index),
            }
        )
    table = pd.DataFrame(rows).sort_values(["distance", "item_id"], ascending=[False, True], ignore_index=True)
    return table.astype({"item_id": "int32", "drifted": "bool"})


def _one_for_each(
    predictions: pd.DataFrame, reviews: pd.DataFrame, labels: Sequence[str]
) -> tuple[pd.DataFrame, pd.Series]:
    """One prediction for each review, the mean over the classifiers that tell it, and the items of the reviews."""
    told = predictions[predictions["classifier"] != RANDOM_SPLIT].groupby("review_id")[list(labels)].mean()
    return told.reset_index().assign(classifier="all"), reviews.set_index("review_id")["item_id"]


def _shares(
    predictions: pd.DataFrame, item_ids: pd.Series, labels: Sequence[str], histograms: HistogramConfig
) -> pd.DataFrame:
    shares, _ = count_predictions(predictions, item_ids, list(labels), histograms)
    return shares.pivot(index="item_id", columns="label", values="share")[list(labels)]
