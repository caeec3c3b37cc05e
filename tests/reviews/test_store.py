import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.error import URLError
from urllib.request import Request, urlopen

import pyarrow as pa
import pytest

from latentflix.errors import SettingsError, StoreConflict, StoreError
from latentflix.reviews.delta import Table
from latentflix.reviews.store import (
    ATTEMPTS,
    REVIEWS,
    Attempt,
    ReviewStore,
    find_near_duplicates,
    partition_of,
    to_arrow,
)
from tests.support.synthetic_reviews import BEGAN, review, write

LATER = BEGAN + timedelta(days=7)
TCONSTS = [f"tt{number:07d}" for number in range(1, 41)]
SOME_REVIEWS = [review(tconst, number) for tconst in TCONSTS for number in range(3)]


def table(store, tconsts=TCONSTS, version=None):
    return store.read(tconsts, version).sort_values("review_id", ignore_index=True)


def test_reviews_are_read_as_they_were_written(store):
    fields = {"author": "Ann O'Nymous", "url": "https://example.org/1", "attribution": "by Ann", "kind": "plot"}
    whole = review("tt0114709", 1, "Toys <b>live</b>\x00 — 🧸", rating=9.0, training_allowed=False, **fields)
    assert store.merge([whole], BEGAN) == {("new", "synthetic"): 1}
    (row,) = store.read(["tt0114709"]).to_dict("records")
    assert {name: row[name] for name in vars(whole)} == vars(whole)
    assert (row["review_id"], row["content_sha256"]) == (whole.review_id, whole.content_sha256)
    assert row["fetched_at"] == row["first_seen"] == row["last_seen"] == BEGAN
    assert list(store.read(["tt0114709"]).columns) == REVIEWS.names


def test_only_the_requested_films_and_columns_are_read(store):
    store.merge(SOME_REVIEWS, BEGAN)
    assert sorted(store.read(["tt0000003", "tt9999999"])["tconst"]) == ["tt0000003"] * 3
    assert store.read([]).empty
    assert list(store.read(["tt0000003"], columns=["text"]).columns) == ["text"]


def test_merging_the_same_reviews_again_writes_nothing(store):
    store.merge(SOME_REVIEWS, BEGAN)
    version = store.version()
    assert store.merge(SOME_REVIEWS, LATER) == {("unchanged", "synthetic"): 120}
    assert store.version() == version


def test_only_new_and_changed_reviews_of_a_batch_are_written(store):
    store.merge([review("tt1", 1), review("tt1", 2)], BEGAN)
    added = [review("tt1", 1), review("tt1", 2, rating=5.0), review("tt1", 3)]
    assert store.merge(added, LATER) == {
        ("unchanged", "synthetic"): 1,
        ("changed", "synthetic"): 1,
        ("new", "synthetic"): 1,
    }
    last_seen = store.read(["tt1"]).set_index("source_review_id")["last_seen"]
    assert [last_seen[f"tt1-{number}"] for number in (1, 2, 3)] == [BEGAN, LATER, LATER]


def test_unknown_reviews_are_those_that_would_be_inserted(store):
    text = write("long", 200)
    store.merge([review("tt1", 1, text)], BEGAN)
    offered = [
        review("tt1", 4),
        review("tt1", 1, text, rating=3.0),
        review("tt1", 2, text + " again"),
        review("tt1", 3),
    ]
    assert store.unknown(offered) == [offered[0], offered[3]]


def test_a_rating_that_an_earlier_release_stored_out_of_bounds_is_read_as_missing(store):
    rows = to_arrow([review("tt1", number, rating=float(number)) for number in (1, 2)], BEGAN)
    ratings = pa.array([1000.0, 2.0], pa.float32())
    store.reviews.append(rows.set_column(rows.schema.get_field_index("rating"), rows.schema.field("rating"), ratings))
    assert store.read(["tt1"]).set_index("source_review_id")["rating"].to_dict() == {
        "tt1-1": pytest.approx(float("nan"), nan_ok=True),
        "tt1-2": 2.0,
    }
    assert store.merge([review("tt1", 1, rating=1000.0)], LATER) == {("changed", "synthetic"): 1}


def test_a_store_of_an_earlier_release_is_read_and_written(store):
    earlier = pa.schema([field for field in ATTEMPTS if field.name not in ("remaining", "marker")])
    Table(store.attempts.uri, earlier).append(
        pa.Table.from_pylist([{"tconst": "tt1", "source": "tmdb", "asked_at": BEGAN, "outcome": "ok"}], schema=earlier)
    )
    assert store.last_attempts()[["remaining", "marker"]].to_numpy().tolist() == [[0, ""]]
    store.record([Attempt("tt2", "tmdb", LATER, "ok", "", 3, 7, "a marker")])
    rows = store.last_attempts().set_index("tconst")
    assert rows["remaining"].to_dict() == {"tt1": 0, "tt2": 7}
    assert rows["marker"].to_dict() == {"tt1": "", "tt2": "a marker"}


