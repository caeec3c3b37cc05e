"""The review store: every review that was ever fetched, and when each film was last asked about.

Both are Delta tables. A batch of reviews is one MERGE: it is there as a whole or not at all, and every version that
ever was can be read. Reviews are dealt into partitions by their film, so that a batch rewrites only its own.
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import itemgetter
from threading import Lock

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable

from latentflix.config import StageConfig, setting
from latentflix.reviews.deduplication import find_near_duplicates
from latentflix.reviews.delta import COMMIT, LAYOUT, Table, committed, one_of, readable, select
from latentflix.reviews.sources.protocol import Outcome, Review

N_PARTITIONS = 32

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
    }
)
# What stays as it was when a review is met again; its text has been fetched when it last became another.
_KEPT = {
    "first_seen": "kept.first_seen",
    "fetched_at": "CASE WHEN kept.content_sha256 = met.content_sha256 THEN kept.fetched_at ELSE met.fetched_at END",
}


@dataclass(frozen=True)
class Attempt:
    """That a source was asked about a film, and what came of it. reviews: how many it gave."""

    tconst: str
    source: str
    asked_at: datetime
    outcome: Outcome
    reason: str = ""
    reviews: int = 0


@dataclass(frozen=True)
class MergeCounts:
    """What became of reviews that were merged: how many, by source.

    repeated: nearly the same text stands there already, under another id.
    """

    new: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "MergeCounts") -> "MergeCounts":
        """Both together."""
        return MergeCounts(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


def partition_of(tconst: str) -> int:
    """The partition that holds a film's reviews."""
    return zlib.crc32(tconst.encode()) % N_PARTITIONS


class ReviewStoreConfig(StageConfig):
    """Where the review store is."""

    uri: str = setting("reviews", "a folder, or s3://bucket/folder")
    storage_options: dict[str, str] = setting(
        {},
        "what deltalake needs to reach it, as aws_endpoint_url or aws_region; keys belong into the environment, as "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )


class ReviewStore:
    """Reviews and attempts below a folder, or below what deltalake reaches by `storage_options`."""

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None = None) -> None:
        """Name the place; the tables are made when they are first needed."""
        options = dict(storage_options or {})
        self.uri = uri.rstrip("/")
        self.reviews = Table(f"{self.uri}/reviews", REVIEWS, ("partition",), options)
        self.attempts = Table(f"{self.uri}/attempts", ATTEMPTS, (), options)
        # Merges of one process would only stand in each other's way.
        self._merging = Lock()

    def version(self) -> int:
        """The version of the reviews as they are now. Raises StoreError as `Table.open` does."""
        return self.reviews.open().version()

    def table_id(self) -> str:
        """What tells this store's reviews from those of any other store. Raises StoreError as `Table.open` does."""
        return str(self.reviews.open().metadata().id)

    def read(
        self, tconsts: Collection[str], version: int | None = None, columns: Sequence[str] = tuple(REVIEWS.names)
    ) -> pd.DataFrame:
        """The reviews of films, as they are or as they were at a version: `columns`, in no order.

        Raises StoreError as `Table.open` does.
        """
        return _of_films(self.reviews.open(version), tconsts, columns).to_pandas()

    def newest(self, tconsts: Collection[str]) -> dict[tuple[str, str], datetime]:
        """When the newest review of films was written, by film and source; of reviews without a date nothing.

        Raises StoreError as `Table.open` does.
        """
        rows = _of_films(self.reviews.open(), tconsts, ("tconst", "source", "written_at")).to_pylist()
        rows = sorted((row for row in rows if row["written_at"]), key=itemgetter("written_at"))
        return {(row["tconst"], row["source"]): row["written_at"] for row in rows}

    def count(self) -> pd.DataFrame:
        """How many reviews there are: tconst, source, kind, reviews, newest (when the last was first seen)."""
        every = select(self.reviews.open(), ("tconst", "source", "kind", "first_seen")).to_pandas()
        grouped = every.groupby(["tconst", "source", "kind"], as_index=False)
        return grouped.agg(reviews=("first_seen", "size"), newest=("first_seen", "max"))

    def merge(self, reviews: Collection[Review], at: datetime) -> MergeCounts:
        """Put reviews into the store, in one step: new ones, changed ones, and of all others that they were seen.

        A new review that nearly repeats another of its film is left out. The same reviews again change nothing but
        last_seen. Raises StoreError as `Table.open` does, StoreConflict if somebody else meanwhile wrote reviews of
        films in the same partitions: then nothing was written.
        """
        met = {review.review_id: review for review in reviews}
        if not met:
            return MergeCounts()
        with self._merging:
            table = self.reviews.open()
            known = _contents(table, {review.tconst for review in met.values()})
            new = [review for key, review in met.items() if key not in known]
            repeated = _repeated(new, table)
            kept = {key: review for key, review in met.items() if key not in repeated}
            if kept:
                _merge(table, kept.values(), at)
        return _count(met, known, repeated)

    def record(self, attempts: Collection[Attempt]) -> None:
        """Add attempts. Raises StoreError as `Table.open` does."""
        columns = {name: [getattr(attempt, name) for attempt in attempts] for name in ATTEMPTS.names}
        if attempts:
            self.attempts.append(pa.table(columns, schema=ATTEMPTS))

    def last_attempts(self) -> pd.DataFrame:
        """The last attempt at each film with each source. Raises StoreError as `Table.open` does."""
        every = select(self.attempts.open(), ATTEMPTS.names).to_pandas()
        return every.sort_values("asked_at").drop_duplicates(["tconst", "source"], keep="last", ignore_index=True)

    def compact(self) -> int:
        """Put many small files together, films in order; what is in the store stays the same.

        Returns how many files were replaced. Raises StoreError, StoreConflict as `merge` does.
        """
        with committed(self.reviews.uri):
            metrics = self.reviews.open().optimize.z_order(["tconst"], writer_properties=LAYOUT)
        with committed(self.attempts.uri):
            more = self.attempts.open().optimize.compact()
        return int(metrics["numFilesRemoved"]) + int(more["numFilesRemoved"])

    def vacuum(self, keep_days: float) -> int:
        """Remove the files of versions that ended more than `keep_days` ago; these can then be read no more.

        Returns how many files were removed. Raises StoreError as `Table.open` does.
        """
        removed = 0
        for table in (self.reviews, self.attempts):
            with readable(table.uri):
                removed += len(
                    table.open().vacuum(round(keep_days * 24), dry_run=False, enforce_retention_duration=False)
                )
        return removed


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


