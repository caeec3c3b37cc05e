"""Reviews of IMDb's pages by IMDbPY, which is called cinemagoer today: an optional package under the GPL.

Its last release that asks IMDb's pages is 2023.5.1; those after it read a database made of IMDb's data files, which
hold no reviews. IMDb's terms of use forbid robots, and where its bot wall is met nothing is done to get past it.
Source: https://cinemagoer.readthedocs.io/, https://www.imdb.com/conditions
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import httpx

from latentflix.config import StageConfig, setting
from latentflix.data.titles import plain_name, split_title
from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import WebAddress, retry_after
from latentflix.reviews.sources.protocol import TCONST, Answer, Check, Film, Review

_WHICH = "2023.5.1 is the last release that asks IMDb's pages, whose terms of use forbid robots"
_REFUSALS = {401, 403, 451}
_ABSENT = {404, 410}


class ImdbpyConfig(StageConfig):
    """How IMDb's pages are asked."""

    url: WebAddress = setting("https://www.imdb.com", "where IMDb's pages are")
    training_licence: str | None = setting(
        None, "the licence by which IMDb lets you train models on its reviews; without one they are never trained on"
    )


class ImdbpySource:
    """Answers through cinemagoer's own `search_movie` and `get_movie_reviews`."""

    name = "imdbpy"

    def __init__(self, config: ImdbpyConfig, fetcher: CachedClient) -> None:
        """Ask when it is `fetcher`'s turn, under its name."""
        self._config = config
        self._fetcher = fetcher

    @cached_property
    def _client(self) -> Any:
        from imdb import IMDb

        # The client gives this timeout to every socket of the process that has none of its own.
        timeout = self._fetcher.config.read_timeout
        client = IMDb("http", imdbURL_base=self._config.url, timeout=max(1, round(timeout)))
        # It would pass for a browser.
        client.urlOpener.set_header("User-Agent", self._fetcher.config.user_agent)
        return client

    def check(self) -> Check:
        """It works with a release of cinemagoer that asks IMDb's pages."""
        try:
            if find_spec("imdb") is None:
                return Check(False, f"cinemagoer is not installed; {_WHICH}")
            if find_spec("imdb.parser.http") is None:
                holds_none = "reads a database made of IMDb's data files, which hold no reviews"
                return Check(False, f"cinemagoer {_version()} {holds_none}; {_WHICH}")
            return Check(self._client is not None)
        except ImportError as error:
            return Check(False, f"cinemagoer {_version()} cannot be imported: {error}")

    def fetch(self, film: Film, since: datetime | None, limit: int) -> Answer:
        """The film's reviews, newest first. A page without any is taken for the bot wall's: they look the same."""
        if film.tconst is not None and not TCONST.fullmatch(film.tconst):
            return Answer("not_covered", reason=f"{film.tconst} is no IMDb id")
        try:
            tconst = film.tconst or self._find(film)
            found = self._ask(f"title/{tconst}/reviews", "get_movie_reviews", tconst.removeprefix("tt"))
            rows = found.get("data", {}).get("reviews")
            if not rows:
                raise self._blocked("IMDb showed no reviews, as its bot wall does")
        except PermanentFetchError as failure:
            return Answer(failure.outcome, reason=str(failure))
        reviews = [self._review(tconst, row) for row in rows if (row.get("content") or "").strip()]
        first = datetime.min.replace(tzinfo=UTC)
        reviews.sort(key=lambda review: review.written_at or first, reverse=True)
        new = [review for review in reviews if not (since and review.written_at and review.written_at <= since)]
        return Answer("ok", tuple(new[:limit]))

    def _find(self, film: Film) -> str:
        """The IMDb id of the one title that has the film's name and year."""
        names, year = split_title(film.title)
        year = film.year or year
        found = self._ask("find/", "search_movie", names[0] if names else film.title)
        if not found:
            raise self._blocked("IMDb found nothing, as behind its bot wall")
        asked = {plain_name(name) for name in names}
        same = {
            each.movieID for each in found if plain_name(each.get("title", "")) in asked and each.get("year") == year
        }
        if len(same) != 1:
            raise PermanentFetchError(
                "IMDb finds no title of that name and year, or several",
                outcome="not_covered",
                where=film.title,
                found=", ".join(f"tt{number}" for number in sorted(same)) or "none",
            )
        return f"tt{same.pop()}"

    def _ask(self, path: str, method: str, argument: str) -> Any:
        from imdb import IMDbError

        url = f"{self._config.url}/{path}"
        with self._fetcher.turn(url):
            try:
                return getattr(self._client, method)(argument)
            except (IMDbError, HTTPException, OSError) as error:
                raise self._failure(url, error) from error

    def _failure(self, url: str, error: Exception) -> TransientFetchError | PermanentFetchError:
        details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        answer = details.get("original exception")
        status = getattr(answer, "code", None) or details.get("errcode")
        found = f"{status} {details.get('errmsg') or ''}".strip() if details else str(error) or type(error).__name__
        if status in _REFUSALS:
            return self._blocked(f"IMDb answered {found}")
        if status in _ABSENT:
            return PermanentFetchError("there is no such page", outcome="not_covered", where=url, found=found)
        seconds = retry_after(httpx.Headers(list(getattr(answer, "headers", {}).items())))
        self._fetcher.rest(url, seconds or 0.0)
        return TransientFetchError("a request failed", where=url, found=found, retry_after=seconds)

    def _blocked(self, reason: str) -> PermanentFetchError:
        """Leaves IMDb alone for the rest of the run."""
        self._fetcher.block(self._config.url, reason)
        return PermanentFetchError("a host refused to answer", outcome="blocked", where=self._config.url, found=reason)

    def _review(self, tconst: str, row: Mapping[str, Any]) -> Review:
        author = row.get("author")
        # The client tells no number of a review; a user writes one of a film.
        number = author if author not in (None, "urNone") else hashlib.sha256(row["content"].encode()).hexdigest()
        licence = self._config.training_licence
        return Review(
            tconst=tconst,
            source=self.name,
            source_review_id=f"{tconst}/{number}",
            text=row["content"],
            rating=row.get("rating"),
            author=author,
            written_at=_read_day(row.get("date") or ""),
            url=f"https://www.imdb.com/title/{tconst}/reviews",
            attribution=f"Review from IMDb. Trained on by licence: {licence}." if licence else "Review from IMDb.",
            training_allowed=licence is not None,
        )


def _version() -> str:
    try:
        return version("cinemagoer")
    except PackageNotFoundError:
        return "of an unknown version"


def _read_day(text: str) -> datetime | None:
    """The day that IMDb writes as "3 May 2004"."""
    try:
        return datetime.strptime(text, "%d %B %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
