"""The Large Movie Review Dataset as Stanford publishes it: the folder `aclImdb`, or `aclImdb_v1.tar.gz`.

`train/pos/7_9.txt` is review 7 of the positive ones to train on and gives 9 of 10 stars; line 7, counting from 0, of
`train/urls_pos.txt` is the address of its film. Reviews in `unsup` have no label, and 0 stars.
Source: the README in it, https://ai.stanford.edu/~amaas/data/sentiment/
"""

import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import product
from pathlib import Path

import pandas as pd

from latentflix.data.files import UNREADABLE, unreadable
from latentflix.data.splits import TEST, TRAIN
from latentflix.data.tables import Tables
from latentflix.errors import DataError

ARCHIVE, FOLDER = "aclImdb_v1.tar.gz", "aclImdb"
SPLITS = (TRAIN, TEST)
POSITIVE, NEGATIVE, UNLABELLED = LABELS = ("pos", "neg", "unsup")
# How many reviews the whole data set has.
SIZES = {
    **dict.fromkeys(product(SPLITS, (POSITIVE, NEGATIVE)), 12_500),
    (TRAIN, UNLABELLED): 50_000,
}
_FOLDER, _LABEL = rf"(?:^|/)((?P<split>{'|'.join(SPLITS)})/", rf"(?P<label>{'|'.join(LABELS)})"
_REVIEW = re.compile(rf"{_FOLDER}{_LABEL}/(?:(?P<number>\d+)(?:_(?P<stars>\d+))?|[^/]+)\.txt)$")
_URLS = re.compile(rf"{_FOLDER}urls_{_LABEL}\.txt)$")
_IMDB_ID = re.compile(r"tt\d{7,}")


@dataclass(frozen=True)
class ReviewFile:
    """The review of `name`, as `train/pos/7_9.txt`; number and stars, 7 and 9, are None if that does not say them.

    `read` reads the text, in UTF-8; in an archive only before the next file is asked for.
    """

    name: str
    split: str
    label: str
    number: int | None
    stars: int | None
    read: Callable[[], bytes]


def review_files(path: Path) -> Iterator[ReviewFile]:
    """All reviews: of a folder, or the one above it, by split, label and name; of an archive in its own order.

    Raises OSError, EOFError, tarfile.TarError or zlib.error if an archive cannot be read.
    """
    for match, read in _files(path, _REVIEW):
        number, stars = (None if match[name] is None else int(match[name]) for name in ("number", "stars"))
        yield ReviewFile(match[1], match["split"], match["label"], number, stars, read)


def film_urls(path: Path) -> dict[tuple[str, str], list[str]]:
    """The address of the film of each review, by split and label, in lists by number; empty in a copy without them."""
    return {
        (match["split"], match["label"]): read().decode("utf-8", errors="replace").splitlines()
        for match, read in _files(path, _URLS)
    }


def film_reviews(path: Path) -> Iterator[tuple[ReviewFile, str]]:
    """All reviews that have a number, and the address of the film of each; in the order of `review_files`.

    Raises DataError if the copy cannot be read, does not name the films, or names them for other reviews than it has.
    """
    with _readable(path):
        urls = film_urls(path)
        if not urls:
            raise DataError(
                "the copy does not say which film a review is about",
                where=str(path),
                expected="train/urls_pos.txt and its like",
                hint="take the archive of https://ai.stanford.edu/~amaas/data/sentiment/; some copies lack them",
            )
        found: Counter[tuple[str, str]] = Counter()
        for file in review_files(path):
            if file.number is None or file.stars is None:
                continue
            films = urls.get((file.split, file.label), [])
            if file.number >= len(films):
                raise _other_length(path, file.split, file.label, len(films), f"more than {file.number:,}: {file.name}")
            found[file.split, file.label] += 1
            yield file, films[file.number]
        for (split, label), films in urls.items():
            if len(films) != found[split, label]:
                raise _other_length(path, split, label, len(films), f"{found[split, label]:,}, as many as reviews")


