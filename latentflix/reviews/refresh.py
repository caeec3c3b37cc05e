"""Refreshing the review store: which films are due, which sources are queried, what is stored, and a summary."""

import logging
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.errors import SettingsError, TransientFetchError
from latentflix.reviews.sources.protocol import TRY_NEXT_SOURCE, Answer, Film, Outcome, Review, ReviewSource, query
from latentflix.reviews.store import Attempt, Change, MergeCounts, ReviewStore, partition_of

logger = logging.getLogger(__name__)

# After these outcomes a source is queried about a film again only when the answer is stale, after others in the next
# refresh.
ANSWERS = ("ok", "empty", "not_covered")
# Consecutive failures after which a source is not queried until the batch is run again.
_MAX_FAILURES = 5
# An unchanged film takes one request or less, a new one several, and a text to compare with others.
_FILMS_FOR_A_NEW_ONE = 4

# Called with the name of a source before each query; it may wait.
BeforeRequest = Callable[[str], None]


class RefreshConfig(StageConfig):
    """How the store is refreshed."""

    stale_after_days: float = setting(7, "age from which on the last answer about a film is stale", unit="days", ge=0)
    limit: int = setting(
        100,
        "new reviews of a film that are stored from a source on the web in one refresh, the newest; the next refreshes "
        "store the others",
        ge=1,
    )
    batch_size: int = setting(50, "films that are written together; four times as many if they may be unchanged", ge=1)
    workers: int = setting(4, "batches at a time", ge=1, le=64)
    retries: int = setting(4, "how often a film is queried again after a transient failure", ge=0, le=50)
    backoff: float = setting(2, "wait before the first retry; it doubles with each further one", unit="seconds", ge=0)
    longest_pause: float = setting(300, "longest pause that a source may ask for", unit="seconds", ge=0)


def usable_sources(sources: Sequence[ReviewSource]) -> tuple[list[ReviewSource], dict[str, str]]:
    """Separate the sources that can work here from the others: reason by name. Raises SettingsError if none can."""
    checked = [(source, source.availability()) for source in sources]
    unusable = {source.name: found.reason for source, found in checked if not found.available}
    for name, reason in unusable.items():
        logger.warning("the source %s cannot work here: %s", name, reason)
    usable = [source for source in sources if source.name not in unusable]
    if not usable:
        raise SettingsError(
            "no source of reviews can be queried",
            found="; ".join(f"{name}: {reason}" for name, reason in unusable.items()) or "none named",
            expected="at least one source that can work here",
            hint="name another with --sources.names",
        )
    return usable, unusable


@dataclass(frozen=True)
class History:
    """What earlier refreshes were answered, by film and source.

    Attributes:
        fresh: the outcomes of complete answers that are not stale.
        markers: the last answer's marker, if it had one.
    """

    fresh: Mapping[tuple[str, str], Outcome] = field(default_factory=dict)
    markers: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def fresh_outcome(self, film: Film, source: ReviewSource) -> Outcome | None:
        """Return the outcome of an answer that makes a query needless; None if the source is to be queried."""
        return None if source.local else self.fresh.get((str(film.tconst), source.name))

    def is_due(self, film: Film, sources: Sequence[ReviewSource]) -> bool:
        """Whether any source is to be queried; those behind one that has reviews of the film are not."""
        for source in sources:
            outcome = self.fresh_outcome(film, source)
            if outcome not in TRY_NEXT_SOURCE:
                return outcome is None
        return False


NO_HISTORY = History()


def read_history(last_attempts: pd.DataFrame, config: RefreshConfig, now: datetime) -> History:
    """Read the history of `last_attempts`, as returned by `ReviewStore.last_attempts`.

    An attempt that a wrong clock dated later than `now` counts as stale.
    """
    since = now - timedelta(days=config.stale_after_days)
    is_fresh = last_attempts["asked_at"].between(since, now, inclusive="right") & last_attempts["outcome"].isin(ANSWERS)
    by_film = last_attempts.set_index(["tconst", "source"])
    fresh = by_film["outcome"][(is_fresh & (last_attempts["remaining"] == 0)).to_numpy()]
    return History(fresh.to_dict(), by_film["marker"].to_dict())


