"""Labelled reviews, split so that no film is both trained on and scored: its reviews often share their verdict."""

import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.data.large_movie import (
    NEGATIVE,
    POSITIVE,
    SPLITS,
    UNLABELLED,
    ReviewFile,
    film_urls,
    imdb_id,
    review_files,
)
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.data.tables import Tables
from latentflix.errors import DataError
from latentflix.text.cleaning import text_id

logger = logging.getLogger(__name__)

_LABELS = {POSITIVE: True, NEGATIVE: False}
_BLANKS = re.compile(r"(?:\s|<br\s*/?>)+", re.IGNORECASE)
_BREAK = re.compile(r"[<\r\n]")


class SentimentSource(StageConfig):
    """A folder of reviews. Without a path, the reviews are those of the data set, and are split by film."""

    path: Path | None = setting(
        None, "the unpacked archive aclImdb_v1, whose own split into train and test is used: a folder"
    )


class SentimentSourceConfig(SentimentSource):
    """A folder of labelled reviews, known by what it holds: the same folder elsewhere makes no other artifact."""

    path: Path = Field(exclude=True, description="as in SentimentSource")
    sha256: str = Field(description="SHA-256 of all names and contents of its files")


def with_fingerprint(source: SentimentSource) -> SentimentSourceConfig:
    """The source with the hash of its files. Raises DataError if the folder is not laid out as the archive is."""
    if source.path is None:
        raise ValueError("only a source with a path can be identified")
    digest, found = hashlib.sha256(), set()
    for file in _files(source.path):
        content = file.read()
        digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
        found.add((file.split, file.label))
    missing = [f"{split}/{label}" for split in SPLITS for label in _LABELS if (split, label) not in found]
    if missing:
        raise DataError(
            "a folder does not hold the labelled reviews",
            where=str(source.path),
            found=f"no text in {', '.join(missing)}",
            expected="train/pos, train/neg, test/pos and test/neg with a .txt file for each review",
            hint="name the unpacked archive aclImdb_v1 with --sentiment-source.path",
        )
    digest.update(repr(film_urls(source.path)).encode())
    return SentimentSourceConfig(path=source.path, sha256=digest.hexdigest())


def _files(path: Path) -> Iterator[ReviewFile]:
    if path.is_dir():
        yield from review_files(path)


def join_lines(text: str) -> str:
    """Replace line breaks, in HTML or plain, by a blank: some copies of the reviews have them and some have not."""
    return _BLANKS.sub(lambda blanks: " " if _BREAK.search(blanks[0]) else blanks[0], text)


def load_sentiment_source(config: SentimentSourceConfig) -> Tables:
    """Load two tables: `reviews` (text in one line, positive, tconst, part) and `unreadable` (file, reason).

    positive: bool, and None in the part `unsup`. Without the lists of films, tconst is missing. A file that is not
    UTF-8 is named in `unreadable`.
    """
    urls = film_urls(config.path)
    reviews, unreadable = [], []
    for file in _files(config.path):
        try:
            text = join_lines(file.read().decode("utf-8"))
        except UnicodeDecodeError as error:
            unreadable.append((file.name, f"not UTF-8: {error.reason}"))
            continue
        films = urls.get((file.split, file.label), [])
        tconst = imdb_id(films[file.number]) if file.number is not None and file.number < len(films) else None
        part = UNLABELLED if file.label == UNLABELLED else file.split
        reviews.append((text, _LABELS.get(file.label), tconst, part))
    return {
        "reviews": pd.DataFrame(reviews, columns=["text", "positive", "tconst", "part"]).astype({"tconst": "str"}),
        "unreadable": pd.DataFrame(unreadable, columns=["file", "reason"]).astype("str"),
    }


class SentimentReviewConfig(StageConfig):
    """Which reviews count, and how they are split."""

    valid_share: float = setting(0.12, "share of the reviews that everything is chosen on", gt=0, lt=0.5)
    test_share: float = setting(0.2, "share that is only scored; a source with a test half keeps its own", gt=0, lt=0.5)
    max_characters: int = setting(100_000, "longest text that is used", unit="characters", ge=100)
    seed: int = setting(0, "seed of the split", ge=0)


@dataclass(frozen=True)
class SentimentReviews:
    """Labelled reviews, split by film.

    Attributes:
        reviews: review_id str, text str, positive bool, film str (an IMDb id; the review's own if it is unknown), part
            (train, valid, test), sorted by review_id.
        unlabelled: text, of reviews without a label, none of them of a film of valid or test.
        unread: text_id of every text of the source that is in neither train nor unlabelled: what a language model may
            not be trained on.
        left_out: row (of the source, counting from 0), reason.
        shared_films: films that have reviews in the source's own test half and in its training half.
    """

    reviews: pd.DataFrame
    unlabelled: pd.DataFrame
    unread: pd.DataFrame
    left_out: pd.DataFrame
    shared_films: int

    def counts(self) -> dict[str, dict[str, int]]:
        """For each part: reviews, films, and positive reviews."""
        grouped = self.reviews.groupby("part")
        table = grouped.agg(reviews=("film", "size"), films=("film", "nunique"), positive=("positive", "sum"))
        return {str(part): {name: int(count) for name, count in row.items()} for part, row in table.iterrows()}


