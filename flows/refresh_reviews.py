"""The refresh of the review store: query the sources, store new reviews, and find the histograms that drifted.

Run it with `python -m flows.refresh_reviews`; `python -m flows.refresh_reviews --help` lists the settings.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pooch
from prefect import flow

from flows.command_line import FlowResult, main
from flows.steps import load_ratings
from latentflix.artifacts import Store
from latentflix.data.title_catalogs import open_catalogs
from latentflix.data.titles import resolve_titles
from latentflix.errors import ArtifactError
from latentflix.factors.drift import StoredDriftConfig
from latentflix.report.highlights import Table, Text, drift_markdown, refresh_rows, refresh_sentence
from latentflix.reviews.films import films_by_id, films_in_report, films_of_own, films_with_imdb_id
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.refresh import (
    Batch,
    due_films,
    group_films,
    read_history,
    shortfalls,
    summarise,
    usable_sources,
)
from latentflix.reviews.sources.protocol import Film
from latentflix.reviews.sources.registry import build_sources, rejected_rows
from latentflix.reviews.sources.tmdb import read_keys
from latentflix.reviews.store import ReviewStore
from latentflix.runs import Run, find_last_run
from latentflix.settings import RefreshSettings
from tasks import factors
from tasks.reviews import rate_limiter, read_secret, refresh_batches
from tasks.stage import StageRunner
from tasks.ui import publish

DEFAULTS = RefreshSettings()
# Artifacts of the last run that drift is measured with.
_OF_LAST_RUN = ("ratings", "reviews", "language_model", "classifier", "predictions", "histograms")
# Rows shown of a table in the UI.
_MAX_ROWS = 1000
_NO_DRIFT = pd.DataFrame(columns=["title", "reviews", "new_reviews", "distance", "drifted", "gained", "lost"])


@flow(name="refresh_reviews", flow_run_name="refresh_reviews-{settings.data}", persist_result=False)
def refresh_reviews(settings: RefreshSettings = DEFAULTS) -> FlowResult:
    """Query sources for new reviews of films, store and predict them, and find histograms that have drifted.

    Args:
        settings: the settings of the refresh
    """
    started = datetime.now(UTC)
    run = StageRunner(Store(settings.artifacts_dir.resolve()), settings.parallel)
    store = ReviewStore(settings.store.uri, settings.store.storage_options)
    last_run = find_last_run(run.store)
    films, ambiguous = _choose_films(run, settings, last_run)
    history = read_history(store.last_attempts(), settings.refresh, datetime.now(UTC))

    with CachedClient(settings.sources.fetching, _page_cache(settings)) as client:
        named = build_sources(
            settings.sources,
            client,
            films,
            tmdb_keys=read_keys(
                read_secret("latentflix-tmdb-key", "TMDB_API_KEY"),
                read_secret("latentflix-tmdb-key-elsewhere", "TMDB_API_KEY_ELSEWHERE"),
            ),
            data_dir=settings.data_dir,
            cache_dir=settings.cache_dir,
        )
        sources, unusable = usable_sources(named)
        names = [source.name for source in sources]
        due, wait = due_films(films, sources, history), rate_limiter(names)
        batches = [
            Batch(group, store, sources, settings.refresh, history, wait)
            for group in group_films(due, history, settings.refresh.batch_size)
        ]
        refresh_batches(batches, settings.refresh)
        blocked, rejected = dict(client.politeness.blocked), rejected_rows(sources)

    counts, version = summarise(batches, names), store.version()
    sentence = refresh_sentence(counts, len(films), len(due), version)
    rows = refresh_rows(counts, unusable, shortfalls(batches))
    rows += [{"source": host, "note": f"blocked for the rest of the run: {why}"} for host, why in blocked.items()]
    publish([Table("refresh-reviews", sentence, rows)])
    if rejected:
        shown = f"{len(rejected):,} rows of the file cannot be used; the first {min(len(rejected), _MAX_ROWS):,}"
        publish([Table("refresh-rejected", shown, rejected[:_MAX_ROWS])])
    drift = _measure_drift(run, settings, store, last_run, started)
    publish([Text("refresh-drift", sentence, drift_markdown(drift, ambiguous))])
    return FlowResult(
        report=settings.store.uri,
        headline={
            "films": len(films),
            "due": len(due),
            "store_version": version,
            "sources": rows,
            "ambiguous_titles": len(ambiguous),
            "rejected_rows": rejected,
            "drifted": drift[drift["drifted"].astype(bool)].to_dict("records"),
        },
        sentence=sentence,
        seconds=run.seconds,
        cached=run.cached,
    )


def _choose_films(
    run: StageRunner, settings: RefreshSettings, last_run: Run | None
) -> tuple[Sequence[Film], pd.DataFrame]:
    """Choose the films to refresh, and list the titles that fit several IMDb titles."""
    nothing = pd.DataFrame(columns=["title", "candidates"])
    if settings.films == "report" and not settings.tconsts:
        if last_run is None:
            raise ArtifactError(
                "there is no report whose films could be refreshed",
                where=str(run.store.root),
                hint="run python -m flows.full first, or take --films linked",
            )
        return films_in_report(run.store, last_run), nothing
    _, ratings = load_ratings(run, settings)
    films = run.store.read_table(ratings, "items")
    if settings.tconsts:
        return films_by_id(films, settings.tconsts), nothing
    if settings.films == "own":
        return films_of_own(films), nothing
    catalogs = open_catalogs(settings.titles, films["title"], settings.data_dir, settings.cache_dir)
    resolved = resolve_titles(films, catalogs)
    return films_with_imdb_id(resolved.links), resolved.ambiguous


def _measure_drift(
    run: StageRunner, settings: RefreshSettings, store: ReviewStore, last_run: Run | None, started: datetime
) -> pd.DataFrame:
    """Measure how far the new reviews move the histograms of the last report, if there is one."""
    if last_run is None:
        return _NO_DRIFT
    config = StoredDriftConfig(
        **settings.drift.model_dump(),
        store=settings.store.uri,
        storage_options=settings.store.storage_options,
        store_id=store.table_id(),
        store_version=store.version(),
        new_since=started.isoformat(),
    )
    drift = run(factors.measure_drift, **{stage: last_run.handles[stage] for stage in _OF_LAST_RUN}, config=config)
    return run.store.read_table(drift, "drift")


def _page_cache(settings: RefreshSettings) -> Path:
    """Return the folder of the cache of web pages."""
    return Path(settings.cache_dir or pooch.os_cache("latentflix")) / "pages"


if __name__ == "__main__":
    main(refresh_reviews, RefreshSettings, "python -m flows.refresh_reviews")
