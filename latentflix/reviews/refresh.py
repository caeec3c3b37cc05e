"""What one refresh of the review store does: which films are due, whom it asks, what it keeps, and what came of it.

Films are asked about in batches. What a batch has done it does not do again, so it can be run until it is through.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args

import pandas as pd

from latentflix.artifacts import Store
from latentflix.config import StageConfig, setting
from latentflix.data.titles import split_title
from latentflix.errors import SettingsError, TransientFetchError
from latentflix.reviews.sources.protocol import TRY_NEXT_SOURCE, Answer, Film, Outcome, Review, ReviewSource
from latentflix.reviews.store import Attempt, MergeCounts, ReviewStore, partition_of
from latentflix.runs import Run

logger = logging.getLogger(__name__)

# After these a film is done with until it is stale; after any other it is asked about again next time.
ANSWERS = ("ok", "empty", "not_covered")
CHANGES = ("new", "changed", "unchanged", "repeated")
# Failures in a row after which a source is left alone until the batch is run again.
_IN_A_ROW = 5

BeforeRequest = Callable[[str], None]


class RefreshConfig(StageConfig):
    """How the store is refreshed."""

    stale_after_days: float = setting(7, "how old the last answer about a film may become", unit="days", ge=0)
    limit: int = setting(100, "reviews that are taken of a film from a source at a time, the newest", ge=1)
    batch_size: int = setting(50, "films that are written together", ge=1)
    workers: int = setting(4, "batches that are under way at a time", ge=1, le=64)
    retries: int = setting(4, "how often a film is asked about again when that may help", ge=0, le=50)
    backoff: float = setting(2, "before the first time; it doubles with every further one", unit="seconds", ge=0)
    longest_rest: float = setting(
        300, "longest rest that a source may ask for; films are left for the next refresh if it wants more",
        unit="seconds", ge=0,
    )  # fmt: skip


def usable_sources(sources: Sequence[ReviewSource]) -> tuple[list[ReviewSource], dict[str, str]]:
    """The sources that can work here, in the same order, and by name of every other why it cannot.

    Raises SettingsError if there is none that can.
    """
    checks = {source.name: source.check() for source in sources}
    unusable = {name: check.reason for name, check in checks.items() if not check.works}
    for name, reason in unusable.items():
        logger.warning("the source %s cannot work here: %s", name, reason)
    usable = [source for source in sources if source.name not in unusable]
    if not usable:
        raise SettingsError(
            "there is no source of reviews to ask",
            found="; ".join(f"{name}: {reason}" for name, reason in unusable.items()) or "none named",
            expected="at least one that can work here",
            hint="name another with --sources.names",
        )
    return usable, unusable


def stale_films(
    films: Collection[Film], last_attempts: pd.DataFrame, config: RefreshConfig, now: datetime
) -> list[Film]:
    """The films whose last answer is too old, or that were never answered, those of one partition together.

    last_attempts: as `ReviewStore.last_attempts`. A film without an IMDb id is left out: nothing can be kept of it.
    """
    last = last_attempts.sort_values("asked_at").drop_duplicates("tconst", keep="last")
    since = now - timedelta(days=config.stale_after_days)
    fresh = set(last.loc[last["outcome"].isin(ANSWERS) & (last["asked_at"] > since), "tconst"])
    due = {film.tconst: film for film in films if film.tconst and film.tconst not in fresh}
    return [due[tconst] for tconst in sorted(due, key=lambda tconst: (partition_of(tconst), tconst))]


def chunked(films: Sequence[Film], size: int) -> list[Sequence[Film]]:
    """Films in groups of `size`, in their order; the last one may be smaller."""
    return [films[start : start + size] for start in range(0, len(films), size)]


def last_answered(last_attempts: pd.DataFrame) -> dict[tuple[str, str], datetime]:
    """When each film was last answered with reviews, by film and source."""
    answered = last_attempts[last_attempts["outcome"] == "ok"]
    times = answered["asked_at"].dt.to_pydatetime()
    return dict(zip(zip(answered["tconst"], answered["source"], strict=True), times, strict=True))


def _nothing(_: str) -> None:
    return


class Batch:
    """Some films that are asked about one after the other and written together.

    name: its first film. attempts, merged: what has been done so far, and is in the store. unanswered: by film, the
    source that could not be asked and why.
    """

    def __init__(
        self,
        films: Sequence[Film],
        store: ReviewStore,
        sources: Sequence[ReviewSource],
        config: RefreshConfig,
        answered: Mapping[tuple[str, str], datetime] | None = None,
        before_asking: BeforeRequest = _nothing,
    ) -> None:
        """Ask the sources in their order; only not_covered and empty fall through to the next.

        answered: as `last_answered` gives it. before_asking: is told the source before each film, and may wait.
        """
        self.name = str(films[0].tconst) if films else "none"
        self.attempts: list[Attempt] = []
        self.merged = MergeCounts()
        self.unanswered: dict[str, tuple[str, str]] = {}
        self._waiting = [film for film in films if film.tconst]
        self._store = store
        self._sources = sources
        self._config = config
        self._answered = answered or {}
        self._before_asking = before_asking
        self._newest: Mapping[tuple[str, str], datetime] | None = None
        self._unwritten: list[tuple[list[Attempt], list[Review]]] = []
        self._in_a_row: Counter[str] = Counter()
        self._rests_until = 0.0

    def run(self) -> None:
        """Ask about the films that are still to be asked about, and write what came of it.

        Raises TransientFetchError, with the films, if asking again may help, StoreConflict if writing again may; then run it again. The
        rest that a source asks for is waited for here: how long it is nobody knows before it asks.
        """
        time.sleep(max(0.0, self._rests_until - time.monotonic()))
        if self._newest is None:
            self._newest = self._store.newest([str(film.tconst) for film in self._waiting])
        waiting, self._waiting = self._waiting, []
        self.unanswered.clear()
        self._in_a_row.clear()
        for film in waiting:
            self._ask(film, self._newest)
        self._write()
        if self.unanswered:
            films = {tconst: reason for tconst, (_, reason) in self.unanswered.items()}
            first = next(iter(films.values()))
            raise TransientFetchError(f"{len(films):,} films could not be asked about", films=films, found=first)

    def record_failures(self) -> None:
        """Write down of the films that are still unanswered that asking about them failed."""
        now = datetime.now(UTC)
        failed = [Attempt(film, source, now, "error", reason) for film, (source, reason) in self.unanswered.items()]
        self._store.record(failed)
        self.attempts += failed
        self.unanswered.clear()

    def _ask(self, film: Film, newest: Mapping[tuple[str, str], datetime]) -> None:
        attempts: list[Attempt] = []
        reviews: list[Review] = []
        for source in self._sources:
            asked_at = datetime.now(UTC)
            key = (str(film.tconst), source.name)
            try:
                answer = self._fetch(source, film, newest.get(key) or self._answered.get(key))
            except TransientFetchError as failure:
                rest = failure.retry_after or 0.0
                if rest <= self._config.longest_rest:
                    self._rests_until = max(self._rests_until, time.monotonic() + rest)
                    self._waiting.append(film)
                    self.unanswered[key[0]] = (source.name, str(failure))
                    return
                answer = Answer("error", reason=f"{failure}; asks to be left alone for {rest:,.0f} seconds")
            attempts.append(Attempt(*key, asked_at, answer.outcome, answer.reason, len(answer.reviews)))
            reviews += answer.reviews
            if answer.outcome not in TRY_NEXT_SOURCE:
                break
        self._unwritten.append((attempts, reviews))

    def _fetch(self, source: ReviewSource, film: Film, since: datetime | None) -> Answer:
        if self._in_a_row[source.name] >= _IN_A_ROW:
            raise TransientFetchError("a source failed for one film after the other", where=source.name)
        self._before_asking(source.name)
        try:
            answer = source.fetch(film, since, self._config.limit)
        except TransientFetchError:
            self._in_a_row[source.name] += 1
            raise
        except Exception as error:
            # Whatever a source stumbles over in one film must not cost the others of the batch.
            logger.exception("the source %s stumbled over %s", source.name, film.tconst)
            answer = Answer("error", reason=f"{type(error).__name__}: {error}")
        self._in_a_row[source.name] = 0
        return answer

    def _write(self) -> None:
        """Reviews first: of a film that was not written down as asked about, they are only fetched once more."""
        reviews = [review for _, found in self._unwritten for review in found]
        attempts = [attempt for made, _ in self._unwritten for attempt in made]
        self.merged += self._store.merge(reviews, datetime.now(UTC))
        self._store.record(attempts)
        self.attempts += attempts
        self._unwritten = []


def summarise(batches: Sequence[Batch], sources: Sequence[str]) -> pd.DataFrame:
    """What came of it, by source (the index).

    asked: films. new, changed, unchanged, repeated (nearly the same as another): reviews. ok, empty, not_covered,
    blocked, unsupported, error: films. All int64.
    """
    outcomes = Counter((attempt.source, str(attempt.outcome)) for batch in batches for attempt in batch.attempts)
    asked = Counter(attempt.source for batch in batches for attempt in batch.attempts)
    merged = MergeCounts()
    for batch in batches:
        merged += batch.merged
    columns = {
        "asked": asked,
        **{change: getattr(merged, change) for change in CHANGES},
        **{outcome: {source: outcomes[source, outcome] for source in sources} for outcome in get_args(Outcome)},
    }
    counts = {name: [counted[source] for source in sources] for name, counted in columns.items()}
    return pd.DataFrame(counts, pd.Index(sources, name="source"), dtype="int64")


def failure_reasons(batches: Sequence[Batch]) -> dict[str, str]:
    """Why films were not answered, by source: its most frequent reason and how many films it cost."""
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for batch in batches:
        for attempt in batch.attempts:
            if attempt.outcome not in ANSWERS:
                reasons[attempt.source][f"{attempt.outcome}: {attempt.reason}"] += 1
    most = {source: counted.most_common(1)[0] for source, counted in reasons.items()}
    return {source: f"{reason} ({films:,} films)" for source, (reason, films) in most.items()}


def films_in_report(store: Store, run: Run) -> list[Film]:
    """The films whose histograms the report shows, if they have an IMDb id. Raises as `Store.read_table`."""
    films = store.read_table(run.handles["ratings"], "items")
    shown = store.read_table(run.handles["histograms"], "shares")["item_id"].unique()
    return films_with_imdb_id(films.loc[films.index.intersection(shown)])


def films_by_id(films: pd.DataFrame, tconsts: Sequence[str]) -> list[Film]:
    """The films of these IMDb ids, with title and year where they are known. films: as in `films_with_imdb_id`."""
    known = {film.tconst: film for film in films_with_imdb_id(films)}
    return [known.get(tconst, Film("", None, tconst)) for tconst in tconsts]


def films_with_imdb_id(films: pd.DataFrame) -> list[Film]:
    """The films whose IMDb id is known. films: `title` with the year, and `tconst` (nullable) if any is known."""
    known = films.reindex(columns=["title", "tconst"]).dropna().astype("str")
    return [
        Film(names[0], year, tconst)
        for tconst, (names, year) in zip(known["tconst"], known["title"].map(split_title), strict=True)
    ]
