"""Sources of the reviews of a run, and the attributions that their licences ask for."""

import pandas as pd

CORPUS = "corpus"


def count_sources(reviews: pd.DataFrame) -> pd.DataFrame:
    """Count the items and reviews of each source, the largest first: index source; items, reviews int64.

    Reviews without the column `source` come from the corpus rather than a review store.
    """
    source = reviews["source"] if "source" in reviews else pd.Series(CORPUS, reviews.index)
    counts = reviews.groupby(source.rename("source"))["item_id"].agg(items="nunique", reviews="size")
    return counts.sort_values("reviews", ascending=False, kind="stable")


def attributions(reviews: pd.DataFrame) -> list[str]:
    """List each attribution once, in alphabetical order."""
    return sorted(reviews.get("attribution", pd.Series(dtype="str")).dropna().unique())


def attribution_by_review(reviews: pd.DataFrame) -> dict[str, str]:
    """Return the attribution of each review that has one, by review_id."""
    asking = reviews.reindex(columns=["review_id", "attribution"]).dropna()
    return dict(zip(asking["review_id"], asking["attribution"], strict=True))
