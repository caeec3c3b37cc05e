"""Benchmark of the review store: refreshing it from a fake web on loopback, and reading the reviews of a run.

The refresh is the whole flow, with Prefect's tasks, the page cache and the store, but without pauses between requests.
Run it with `python -m benchmarks.reviews`.
"""

import flows  # noqa: F401 # isort: skip  # its settings come before Prefect is imported

import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pooch
import pyarrow as pa
from deltalake import write_deltalake
from prefect import flow
from prefect.testing.utilities import prefect_test_harness
from pydantic import BaseModel, Field

from benchmarks.output import print_results, say
from flows.command_line import FlowResult, parse_command_line
from flows.refresh_reviews import refresh_reviews
from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.reviews.delta import LAYOUT
from latentflix.reviews.sources.protocol import Review
from latentflix.reviews.store import ReviewStore, partition_of, to_arrow
from latentflix.settings import RefreshSettings
from tests.support.fake_web import TMDB_KEY, fake_web, review

REVIEWS_PER_FILM = 30
# As many films of MovieLens 100K have an IMDb id.
FILMS_OF_A_RUN = 1_349


class ReviewSettings(BaseModel):
    """How many films are refreshed, and from how many reviews a run's are read."""

    films: int = Field(1_000, ge=1, description="films that are refreshed")
    stored: int = Field(1_000_000, ge=REVIEWS_PER_FILM, description="reviews in the store that is read")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def serve(films: int, texts: list[str], connection: Connection) -> None:
    """Serve a fake web until the other side of the connection closes."""
    with fake_web() as web:
        for number in range(films):
            first = number * REVIEWS_PER_FILM
            web.add(
                f"tt{number + 1:07d}",
                f"Film {number}",
                reviews=[
                    review(place, texts[place % len(texts)], day=place % 900)
                    for place in range(first, first + REVIEWS_PER_FILM)
                ],
                extract=f"== Plot ==\n{texts[first % len(texts)]}\n== Reception ==\n{texts[(first + 1) % len(texts)]}",
            )
        connection.send(web.url)
        while connection.poll(None):
            connection.recv()
            connection.send(web.count())


@contextmanager
def served(films: int, texts: list[str]) -> Iterator[tuple[str, Callable[[], int]]]:
    """Serve a fake web in another process, and yield its address and a function that counts the received requests."""
    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(films, texts, sender), daemon=True)
    process.start()

    def count_requests() -> int:
        receiver.send("count")
        return int(receiver.recv())

    try:
        yield receiver.recv(), count_requests
    finally:
        process.kill()


@flow(name="timed-refresh", persist_result=False)
def refresh(settings: RefreshSettings) -> tuple[FlowResult, float, float]:
    """Refresh the store, and return the seconds that the flow's body took, and those of the processor in this process.

    Prefect starts and ends the flow outside of them; it ends each with up to a second of waiting for its heartbeat.
    """
    began, used = time.monotonic(), time.process_time()
    result = refresh_reviews.fn(settings)
    return result, time.monotonic() - began, time.process_time() - used


def resident() -> float:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure_refresh(films: int, texts: list[str], source: str, folder: Path) -> list[dict[str, Any]]:
    """Refresh all films twice from a source without a change in between; every answer is stale at once."""
    rows = []
    with served(films, texts) as (url, count_requests):
        os.environ["TMDB_API_KEY_ELSEWHERE"] = f"{url} {TMDB_KEY}"
        settings = RefreshSettings.model_validate(
            {
                "artifacts_dir": folder / "artifacts",
                "cache_dir": folder / "cache",
                "data_dir": pooch.os_cache("latentflix"),
                "tconsts": [f"tt{number + 1:07d}" for number in range(films)],
                "store": {"uri": str(folder / "store")},
                "refresh": {"stale_after_days": 0},
                "sources": {
                    "names": [source],
                    "fetching": {"pause": 0, "jitter": 0, "contact": "benchmark@example.org"},
                    "tmdb": {"url": url},
                    "wikipedia": {"wikidata_url": f"{url}/sparql", "wikipedia_url": f"{url}/w/api.php"},
                },
            }
        )
        # Computes the artifacts of the ratings and connects to Prefect before time is measured.
        refresh(settings.model_copy(update={"tconsts": ("tt9999999",)}))
        base = resident()
        for name in ("first", "second, nothing new"):
            sent = count_requests()
            outcome, seconds, processor = refresh(settings)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            (row,) = outcome.headline["sources"]
            rows.append(
                {
                    "source": source,
                    "refresh": name,
                    "seconds": seconds,
                    "processor_seconds": processor,
                    "films_per_second": films / seconds,
                    "requests": count_requests() - sent,
                    "new": row["new"],
                    "repeated": row["repeated"],
                    "errors": row["error"] + row["blocked"],
                    "mib_above_base": peak - base,
                }
            )
            say(str(rows[-1]))
    return rows


