"""The review store, two Delta tables: every review that was ever fetched, and when each film was last queried.

A batch of reviews is one MERGE. They are partitioned by film, so that it rewrites only its own films' partitions.
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable
from rapidfuzz import fuzz, process

from latentflix.config import StageConfig, setting
from latentflix.errors import SettingsError
from latentflix.reviews.delta import COMMIT, LAYOUT, Table, one_of, read_errors, select, write_errors
from latentflix.reviews.sources.protocol import STARS, Outcome, Review

N_PARTITIONS = 32
# Delta's own default: longer than any run or refresh that may still read a version, or the files of its commit.
SAFE_KEEP_DAYS = 7
# Share of the letters of two texts in a longest common subsequence from which on they are one text, posted twice with
# a word corrected or a line added. Of the 24,301 linked reviews of the Large Movie Review Dataset, 99 of 100 have a
# similarity below 0.48 to any other one of their film; the pairs above 0.9 are one text each (18 pairs at 0.96 or more,
# two at 0.92, where one text continues the other).
_MIN_SIMILARITY = 0.9

Change = Literal["new", "changed", "unchanged", "repeated"]
# How many reviews of a source were changed so. A repeated one is left out, since nearly the same text of the film is
# stored under another id.
MergeCounts = Counter[tuple[Change, str]]

_TIME = pa.timestamp("us", "UTC")
REVIEWS = pa.schema(
    {
        "partition": pa.int32(),
        "review_id": pa.string(),
        "tconst": pa.string(),
        "source": pa.string(),
        "source_review_id": pa.string(),
        "kind": pa.string(),
        "text": pa.string(),
        "rating": pa.float32(),
        "author": pa.string(),
        "written_at": _TIME,
        "url": pa.string(),
        "attribution": pa.string(),
        "fetched_at": _TIME,
        "first_seen": _TIME,
        "last_seen": _TIME,
        "content_sha256": pa.string(),
        "training_allowed": pa.bool_(),
    }
)
ATTEMPTS = pa.schema(
    {
        "tconst": pa.string(),
        "source": pa.string(),
        "asked_at": _TIME,
        "outcome": pa.string(),
        "reason": pa.string(),
        "reviews": pa.int32(),
        "remaining": pa.int32(),
        "marker": pa.string(),
    }
)
# Columns of attempts that stores of earlier releases lack.
_ADDED = ("remaining", "marker")
# Columns by which a stored review is compared with the same one as its source gives it now.
_COMPARED = [name for name in REVIEWS.names if name not in ("text", "fetched_at", "first_seen", "last_seen")]
# Columns of a known review that keep their value. fetched_at is the time at which its text last changed, last_seen that
# at which anything of it did.
_KEPT = {
    "first_seen": "target.first_seen",
    "fetched_at": "CASE WHEN target.content_sha256 = source.content_sha256 "
    "THEN target.fetched_at ELSE source.fetched_at END",
}


@dataclass(frozen=True)
class Attempt:
    """One query of a source for a film, and the parts of its `Answer`: of the reviews, their number."""

    tconst: str
    source: str
    asked_at: datetime
    outcome: Outcome
    reason: str = ""
    reviews: int = 0
    remaining: int = 0
    marker: str = ""


def partition_of(tconst: str) -> int:
    """Return the partition of a film's reviews."""
    return zlib.crc32(tconst.encode()) % N_PARTITIONS


