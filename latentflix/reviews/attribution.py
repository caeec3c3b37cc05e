"""Where the reviews of a run come from, and the words that their licences ask for wherever they are shown."""

import pandas as pd

CORPUS = "corpus"


def count_sources(reviews: pd.DataFrame) -> pd.DataFrame:
    """How many items and reviews each source has: index source; items, reviews, both int64; the largest first.

    reviews: item_id, and source if they come from a review store; those of the embedded corpus have none.
    """
    source = reviews["source"] if "source" in reviews else pd.Series(CORPUS, reviews.index)
    counts = reviews.groupby(source.rename("source"))["item_id"].agg(items="nunique", reviews="size")
    return counts.sort_values("reviews", ascending=False, kind="stable")


def attributions(reviews: pd.DataFrame) -> list[str]:
    """Each attribution that a review asks for, once, in alphabetical order."""
    if "attribution" not in reviews:
        return []
    return sorted(reviews["attribution"].dropna().unique())


def attribution_by_review(reviews: pd.DataFrame) -> dict[str, str]:
    """The attribution of each review that asks for one, by review_id."""
    if "attribution" not in reviews:
        return {}
    asking = reviews.dropna(subset="attribution")
    return dict(zip(asking["review_id"], asking["attribution"], strict=True))