def prepare_sentiment(
    table: pd.DataFrame, review_films: pd.DataFrame, config: SentimentReviewConfig
) -> SentimentReviews:
    """Leave out what cannot be used, and split the films into train, valid and test.

    A source with a part for each review keeps its test half, and valid is split off train. A text with several films is
    left out, and so is one without a label if it is of a film of valid or test. Raises DataError if a part has no
    positive or no negative reviews.

    Args:
        table: text, positive (0 or 1); tconst (nullable) and part (train, test, unsup: no label) if the source has
            them.
        review_films: as `review_links` returns it, for reviews without tconst.
    """
    source = table.reindex(columns=["text", "positive", "tconst", "part"]).reset_index(drop=True)
    source["review_id"] = [text_id(text) if isinstance(text, str) else None for text in source["text"]]
    titles = review_films.groupby("review_sha256")["tconst"]
    source["tconst"] = source["tconst"].fillna(source["review_id"].map(titles.first()))
    source["film"] = source["tconst"].fillna(source["review_id"])
    without_label = (source["part"] == UNLABELLED).to_numpy()
    unlabelled, source = source[without_label], source[~without_label]
    reasons = _reasons(source, titles.nunique(), config)
    left_out = reasons[reasons.notna()].rename("reason").rename_axis("row").reset_index()

    columns = {"review_id": "str", "text": "str", "positive": "bool", "film": "str", "part": "str"}
    reviews = source.loc[reasons.isna(), list(columns)].astype(columns)
    reviews = reviews.sort_values("review_id", ignore_index=True)
    own = reviews["part"].isin([TRAIN, TEST]).to_numpy()
    test = own & (reviews["part"] == TEST).to_numpy()
    shared = len(set(reviews.loc[test, "film"]) & set(reviews.loc[own & ~test, "film"]))
    shares = {VALID: config.valid_share} if own.any() else {TEST: config.test_share, VALID: config.valid_share}
    reviews.loc[~test, "part"] = split_by_group(reviews.loc[~test, "film"], shares, config.seed)

    held_out = reviews.loc[reviews["part"] != TRAIN, "film"]
    usable = unlabelled["text"].str.len().between(1, config.max_characters) & ~unlabelled["film"].isin(held_out)
    usable &= ~unlabelled["review_id"].isin(source["review_id"]) & ~unlabelled.duplicated("review_id")
    ids = pd.concat([source["review_id"], unlabelled["review_id"]]).dropna().drop_duplicates().rename("text_id")
    read = [*reviews.loc[reviews["part"] == TRAIN, "review_id"], *unlabelled.loc[usable, "review_id"]]
    prepared = SentimentReviews(
        reviews,
        unlabelled.loc[usable, ["text"]].astype("str").reset_index(drop=True),
        ids[~ids.isin(read)].astype("str").to_frame().reset_index(drop=True),
        left_out.astype({"reason": "str"}),
        shared,
    )
    kinds = reviews.groupby("part")["positive"].nunique().reindex([TRAIN, VALID, TEST], fill_value=0)
    if kinds.min() < 2:
        counts = prepared.counts().items()
        raise DataError(
            "a part has no positive or no negative reviews",
            where=str(kinds.idxmin()),
            found="; ".join(f"{part}: {n['positive']} positive of {n['reviews']} reviews" for part, n in counts),
            expected="positive and negative reviews in train, valid and test",
            hint="bring more reviews, or change --sentiment-reviews.valid-share and --sentiment-reviews.test-share",
        )
    logger.info(
        "sentiment: %d reviews, %d left out: %s; %d without a label",
        *(len(reviews), len(left_out), prepared.counts(), len(prepared.unlabelled)),
    )
    return prepared


def _reasons(source: pd.DataFrame, n_titles: pd.Series, config: SentimentReviewConfig) -> pd.Series:
    """The first reason why each row is left out, None if it is not."""
    same_text = source.groupby("review_id")
    # Of a text in both halves the one in test is used, so that it is not trained on.
    ordered = source.assign(order=source["part"].eq(TRAIN)).sort_values("order", kind="stable")
    text = source["text"].where(source["review_id"].notna(), "").str
    several = (same_text["film"].transform("nunique") > 1) | (source["review_id"].map(n_titles) > 1)
    found = {
        "no text": text.strip() == "",
        "no label 0 or 1": ~source["positive"].isin([0, 1]),
        f"longer than {config.max_characters:,} characters": text.len() > config.max_characters,
        "positive in one row and negative in another": same_text["positive"].transform("nunique") > 1,
        "of several films": several & source["review_id"].notna(),
        "duplicate": ordered.duplicated("review_id").reindex(source.index),
    }
    reasons = pd.Series(None, source.index, dtype=object)
    for reason, holds in reversed(found.items()):
        reasons[holds.fillna(False).to_numpy(bool)] = reason
    return reasons


def split_by_group(groups: pd.Series, shares: dict[str, float], seed: int) -> np.ndarray:
    """Split groups into parts of about these shares, the rest for training: str (rows,), the part of each row."""
    sizes = groups.value_counts().sort_index()
    sizes = sizes.iloc[np.random.default_rng(seed).permutation(len(sizes))]
    middle = (sizes.cumsum() - sizes / 2) / sizes.sum()
    place = np.searchsorted(np.cumsum(list(shares.values())), middle.to_numpy(), side="right")
    part_of = pd.Series(np.array([*shares, TRAIN], dtype=object)[place], sizes.index)
    return groups.map(part_of).to_numpy(dtype=object)
