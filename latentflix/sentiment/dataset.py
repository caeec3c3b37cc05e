"""Labelled reviews, dealt so that no film is both learned from and scored.

Reviews of one film share its title, its actors and often its verdict, so a classifier that has read some of them
knows more of the others than it would of a new film.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.errors import DataError
from latentflix.text.tokenizer import text_id

logger = logging.getLogger(__name__)


class SentimentReviewConfig(StageConfig):
    """Which reviews count, and how they are dealt."""

    valid_share: float = setting(0.12, "share of the reviews that everything is chosen on", gt=0, lt=0.5)
    test_share: float = setting(0.2, "share that is only scored; a source with a test half keeps its own", gt=0, lt=0.5)
    max_characters: int = setting(100_000, "longest review that is taken for one", unit="characters", ge=100)
    seed: int = setting(0, "seed of the split", ge=0)


@dataclass(frozen=True)
class SentimentReviews:
    """reviews: review_id str, text str, positive bool, film str, part (train, valid, test), sorted by review_id.

    film: an IMDb title, or the review's own id where the title is not known. unread: text_id of every text of the
    source that is not in train: what a language model may not read. left_out: row (of the source, counting from 0),
    reason. shared_films: titles in a source's own test half of which it has reviews in its training half.
    """

    reviews: pd.DataFrame
    unread: pd.DataFrame
    left_out: pd.DataFrame
    shared_films: int

    def counts(self) -> dict[str, dict[str, int]]:
        """Of each part: reviews, films, and positive reviews."""
        grouped = self.reviews.groupby("part")
        table = grouped.agg(reviews=("film", "size"), films=("film", "nunique"), positive=("positive", "sum"))
        return {str(part): {name: int(count) for name, count in row.items()} for part, row in table.iterrows()}


def prepare_sentiment(
    table: pd.DataFrame, review_films: pd.DataFrame, config: SentimentReviewConfig
) -> SentimentReviews:
    """Leave out what cannot be used, say why, and deal the films into train, valid and test.

    table: text, positive (0 or 1); tconst (nullable) and part (train, test) if the source knows them. review_films:
    as `review_links`; asked where the source knows no title. With a part, test is as the source has it, and valid is
    dealt out of train. A text that stands under several films is left out. Raises DataError if a part would
    lack reviews of one kind.
    """
    given = table.reindex(columns=["text", "positive", "tconst", "part"]).reset_index(drop=True)
    given["review_id"] = [_digest(text) for text in given["text"]]
    titles = review_films.groupby("review_sha256")["tconst"]
    given["tconst"] = given["tconst"].fillna(given["review_id"].map(titles.first()))
    given["film"] = given["tconst"].fillna(given["review_id"])
    reasons = _reasons(given, titles.nunique(), config)
    left_out = reasons[reasons.notna()].rename("reason").rename_axis("row").reset_index()

    columns = {"review_id": "str", "text": "str", "positive": "bool", "film": "str", "part": "str"}
    reviews = given.loc[reasons.isna(), list(columns)].astype(columns)
    reviews = reviews.sort_values("review_id", ignore_index=True)
    own = reviews["part"].isin([TRAIN, TEST]).to_numpy()
    test = own & (reviews["part"] == TEST).to_numpy()
    shared = len(set(reviews.loc[test, "film"]) & set(reviews.loc[own & ~test, "film"]))
    shares = {VALID: config.valid_share} if own.any() else {TEST: config.test_share, VALID: config.valid_share}
    reviews.loc[~test, "part"] = deal_whole_films(reviews.loc[~test, "film"], shares, config.seed)

    ids = given["review_id"].dropna().unique()
    unread = pd.DataFrame({"text_id": ids[~np.isin(ids, reviews.loc[reviews["part"] == TRAIN, "review_id"])]})
    prepared = SentimentReviews(reviews, unread.astype("str"), left_out.astype({"reason": "str"}), shared)
    _check_parts(prepared)
    logger.info("sentiment: %d reviews, %d left out: %s", len(reviews), len(left_out), prepared.counts())
    return prepared


def _digest(text: object) -> str | None:
    return text_id(text) if isinstance(text, str) else None


def _reasons(given: pd.DataFrame, n_titles: pd.Series, config: SentimentReviewConfig) -> pd.Series:
    """Why a row is left out: str, None where it is not; the first of its reasons."""
    same_text = given.groupby("review_id")
    # Of a text in both halves the one in test stays, so that it is not learned from.
    ordered = given.assign(order=given["part"].eq(TRAIN)).sort_values("order", kind="stable")
    lengths = given["text"].where(given["review_id"].notna(), "").str.len()
    several = (same_text["film"].transform("nunique") > 1) | (given["review_id"].map(n_titles) > 1)
    found = {
        "no text": given["text"].where(given["review_id"].notna(), "").str.strip() == "",
        "no label 0 or 1": ~given["positive"].isin([0, 1]),
        f"longer than {config.max_characters:,} characters": lengths > config.max_characters,
        "stands as positive and as negative": same_text["positive"].transform("nunique") > 1,
        "stands under several films": several & given["review_id"].notna(),
        "another row once more": ordered.duplicated("review_id").reindex(given.index),
    }
    reasons = pd.Series(None, given.index, dtype=object)
    for reason, holds in reversed(found.items()):
        reasons[holds.fillna(False).to_numpy(bool)] = reason
    return reasons


def deal_whole_films(films: pd.Series, shares: dict[str, float], seed: int) -> np.ndarray:
    """The part of each review, str (reviews,): about these shares of the reviews, the rest is for training.

    films: the film of each review; all its reviews go together. The order of the rows is nothing to the draw.
    """
    sizes = films.value_counts().sort_index()
    sizes = sizes.iloc[np.random.default_rng(seed).permutation(len(sizes))]
    middle = (sizes.cumsum() - sizes / 2) / sizes.sum()
    place = np.searchsorted(np.cumsum(list(shares.values())), middle.to_numpy(), side="right")
    part_of = pd.Series(np.array([*shares, TRAIN], dtype=object)[place], sizes.index)
    return films.map(part_of).to_numpy(dtype=object)


def _check_parts(prepared: SentimentReviews) -> None:
    kinds = prepared.reviews.groupby("part")["positive"].nunique().reindex([TRAIN, VALID, TEST], fill_value=0)
    if kinds.min() < 2:
        raise DataError(
            "a part has no reviews of one kind",
            where=str(kinds.idxmin()),
            found="; ".join(
                f"{part}: {count['positive']} positive of {count['reviews']} reviews"
                for part, count in prepared.counts().items()
            ),
            expected="positive and negative reviews in train, valid and test",
            hint="bring more reviews, or change --sentiment-reviews.valid-share and --sentiment-reviews.test-share",
        )