def due_films(films: Collection[Film], sources: Sequence[ReviewSource], history: History) -> list[Film]:
    """Choose the films about which a source is to be queried, each once, ordered by partition of the store.

    Films without an IMDb id are left out, since the store identifies films by it.
    """
    due = {film.tconst: film for film in films if film.tconst and history.is_due(film, sources)}
    return [due[tconst] for tconst in sorted(due, key=lambda tconst: (partition_of(tconst), tconst))]


def group_films(films: Sequence[Film], history: History, size: int) -> list[Sequence[Film]]:
    """Group films into batches, in their order: at most `size` new ones, or more of those that take fewer requests."""
    known = {tconst for (tconst, _), marker in history.markers.items() if marker}
    groups = [film for film in films if film.tconst not in known], [film for film in films if film.tconst in known]
    return [
        group[start : start + step]
        for group, step in zip(groups, (size, size * _FILMS_FOR_A_NEW_ONE), strict=True)
        for start in range(0, len(group), step)
    ]


class Batch:
    """Films that are queried one after the other and written together; `name` is the IMDb id of the first one.

    Attributes:
        attempts, merged: the queries that are in the store, and what became of their reviews.
        unanswered: the source that failed and the reason, by film.
    """

    def __init__(
        self,
        films: Sequence[Film],
        store: ReviewStore,
        sources: Sequence[ReviewSource],
        config: RefreshConfig,
        history: History = NO_HISTORY,
        before_request: BeforeRequest = lambda _: None,
    ) -> None:
        """Prepare to query the sources in their order, as far as `history` has no fresh answer."""
        self.name = str(films[0].tconst) if films else "none"
        self.attempts: list[Attempt] = []
        self.merged: MergeCounts = Counter()
        self.unanswered: dict[str, tuple[str, str]] = {}
        self._waiting = deque(film for film in films if film.tconst)
        self._store = store
        self._sources = sources
        self._config = config
        self._history = history
        self._before_request = before_request
        self._new_attempts: list[Attempt] = []
        self._new_reviews: list[Review] = []
        self._failures: Counter[str] = Counter()
        self._paused_until = 0.0
        self._stopped = threading.Event()

    def run(self) -> None:
        """Query the sources for the films that are still due, and write the answers, whatever ends the queries.

        A pause that a source asked for is kept before anything is queried again. Raises TransientFetchError if films
        are unanswered, and StoreError if the answers could not be written: then run the batch again.
        """
        self._stopped.wait(max(0.0, self._paused_until - time.monotonic()))
        self.unanswered.clear()
        self._failures.clear()
        try:
            for _ in range(len(self._waiting)):
                if self._stopped.is_set():
                    break
                # A film that is not answered is queried again when the batch is run again.
                if self._query(self._waiting[0]):
                    self._waiting.popleft()
                else:
                    self._waiting.rotate(-1)
        finally:
            self._write()
        if self.unanswered:
            films = {tconst: reason for tconst, (_, reason) in self.unanswered.items()}
            first = next(iter(films.values()))
            raise TransientFetchError(f"{len(films):,} films are unanswered", films=films, found=first)

    def stop(self) -> None:
        """Have another thread's `run` end as soon as the film that it is querying is answered."""
        self._stopped.set()

    def finish(self) -> None:
        """Write what could not be written yet, and record the films that are still unanswered as failed."""
        now = datetime.now(UTC)
        self._new_attempts += [
            Attempt(film, source, now, "error", reason) for film, (source, reason) in self.unanswered.items()
        ]
        self.unanswered.clear()
        self._write()

    def _write(self) -> None:
        # The reviews first: should recording the attempts fail, they are only fetched once more.
        self.merged += self._store.merge(self._new_reviews, datetime.now(UTC))
        self._new_reviews = []
        self._store.record(self._new_attempts)
        self.attempts += self._new_attempts
        self._new_attempts = []

    def _query(self, film: Film) -> bool:
        """Query the sources for a film, and return whether they answered or are not to be queried again now."""
        attempts: list[Attempt] = []
        reviews: list[Review] = []
        for source in self._sources:
            outcome = self._history.fresh_outcome(film, source)
            if outcome is None:
                asked_at = datetime.now(UTC)
                try:
                    answer = self._fetch(source, film)
                except TransientFetchError as failure:
                    pause = failure.retry_after or 0.0
                    if pause <= self._config.longest_pause:
                        self._paused_until = max(self._paused_until, time.monotonic() + pause)
                        self.unanswered[str(film.tconst)] = (source.name, str(failure))
                        return False
                    answer = Answer("error", reason=f"{failure}; asks for a pause of {pause:,.0f} seconds")
                attempts.append(_attempt(film, source, asked_at, answer))
                reviews += answer.reviews
                outcome = answer.outcome
            if outcome not in TRY_NEXT_SOURCE:
                break
        self._new_attempts += attempts
        self._new_reviews += reviews
        return True

    def _fetch(self, source: ReviewSource, film: Film) -> Answer:
        if self._failures[source.name] >= _MAX_FAILURES:
            raise TransientFetchError("a source failed for several films in a row", where=source.name)
        self._before_request(source.name)
        try:
            answer = query(source, film, self._history.markers.get((str(film.tconst), source.name), ""))
        except TransientFetchError:
            self._failures[source.name] += 1
            raise
        except Exception as error:
            # An unforeseen failure for one film must not affect the others of the batch.
            logger.exception("the source %s failed for %s", source.name, film.tconst)
            answer = Answer("error", reason=f"{type(error).__name__}: {error}")
        self._failures[source.name] = 0
        return answer if source.local else self._limit(answer)

    def _limit(self, answer: Answer) -> Answer:
        """Leave what exceeds the limit to the next refresh, which must then ask again."""
        if len(answer.reviews) <= self._config.limit:
            return answer
        excess = self._store.unknown(answer.reviews)[self._config.limit :]
        if not excess:
            return answer
        left = {review.review_id for review in excess}
        reviews = tuple(review for review in answer.reviews if review.review_id not in left)
        reason = f"there are more new reviews than --refresh.limit {self._config.limit}"
        return replace(answer, reviews=reviews, reason=reason, remaining=answer.remaining + len(left), marker="")


