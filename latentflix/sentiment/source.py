"""The Large Movie Review Dataset as its authors pack it: a folder with a training and a test half."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.data.movielens import Tables
from latentflix.errors import DataError

PARTS = ("train", "test")
_KINDS = {"pos": True, "neg": False}
_TCONST = re.compile(r"tt\d{7,}")


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
    folder = source.path / "aclImdb" if (source.path / "aclImdb").is_dir() else source.path
    missing = [f"{part}/{kind}" for part in PARTS for kind in _KINDS if not any(_files(folder, part, kind))]
    if missing:
        raise DataError(
            "a folder does not hold the labelled reviews",
            where=str(source.path),
            found=f"no text in {', '.join(missing)}",
            expected="train/pos, train/neg, test/pos and test/neg with a .txt file for each review",
            hint="name the unpacked archive aclImdb_v1 with --sentiment-source.path",
        )
    digest = hashlib.sha256()
    for part in PARTS:
        for kind in _KINDS:
            for path in [*_files(folder, part, kind), *folder.glob(f"{part}/urls_{kind}.txt")]:
                digest.update(f"{part}/{kind}/{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return SentimentSourceConfig(path=folder, sha256=digest.hexdigest())


def _files(folder: Path, part: str, kind: str) -> Iterator[Path]:
    yield from sorted((folder / part / kind).glob("*.txt"))


def load_sentiment_source(config: SentimentSourceConfig) -> Tables:
    """Two tables: `reviews` (text, positive bool, tconst nullable, part) and `unreadable` (file, reason).

    The file urls_pos.txt beside the folder pos names, on line N counting from 0, the title that review N_… of it is
    about; without it the titles are not known. A file that is not UTF-8 is named in `unreadable`.
    """
    reviews, unreadable = [], []
    for part in PARTS:
        for kind, positive in _KINDS.items():
            titles = _titles(config.path / part / f"urls_{kind}.txt")
            for path in _files(config.path, part, kind):
                try:
                    text = path.read_text(encoding="utf-8")
                except UnicodeDecodeError as error:
                    unreadable.append((f"{part}/{kind}/{path.name}", f"not UTF-8: {error.reason}"))
                    continue
                reviews.append((text, positive, titles.get(path.stem.split("_")[0]), part))
    return {
        "reviews": pd.DataFrame(reviews, columns=["text", "positive", "tconst", "part"]).astype({"tconst": "str"}),
        "unreadable": pd.DataFrame(unreadable, columns=["file", "reason"]).astype("str"),
    }


def _titles(path: Path) -> dict[str, str]:
    """The title of each review, by the number that its file's name begins with."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    found = ((number, _TCONST.search(line)) for number, line in enumerate(lines))
    return {str(number): match.group() for number, match in found if match}