def test_a_changed_review_replaces_its_old_text_and_a_later_licence_is_stored(store):
    store.merge([review("tt1", 1), review("tt1", 2, training_allowed=False)], BEGAN)
    changed = review("tt1", 1, write("another"), rating=3.0)
    licensed = review("tt1", 2, training_allowed=True)
    assert store.merge([changed], LATER) == {("changed", "synthetic"): 1}
    store.merge([licensed], LATER)
    rows = store.read(["tt1"]).set_index("review_id")
    assert len(rows) == 2
    row = rows.loc[changed.review_id]
    assert (row["text"], row["rating"], row["content_sha256"]) == (changed.text, 3.0, changed.content_sha256)
    assert (row["first_seen"], row["fetched_at"], row["last_seen"]) == (BEGAN, LATER, LATER)
    # The text is the same, so it counts as fetched before.
    assert rows.loc[licensed.review_id, ["training_allowed", "fetched_at"]].tolist() == [True, BEGAN]


def test_near_duplicates_of_a_film_are_left_out_every_time(store):
    text = write("long", 200)
    first, copy = review("tt1", 1, text), review("tt1", 2, text + " corrected", source="other")
    elsewhere = review("tt2", 3, text, source="other")
    assert store.merge([first, copy, elsewhere], BEGAN) == {
        ("new", "synthetic"): 1,
        ("new", "other"): 1,
        ("repeated", "other"): 1,
    }
    assert store.merge([copy, elsewhere], LATER) == {("unchanged", "other"): 1, ("repeated", "other"): 1}
    assert sorted(store.read(["tt1", "tt2"])["review_id"]) == sorted([first.review_id, elsewhere.review_id])


def test_a_review_twice_in_a_batch_is_stored_once_without_lone_surrogates_and_empty_batches_write_nothing(store):
    broken = review("tt1", 1, "half \ud83d of a bear")
    assert store.merge([broken, broken], BEGAN) == {("new", "synthetic"): 1}
    assert store.read(["tt1"])["text"].tolist() == ["half ? of a bear"]
    assert not store.merge([], LATER)
    store.record([])
    assert store.version() == 1
    assert store.merge([broken], LATER) == {("unchanged", "synthetic"): 1}


def test_every_version_can_be_read_until_vacuum_removes_its_files(store):
    for number in range(1, 4):
        store.merge([review("tt1", number)], BEGAN)
    assert [len(store.read(["tt1"], version)) for version in range(4)] == [0, 1, 2, 3]
    before = table(store, ["tt1"])
    assert store.compact() > 0
    assert len(store.read(["tt1"], 2)) == 2
    with pytest.raises(SettingsError, match="could lose files that it reads; found: 0 days"):
        store.vacuum(keep_days=0)
    assert store.vacuum(keep_days=0, nothing_else_runs=True) > 0
    assert table(store, ["tt1"]).equals(before)
    with pytest.raises(StoreError, match="a table cannot be read"):
        store.read(["tt1"], 2)
    with pytest.raises(StoreError, match=r"no such version; where: .*reviews; found: version 99"):
        store.read(["tt1"], 99)


def test_compaction_changes_no_row_and_leaves_one_file_per_partition(store):
    for number in range(3):
        store.merge([review(tconst, number) for tconst in TCONSTS], BEGAN)
    before = table(store)
    store.compact()
    assert table(store).equals(before)
    assert len(store.reviews.open().file_uris()) == len({partition_of(tconst) for tconst in TCONSTS})


def test_reviews_are_counted_by_film_source_and_kind(store):
    reviews = [review("tt1", 1), review("tt1", 2), review("tt1", 3, kind="plot"), review("tt2", 4, written_at=None)]
    store.merge([*reviews, review("tt1", 9, source="other"), review("tt3", 1)], BEGAN)
    counts = store.count().set_index(["tconst", "source", "kind"])["reviews"].to_dict()
    assert counts == {
        ("tt1", "synthetic", "review"): 2,
        ("tt1", "synthetic", "plot"): 1,
        ("tt1", "other", "review"): 1,
        ("tt2", "synthetic", "review"): 1,
        ("tt3", "synthetic", "review"): 1,
    }


def test_the_last_attempt_of_each_film_and_source_is_returned(store):
    assert store.last_attempts().empty
    store.record(
        [Attempt("tt1", "synthetic", LATER, "ok", "", 3), Attempt("tt1", "synthetic", BEGAN, "error", "no luck")]
    )
    store.record([Attempt("tt1", "other", BEGAN, "empty", "nothing")])
    last = store.last_attempts().set_index("source")
    expected = {"tconst": "tt1", "asked_at": LATER, "outcome": "ok", "reason": "", "reviews": 3}
    expected |= {"remaining": 0, "marker": ""}
    assert last.loc["synthetic"].to_dict() == expected
    assert last.loc["other", "outcome"] == "empty"


def merge_overtaken(store, monkeypatch, others, own):
    """Merge into the reviews as they were before another writer merged others."""
    opened = store.reviews.open()
    ReviewStore(store.uri, store.reviews.storage_options).merge(others, BEGAN)
    with monkeypatch.context() as patched:
        patched.setattr(type(store.reviews), "open", lambda *_: opened)
        store.merge(own, LATER)