def _contents(table: DeltaTable, tconsts: Collection[str]) -> dict[str, str]:
    """The SHA-256 of the texts of films, by review."""
    rows = _of_films(table, tconsts, ("review_id", "content_sha256"))
    return dict(zip(rows["review_id"].to_pylist(), rows["content_sha256"].to_pylist(), strict=True))


def _repeated(new: Sequence[Review], table: DeltaTable) -> set[str]:
    """The ids of those new reviews that nearly repeat another of the same film."""
    by_film: dict[str, list[Review]] = defaultdict(list)
    for review in new:
        by_film[review.tconst].append(review)
    known: dict[str, list[str]] = defaultdict(list)
    for row in _of_films(table, by_film, ("tconst", "text")).to_pylist():
        known[row["tconst"]].append(row["text"])
    return {
        review.review_id
        for tconst, reviews in by_film.items()
        for review, repeats in zip(
            reviews, find_near_duplicates([review.text for review in reviews], known[tconst]), strict=True
        )
        if repeats
    }


def _merge(table: DeltaTable, reviews: Collection[Review], at: datetime) -> None:
    rows = to_arrow(reviews, at)
    partitions = ", ".join(str(number) for number in sorted(set(rows["partition"].to_pylist())))
    with committed(table.table_uri):
        table.merge(
            rows,
            f"kept.partition IN ({partitions}) AND kept.partition = met.partition AND kept.review_id = met.review_id",
            source_alias="met",
            target_alias="kept",
            writer_properties=LAYOUT,
            commit_properties=COMMIT,
        ).when_matched_update(
            {name: _KEPT.get(name, f"met.{name}") for name in REVIEWS.names}
        ).when_not_matched_insert_all().execute()


def to_arrow(reviews: Collection[Review], at: datetime) -> pa.Table:
    """Reviews as rows of the store that were fetched and first seen at a time, in the columns REVIEWS."""
    own = {each.name for each in fields(Review)}
    rows = []
    for review in reviews:
        row: dict[str, object] = {name: _storable(getattr(review, name)) for name in REVIEWS.names if name in own}
        row |= {"review_id": review.review_id, "content_sha256": review.content_sha256}
        row |= {"partition": partition_of(review.tconst), "fetched_at": at, "first_seen": at, "last_seen": at}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=REVIEWS)


def _storable(value: object) -> object:
    """Half a surrogate pair is no character, and no file of UTF-8 can hold it."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _count(met: Mapping[str, Review], known: Mapping[str, str], repeated: Collection[str]) -> MergeCounts:
    merged = MergeCounts()
    for key, review in met.items():
        if key in repeated:
            merged.repeated[review.source] += 1
        elif key not in known:
            merged.new[review.source] += 1
        elif known[key] != review.content_sha256:
            merged.changed[review.source] += 1
        else:
            merged.unchanged[review.source] += 1
    return merged
