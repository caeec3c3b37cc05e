"""Files of the user's own: found, hashed, unpacked and opened, with errors that say what to do."""

import csv
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

import pooch
import pyarrow as pa

from latentflix.errors import DataError

# What the readers of archives and tables raise when a file is not what it should be; a RuntimeError if it is encrypted,
# or compressed in a way that Python does not know, a MemoryError if a header promises more than there is.
UNREADABLE = (
    *(LookupError, ArithmeticError, EOFError, ValueError, TypeError, RuntimeError, MemoryError, csv.Error),
    *(struct.error, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, pa.ArrowException),
)
_FORMS = "a csv or parquet file"
# What Python can unpack; and how large, in bytes and as a multiple of what is packed, no file of a data set is.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_ENCRYPTED = 0x1
_LARGE, _MOST_TIMES = 2**30, 200


def require_file(path: Path, option: str, expected: str = _FORMS) -> None:
    """Raise DataError, naming the option that names the file, if there is no such file."""
    try:
        path.stat()
    except PermissionError as error:
        raise unreadable("a file cannot be read", path, error, expected) from error
    except (OSError, ValueError):
        raise DataError(
            "there is no such file", where=str(path), expected=expected, hint=f"name another with {option}"
        ) from None
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no regular file"
        hint = f"name the file in it with {option}" if path.is_dir() else f"name another with {option}"
        raise DataError("this is not a file", where=str(path), found=found, expected=expected, hint=hint)


def hash_file(path: Path) -> str:
    """The SHA-256 of a file. Raises DataError if it cannot be read."""
    try:
        return str(pooch.file_hash(str(path)))
    except OSError as error:
        raise unreadable("a file cannot be read", path, error) from error


def unreadable(what: str, path: Path, error: Exception, expected: str = "", hint: str = "") -> DataError:
    """An error about a file that cannot be read. hint: what to do unless the cause is that the file may not be read."""
    match error:
        case PermissionError():
            hint = "ask for permission to read it: its owner can give it with chmod"
        case IsADirectoryError():
            hint = "this is a folder: name the file in it"
        case FileNotFoundError():
            hint = "there is no such file: name another"
    found = next(iter(str(error).splitlines()), "") or type(error).__name__
    return DataError(what, where=str(path), found=found, expected=expected, hint=hint)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip. Raises DataError if one of its files cannot be read safely, and what zipfile raises."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if fault := _fault(member):
                raise DataError(
                    "a zip cannot be unpacked",
                    where=f"{path}: {member.filename!r}",
                    found=fault,
                    expected="files without a password, as zip and most programs write them",
                    hint="unpack it with the program that made it, and name what it held",
                )
        yield archive


def _fault(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if member.compress_type not in _COMPRESSIONS:
        return f"compressed as method {member.compress_type}, as Deflate64 is 9"
    name = member.filename
    # zipfile.Path loops forever on a name with two slashes.
    if name.startswith("/") or "//" in name or ".." in PurePosixPath(name).parts:
        return "a name that leads out of the folder"
    if member.file_size > max(_LARGE, _MOST_TIMES * member.compress_size):
        return f"{member.file_size:,} bytes, packed into {member.compress_size:,}"
    return ""


def members(archive: zipfile.ZipFile) -> list[str]:
    """The files in a zip, without those that macOS adds."""
    return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]


@contextmanager
def open_packed(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Open a file, also a gzipped one or the only one in a zip: its name, and its content with random access."""
    with ExitStack() as stack:
        match path.suffix.lower():
            case ".zip":
                archive = stack.enter_context(open_zip(path))
                names = members(archive)
                if len(names) != 1:
                    raise ValueError(f"{len(names)} files in a zip, of which one is expected")
                yield names[0], stack.enter_context(archive.open(names[0]))
            case ".gz":
                yield path.stem, cast("IO[bytes]", stack.enter_context(gzip.open(path)))
            case _:
                yield path.name, stack.enter_context(path.open("rb"))