def read_text(path: Path, file: ReviewFile) -> str:
    """The text of a review of the copy at `path`. Raises DataError if it cannot be read or is not UTF-8."""
    with _readable(path):
        content = file.read()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            "a review is not UTF-8",
            where=f"{path}: {file.name}",
            found=str(error),
            expected="the text as it is published",
            hint="fetch the data set again, or write the file anew in UTF-8",
        ) from error


def read_large_movie(path: Path) -> Tables:
    """Read the whole data set: `reviews`, sorted by name.

    The columns are name str (as "train/pos/7_9"), tconst str (nullable), stars Int8 (missing without a label), text
    str. Raises DataError as `film_reviews` and `read_text` do, and if the reviews are more or fewer than `SIZES`.
    """
    counts: Counter[tuple[str, str]] = Counter()
    rows = []
    for file, url in film_reviews(path):
        counts[file.split, file.label] += 1
        rows.append((file.name.removesuffix(".txt"), imdb_id(url), file.stars or None, read_text(path, file)))
    if counts != SIZES:
        raise DataError(
            "the copy is not the whole data set, or is another edition",
            where=str(path),
            found=_describe_sizes(counts),
            expected=_describe_sizes(SIZES),
            hint=f"fetch and unpack {ARCHIVE} again",
        )
    reviews = pd.DataFrame(rows, columns=["name", "tconst", "stars", "text"]).sort_values("name", ignore_index=True)
    return {"reviews": reviews.astype({"name": "str", "tconst": "str", "stars": "Int8", "text": "str"})}


def _describe_sizes(counts: Mapping[tuple[str, str], int]) -> str:
    return ", ".join(f"{counts.get(place, 0):,} in {'/'.join(place)}" for place in SIZES)


def _other_length(path: Path, split: str, label: str, lines: int, expected: str) -> DataError:
    return DataError(
        "a list of films does not fit the reviews",
        where=str(path),
        found=f"{split}/urls_{label}.txt has {lines:,} lines",
        expected=expected,
        hint=f"fetch and unpack {ARCHIVE} again",
    )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise DataError where the copy cannot be read."""
    try:
        yield
    except (*UNREADABLE, OSError) as error:
        what = "the copy of the Large Movie Review Dataset cannot be read"
        expected = f"the folder {FOLDER}, or {ARCHIVE}"
        hint = "fetch it again from https://ai.stanford.edu/~amaas/data/sentiment/"
        raise unreadable(what, path, error, expected, hint) from error


def imdb_id(url: str) -> str | None:
    """The IMDb id in the address of a film."""
    match = _IMDB_ID.search(url)
    return match and match[0]


def _files(path: Path, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], Callable[[], bytes]]]:
    """The files whose names match, and how each is read."""
    if path.is_dir():
        folder = path / "aclImdb" if (path / "aclImdb").is_dir() else path
        for split, label in product(SPLITS, LABELS):
            files = [*sorted((folder / split / label).glob("*.txt")), *(folder / split).glob(f"urls_{label}.txt")]
            yield from ((match, file.read_bytes) for file in files if (match := pattern.search(file.as_posix())))
        return
    with tarfile.open(path) as archive:
        for member in archive:
            match = pattern.search(member.name)
            content = archive.extractfile(member) if match else None
            if match and content:
                yield match, content.read


def review_links() -> pd.DataFrame:
    """Read which IMDb title each review of the Large Movie Review Dataset's training half is about.

    The columns are review_sha256 str (of the UTF-8 text), tconst str, rating int8 (stars, 1 to 10).
    """
    with as_file(files("latentflix.data") / "imdb_train_review_titles.parquet") as path:
        return pd.read_parquet(path)


def review_counts() -> pd.Series:
    """How many reviews the whole data set has of each title, each text once: int32, index tconst."""
    with as_file(files("latentflix.data") / "large_movie_review_counts.parquet") as path:
        return pd.read_parquet(path).set_index("tconst")["reviews"]
