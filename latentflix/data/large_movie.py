"""The Large Movie Review Dataset as Stanford publishes it: the folder `aclImdb`, or `aclImdb_v1.tar.gz`.

`train/pos/7_9.txt` is review 7 of the positive ones to train on and gives 9 of 10 stars; line 7, counting from 0, of
`train/urls_pos.txt` is the address of its film. Reviews in `unsup` have no label, and 0 stars.
Source: the README in it, https://ai.stanford.edu/~amaas/data/sentiment/
"""

import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import product
from pathlib import Path

import pandas as pd

from latentflix.data.splits import TEST, TRAIN

SPLITS = (TRAIN, TEST)
POSITIVE, NEGATIVE, UNLABELLED = LABELS = ("pos", "neg", "unsup")
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