class ReviewStoreConfig(StageConfig):
    """Where the review store is."""

    uri: str = setting("reviews", "a folder, or s3://bucket/folder")
    storage_options: dict[str, str] = setting(
        {},
        "options of deltalake for reaching the store, as aws_endpoint_url or aws_region; keys belong in the "
        "environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )


class ReviewStore:
    """Reviews and attempts, in tables below a folder or an address. All methods raise StoreError as `Table.open`."""

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None = None) -> None:
        """Name the place; the tables are created when they are first needed."""
        options = dict(storage_options or {})
        self.uri = uri.rstrip("/")
        self.reviews = Table(f"{self.uri}/reviews", REVIEWS, ("partition",), options)
        self.attempts = Table(f"{self.uri}/attempts", ATTEMPTS, (), options, _ADDED)
        # Merges of one process would only conflict with each other.
        self._merging = Lock()

    def version(self) -> int:
        """Return the current version of the reviews."""
        return self.reviews.open().version()

    def table_id(self) -> str:
        """Return the unique id of this store's reviews."""
        return str(self.reviews.open().metadata().id)

    def read(
        self, tconsts: Collection[str], version: int | None = None, columns: Sequence[str] = tuple(REVIEWS.names)
    ) -> pd.DataFrame:
        """Read columns of the reviews of films, in no order, from the newest version or an older one.

        Ratings outside 1 to 10, which stores of earlier releases may have, are read as missing.
        """
        if version is None:
            found = self.reviews.with_newest(lambda table: _of_films(table, tconsts, columns)).to_pandas()
        else:
            found = _of_films(self.reviews.open(version), tconsts, columns).to_pandas()
        if "rating" in columns:
            found["rating"] = found["rating"].where(found["rating"].between(*STARS))
        return found

    def count(self) -> pd.DataFrame:
        """Count the reviews: columns tconst, source, kind, reviews, newest (when the last one was first seen)."""
        columns = ("tconst", "source", "kind", "first_seen")
        table = self.reviews.with_newest(lambda newest: select(newest, columns)).to_pandas()
        grouped = table.groupby(["tconst", "source", "kind"], as_index=False)
        return grouped.agg(reviews=("first_seen", "size"), newest=("first_seen", "max"))

    def merge(self, reviews: Collection[Review], at: datetime) -> MergeCounts:
        """Insert new reviews and update changed ones, in one commit; if there are none, nothing is written.

        A new review whose text is nearly that of another one of the film is left out. Raises StoreConflict if another
        writer changed the same partitions; then nothing was written.
        """
        by_id = {review.review_id: review for review in reviews}
        if not by_id:
            return Counter()
        with self._merging:
            changes = self.reviews.with_newest(lambda table: _merge(table, by_id, at))
        return Counter((change, by_id[key].source) for key, change in changes.items())

    def unknown(self, reviews: Sequence[Review]) -> list[Review]:
        """Choose the reviews that `merge` would insert."""
        changes = self.reviews.with_newest(
            lambda table: _compare(table, {review.review_id: review for review in reviews})
        )
        return [review for review in reviews if changes[review.review_id] == "new"]

    def record(self, attempts: Collection[Attempt]) -> None:
        """Add attempts."""
        if attempts:
            self.attempts.append(pa.Table.from_pylist([vars(attempt) for attempt in attempts], schema=ATTEMPTS))

    def last_attempts(self) -> pd.DataFrame:
        """Return the last attempt of each film and source, in the columns of `ATTEMPTS`.

        Attempts of earlier releases have no marker, and 0 remaining reviews.
        """
        table = self.attempts.with_newest(lambda newest: select(newest, newest.schema().to_arrow().names)).to_pandas()
        table = table.reindex(columns=ATTEMPTS.names).fillna({"remaining": 0, "marker": ""})
        return table.sort_values("asked_at").drop_duplicates(["tconst", "source"], keep="last", ignore_index=True)

    def compact(self) -> int:
        """Merge small files, ordered by film, and return how many were replaced. Raises StoreConflict as `merge`."""
        with write_errors(self.reviews.uri):
            reviews = self.reviews.open().optimize.z_order(["tconst"], writer_properties=LAYOUT)
        with write_errors(self.attempts.uri):
            attempts = self.attempts.open().optimize.compact()
        return int(reviews["numFilesRemoved"]) + int(attempts["numFilesRemoved"])

    def vacuum(self, keep_days: float, *, nothing_else_runs: bool = False) -> int:
        """Remove the files of versions replaced more than `keep_days` ago, and return how many were removed.

        Raises SettingsError as `check_retention`.
        """
        check_retention(keep_days, nothing_else_runs=nothing_else_runs)
        hours, removed = round(keep_days * 24), 0
        for table in (self.reviews, self.attempts):
            with read_errors(table.uri):
                removed += len(table.open().vacuum(hours, dry_run=False, enforce_retention_duration=False))
        return removed


def check_retention(keep_days: float, *, nothing_else_runs: bool) -> None:
    """Raise SettingsError if a run or refresh could lose files that it still reads, unless nothing else runs."""
    if keep_days < SAFE_KEEP_DAYS and not nothing_else_runs:
        raise SettingsError(
            "a run or refresh that is under way could lose files that it reads",
            found=f"{keep_days:g} days that replaced files are kept",
            expected=f"at least {SAFE_KEEP_DAYS}",
            hint="keep them longer, or make sure that nothing else uses the store and add --nothing-else-runs",
        )