@pytest.mark.parametrize("first", [[], [review("tt1", 9)]], ids=["empty", "filled"])
def test_the_second_of_two_writers_of_a_film_conflicts_and_succeeds_on_retry(store, monkeypatch, first):
    store.merge(first, BEGAN)
    with pytest.raises(StoreConflict, match="another writer changed the same films"):
        merge_overtaken(store, monkeypatch, [review("tt1", 1)], [review("tt1", 1), review("tt1", 2)])
    assert len(store.read(["tt1"])) == 1 + len(first)
    assert store.merge([review("tt1", 1), review("tt1", 2)], LATER) == {
        ("new", "synthetic"): 1,
        ("unchanged", "synthetic"): 1,
    }


def test_reads_and_merges_are_repeated_if_compaction_removed_their_files(store, monkeypatch):
    for number in range(3):
        store.merge([review("tt1", number)], BEGAN)
        store.record([Attempt("tt1", "synthetic", BEGAN, "ok")])
    before = {table.uri: table.open() for table in (store.reviews, store.attempts)}
    compacted = ReviewStore(store.uri)
    compacted.compact()
    compacted.vacuum(0, nothing_else_runs=True)

    newest, late = Table.open, {}

    def open_late(self, version=None):
        """Open the table as it was before the compaction, the first time."""
        return late.pop(self.uri, None) or newest(self, version)

    monkeypatch.setattr(Table, "open", open_late)
    for action in (
        lambda: len(store.read(["tt1"])) == 3,
        lambda: store.count()["reviews"].sum() == 3,
        lambda: store.merge([review("tt1", 3)], LATER) == {("new", "synthetic"): 1},
        lambda: len(store.last_attempts()) == 1,
    ):
        late.update(before)
        assert action()


def test_writers_of_different_partitions_and_threads_of_one_process_do_not_conflict(store, monkeypatch):
    one, other = TCONSTS[0], next(tconst for tconst in TCONSTS if partition_of(tconst) != partition_of(TCONSTS[0]))
    merge_overtaken(store, monkeypatch, [review(one, 1)], [review(other, 1)])
    assert len(store.read([one, other])) == 2
    batches = [[review(tconst, number) for tconst in TCONSTS] for number in range(1, 5)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store.merge, batches, [BEGAN] * 4))
    assert len(store.read(TCONSTS)) == 4 * len(TCONSTS)


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of a simulated S3."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
    try:
        for _ in range(300):
            try:
                urlopen(Request(f"{url}/films", method="PUT")).close()
                break
            except URLError:
                time.sleep(0.1)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield "s3://films/reviews", {"aws_endpoint_url": url, "aws_allow_http": "true", "aws_region": "us-east-1"}
    finally:
        server.kill()
        server.wait()


def test_a_store_may_be_on_s3(bucket, monkeypatch):
    store = ReviewStore(*bucket)
    assert not store.reviews.exists()
    store.merge(SOME_REVIEWS, BEGAN)
    store.record([Attempt("tt0000001", "synthetic", BEGAN, "ok", "", 3)])
    assert store.merge(SOME_REVIEWS, LATER) == {("unchanged", "synthetic"): 120}
    assert len(store.read(TCONSTS)) == 120
    assert store.compact() > 0
    assert len(store.read(TCONSTS, version=1)) == 120
    with pytest.raises(StoreConflict):
        merge_overtaken(store, monkeypatch, [review("tt1", 1)], [review("tt1", 1)])
    assert len(store.last_attempts()) == 1


@pytest.fixture(scope="module")
def texts(imdb_reviews):
    return imdb_reviews["text"].tolist()[:40]


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text,
        str.upper,
        lambda text: text.replace(" ", "<br /><br />", 5),
        lambda text: text.replace(" the ", " teh "),
        lambda text: text + " I have corrected a word.",
        lambda text: "  " + text.replace(" ", "\n", 9),
    ],
    ids=["the same", "case", "line breaks", "typing errors", "a line more", "white space"],
)
def test_an_edited_copy_of_a_real_review_is_found(texts, edit):
    long = [text for text in texts if len(text) > 600][:10]
    assert len(long) == 10
    assert find_near_duplicates([edit(text) for text in long], texts).all()


def test_no_two_real_reviews_are_near_duplicates_and_of_new_copies_the_first_is_kept(texts):
    assert not find_near_duplicates(texts, []).any()
    new = [texts[0], texts[1], texts[0] + "!", texts[0]]
    assert find_near_duplicates(new, []).tolist() == [False, False, True, True]
    assert find_near_duplicates([], ["a text"]).tolist() == []


def test_a_text_similar_only_to_a_left_out_one_is_kept():
    known = "a" * 100
    near = "a" * 91 + "b" * 9
    far = "a" * 82 + "b" * 18
    assert find_near_duplicates([near], [known]).tolist() == [True]
    assert find_near_duplicates([far], [near]).tolist() == [True]
    assert find_near_duplicates([near, far], [known]).tolist() == [True, False]
