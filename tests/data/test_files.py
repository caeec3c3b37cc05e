import gzip
import zipfile
from pathlib import Path
from unittest.mock import Mock

import pytest

from latentflix.data.files import hash_file, open_packed, open_zip, require_file, unreadable
from latentflix.errors import DataError
from tests.support.files import write_zip

CONTENT = b"a,b\n1,2\n"


def set_in_headers(path, offset_in_local, offset_in_central, value):
    """Overwrite two bytes of the only member's headers. Source: APPNOTE.TXT 4.3.7 and 4.3.12."""
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", offset_in_local), (b"PK\1\2", offset_in_central)):
        start = content.index(signature) + offset
        content[start : start + 2] = value.to_bytes(2, "little")
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("offsets", "value", "fault"),
    [((6, 8), 1, "it is encrypted"), ((8, 10), 9, "compressed as method 9, as Deflate64 is")],
    ids=["encrypted", "Deflate64"],
)
def test_a_zip_that_python_cannot_unpack_is_refused_in_plain_words(tmp_path, offsets, value, fault):
    path = write_zip(tmp_path / "a.zip", {"a.csv": CONTENT}, "")
    set_in_headers(path, *offsets, value)
    with (
        pytest.raises(DataError, match=f"a zip cannot be unpacked; where: .*a.zip: 'a.csv'; found: {fault}.*unpack it"),
        open_zip(path),
    ):
        pass


@pytest.mark.parametrize("name", ["//", "a//b.csv", "/etc/a.csv", "../a.csv", "a/../../b.csv"])
def test_a_zip_with_a_name_that_leads_out_of_it_is_refused(tmp_path, name):
    path = write_zip(tmp_path / "a.zip", {name: CONTENT}, "")
    with pytest.raises(DataError, match="a name that leads out of the folder"), open_zip(path):
        pass


def test_a_zip_that_would_fill_the_memory_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.csv": b"0" * 10_000}, "")
    with zipfile.ZipFile(path) as archive:
        packed = archive.infolist()[0].compress_size
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\1\2") + 24
    content[start : start + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"found: 2,147,483,648 bytes, packed into {packed}"), open_zip(path):
        pass


def test_a_file_is_read_out_of_gzip_or_of_a_zip_of_its_own(tmp_path):
    (tmp_path / "a.csv").write_bytes(CONTENT)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CONTENT))
    write_zip(tmp_path / "b.zip", {"a.csv": CONTENT}, "inner/")
    for path in tmp_path.iterdir():
        with open_packed(path) as (name, file):
            assert (Path(name).name, file.read()) == ("a.csv", CONTENT)
    path = write_zip(tmp_path / "c.zip", {"a.csv": CONTENT, "b.csv": CONTENT}, "")
    with pytest.raises(ValueError, match="2 files in a zip, of which one is expected"), open_packed(path):
        pass


def test_a_folder_or_a_missing_file_is_named_with_its_option(tmp_path):
    with pytest.raises(DataError, match="this is not a file; .*found: a folder; .*name the file in it with --x"):
        require_file(tmp_path, "--x")
    for path in (tmp_path / "none.csv", Path("a\0b")):
        with pytest.raises(DataError, match="there is no such file; .*name another with --x"):
            require_file(path, "--x")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (PermissionError(13, "Permission denied"), "found: .*Permission denied; .*what to do: ask for permission"),
        (IsADirectoryError(21, "Is a directory"), "what to do: this is a folder"),
        (FileNotFoundError(2, "No such file"), "what to do: there is no such file"),
        (EOFError(), "found: EOFError; expected: a table; what to do: fetch it again"),
        (ValueError("one\ntwo"), "found: one; expected: a table; what to do: fetch it again"),
    ],
)
def test_the_advice_fits_the_cause(error, advice):
    with pytest.raises(
        DataError, match=f"it cannot be read; where: a.csv; {'' if 'found' in advice else '.*'}{advice}"
    ):
        raise unreadable("it cannot be read", Path("a.csv"), error, "a table", "fetch it again")


def test_a_file_that_may_not_be_read_is_refused_with_the_right_advice(tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.file_hash", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(DataError, match="Permission denied; .*ask for permission"):
        hash_file(tmp_path / "a.csv")