def _of_films(table: DeltaTable, tconsts: Collection[str], columns: Sequence[str]) -> pa.Table:
    by_partition: dict[int, list[str]] = defaultdict(list)
    for tconst in sorted(set(tconsts)):
        by_partition[partition_of(tconst)].append(tconst)
    found = [
        select(table, columns, f"partition = {number} AND {one_of('tconst', films)}")
        for number, films in sorted(by_partition.items())
    ]
    schema = pa.schema([REVIEWS.field(name) for name in columns])
    return pa.concat_tables([schema.empty_table(), *(each.cast(schema) for each in found)])


def _repeated(new: Sequence[Review], table: DeltaTable) -> set[str]:
    """Find the ids of new reviews whose text is nearly that of another one of the film."""
    by_film: dict[str, list[Review]] = defaultdict(list)
    for review in new:
        by_film[review.tconst].append(review)
    known: dict[str, list[str]] = defaultdict(list)
    for row in _of_films(table, by_film, ("tconst", "text")).to_pylist():
        known[row["tconst"]].append(row["text"])
    repeated: set[str] = set()
    for tconst, reviews in by_film.items():
        repeats = find_near_duplicates([review.text for review in reviews], known[tconst])
        repeated |= {review.review_id for review, repeat in zip(reviews, repeats, strict=True) if repeat}
    return repeated


def find_near_duplicates(texts: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """Find the texts that nearly repeat one of `known` or an earlier one of `texts`: bool (texts,).

    Case and white space do not count.
    Source: the normalised Indel similarity, https://rapidfuzz.github.io/RapidFuzz/Usage/fuzz.html#ratio
    """
    own, others = (
        [" ".join(text.replace("<br />", " ").casefold().split()) for text in each] for each in (texts, known)
    )
    repeats = np.zeros(len(own), bool)
    if known:
        repeats |= _are_similar(own, others).any(axis=1)
    for row, similar in enumerate(np.tril(_are_similar(own, own), -1)):
        repeats[row] |= (similar & ~repeats).any()
    return repeats


def _are_similar(texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    percent = 100 * _MIN_SIMILARITY
    return process.cdist(texts, others, scorer=fuzz.ratio, score_cutoff=percent, dtype=np.float32) >= percent


def _compare(table: DeltaTable, by_id: Mapping[str, Review]) -> dict[str, Change]:
    """Find what `_merge` would do with each review."""
    tconsts = {review.tconst for review in by_id.values()}
    known = {row["review_id"]: row for row in _of_films(table, tconsts, _COMPARED).to_pylist()}
    given = {row["review_id"]: row for row in to_arrow(by_id.values()).select(_COMPARED).to_pylist()}
    repeated = _repeated([review for key, review in by_id.items() if key not in known], table)

    def change(key: str, row: dict[str, Any]) -> Change:
        if key not in known:
            return "repeated" if key in repeated else "new"
        return "unchanged" if known[key] == row else "changed"

    return {key: change(key, row) for key, row in given.items()}


def _merge(table: DeltaTable, by_id: Mapping[str, Review], at: datetime) -> dict[str, Change]:
    changes = _compare(table, by_id)
    rows = to_arrow([by_id[key] for key, change in changes.items() if change in ("new", "changed")], at)
    if not rows.num_rows:
        return changes
    partitions = ", ".join(str(number) for number in sorted(set(rows["partition"].to_pylist())))
    same = " AND ".join(f"target.{name} = source.{name}" for name in ("partition", "review_id"))
    with write_errors(table.table_uri):
        merger = table.merge(
            rows,
            f"target.partition IN ({partitions}) AND {same}",
            source_alias="source",
            target_alias="target",
            writer_properties=LAYOUT,
            commit_properties=COMMIT,
        )
        updates = {name: _KEPT.get(name, f"source.{name}") for name in REVIEWS.names}
        merger.when_matched_update(updates).when_not_matched_insert_all().execute()
    return changes


def to_arrow(reviews: Iterable[Review], at: datetime | None = None) -> pa.Table:
    """Convert reviews first fetched at a time to rows of the store, with the columns of `REVIEWS`."""
    times = {"fetched_at": at, "first_seen": at, "last_seen": at}
    rows = [
        {name: _storable(value) for name, value in vars(review).items()}
        | {"review_id": review.review_id, "content_sha256": review.content_sha256}
        | {"partition": partition_of(review.tconst), **times}
        for review in reviews
    ]
    return pa.Table.from_pylist(rows, schema=REVIEWS)


def _storable(value: object) -> object:
    """Replace lone surrogates, which UTF-8 cannot hold."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