def fill(store: ReviewStore, reviews: int, texts: list[str]) -> list[str]:
    """Fill a store partition by partition, with films in order as after compaction, and return the films."""
    random = np.random.default_rng(0)
    numbers = random.choice(np.arange(1, 9_999_999), reviews // REVIEWS_PER_FILM, replace=False)
    films = sorted((f"tt{number:07d}" for number in numbers), key=lambda film: (partition_of(film), film))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for group in np.array_split(np.array(films), max(len(films) // 1000, 1)):
        made = [
            Review(film, "tmdb", f"{film}-{number}", texts[random.integers(len(texts))], written_at=at)
            for film in group.tolist()
            for number in range(REVIEWS_PER_FILM)
        ]
        table = store.reviews.open()
        write_deltalake(table, to_arrow(made, at), mode="append", writer_properties=LAYOUT)
    store.compact()
    return films


def measure_reading(reviews: int, texts: list[str], folder: Path) -> dict[str, Any]:
    """Read the reviews of a run's films from a store of many more, three times."""
    store = ReviewStore(str(folder / "large"))
    films = fill(store, reviews, texts)
    say(f"{reviews:,} reviews of {len(films):,} films stored")
    chosen = np.random.default_rng(1).choice(films, min(FILMS_OF_A_RUN, len(films)), replace=False).tolist()
    columns = ("tconst", "source", "kind", "text", "rating", "attribution", "content_sha256", "training_allowed")
    seconds, found = [], pd.DataFrame()
    for _ in range(3):
        began = time.monotonic()
        found = ReviewStore(store.uri).read(chosen, store.version(), columns)
        seconds.append(time.monotonic() - began)
    pa.default_memory_pool().release_unused()
    return {"stored": reviews, "films": len(chosen), "read": len(found), "first": seconds[0], "best": min(seconds)}


def main() -> None:
    """Measure both and print the results."""
    settings = parse_command_line(ReviewSettings, "python -m benchmarks.reviews")
    texts = load_data_set(DataSetConfig(name="imdb_reviews"))["reviews"]["text"].drop_duplicates().tolist()
    with tempfile.TemporaryDirectory() as name:
        with prefect_test_harness(server_startup_timeout=120):
            refreshes = pd.DataFrame(
                row
                for source in ("tmdb", "wikipedia")
                for row in measure_refresh(settings.films, texts, source, Path(name) / source)
            )
        reading = measure_reading(settings.stored, texts, Path(name))
    ratios = {
        "films per second, relative to 50": refreshes["films_per_second"][0] / 50,
        "seconds of the first refresh from TMDB relative to the second": refreshes["seconds"][0]
        / refreshes["seconds"][1],
        "seconds of the first refresh from Wikipedia relative to the second": refreshes["seconds"][2]
        / refreshes["seconds"][3],
        "MiB above the base": float(refreshes["mib_above_base"].max()),
        "seconds to read a run's reviews": reading["best"],
        "seconds to read them for the first time": reading["first"],
        "reviews in the store that is read": reading["stored"],
        "reviews read": reading["read"],
    }
    print_results(refreshes, ratios, as_json=settings.json_)


if __name__ == "__main__":
    main()
