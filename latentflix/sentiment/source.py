"""The Large Movie Review Dataset as its authors pack it: a folder with a training and a test half."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.data.large_movie import NEGATIVE, POSITIVE, SPLITS, ReviewFile, film_urls, imdb_id, review_files
from latentflix.data.tables import Tables
from latentflix.errors import DataError

_LABELS = (POSITIVE, NEGATIVE)


class SentimentSource(StageConfig):
    """A folder of labelled reviews. Without a path, the reviews are those of the data set, and are split by film."""

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
    for file in _labelled_files(source.path):
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


def _labelled_files(path: Path) -> Iterator[ReviewFile]:
    if path.is_dir():
        yield from (file for file in review_files(path) if file.label in _LABELS)


def load_sentiment_source(config: SentimentSourceConfig) -> Tables:
    """Load two tables: `reviews` (text, positive bool, tconst nullable, part) and `unreadable` (file, reason).

    Without the lists of films, tconst is missing. A file that is not UTF-8 is named in `unreadable`.
    """
    urls = film_urls(config.path)
    reviews, unreadable = [], []
    for file in _labelled_files(config.path):
        try:
            text = file.read().decode("utf-8")
        except UnicodeDecodeError as error:
            unreadable.append((file.name, f"not UTF-8: {error.reason}"))
            continue
        films = urls.get((file.split, file.label), [])
        tconst = imdb_id(films[file.number]) if file.number is not None and file.number < len(films) else None
        reviews.append((text, file.label == POSITIVE, tconst, file.split))
    return {
        "reviews": pd.DataFrame(reviews, columns=["text", "positive", "tconst", "part"]).astype({"tconst": "str"}),
        "unreadable": pd.DataFrame(unreadable, columns=["file", "reason"]).astype("str"),
    }