def _attempt(film: Film, source: ReviewSource, asked_at: datetime, answer: Answer) -> Attempt:
    return Attempt(
        str(film.tconst),
        source.name,
        asked_at,
        answer.outcome,
        answer.reason,
        len(answer.reviews),
        answer.remaining,
        answer.marker,
    )


@contextmanager
def finishing(batches: Sequence[Batch]) -> Iterator[None]:
    """Finish all batches when the context ends, however it ends, also if one of them raises."""
    with ExitStack() as ending:
        for batch in batches:
            ending.callback(batch.finish)
        yield


@contextmanager
def stopping(batches: Sequence[Batch]) -> Iterator[None]:
    """Stop all batches when the context ends, however it ends."""
    try:
        yield
    finally:
        for batch in batches:
            batch.stop()


def summarise(batches: Sequence[Batch], sources: Sequence[str]) -> pd.DataFrame:
    """Count by source, the index: films in `asked` and in each `Outcome`, reviews in each `Change` and in `remaining`.

    All are int64.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for batch in batches:
        counts.update(batch.merged)
        counts.update(("asked", attempt.source) for attempt in batch.attempts)
        counts.update((attempt.outcome, attempt.source) for attempt in batch.attempts)
        for attempt in batch.attempts:
            counts["remaining", attempt.source] += attempt.remaining
    columns = ("asked", *get_args(Change), "remaining", *get_args(Outcome))
    table = {name: [counts[name, source] for source in sources] for name in columns}
    return pd.DataFrame(table, pd.Index(sources, name="source"), dtype="int64")


def shortfalls(batches: Sequence[Batch]) -> dict[str, str]:
    """Name the most frequent reason for which reviews are missing, and the number of films it affected, by source."""
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for batch in batches:
        for attempt in batch.attempts:
            if attempt.outcome not in ANSWERS or attempt.remaining:
                reasons[attempt.source][f"{attempt.outcome}: {attempt.reason}"] += 1
    most = {source: counted.most_common(1)[0] for source, counted in reasons.items()}
    return {source: f"{reason} ({films:,} films)" for source, (reason, films) in most.items()}
