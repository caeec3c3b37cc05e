"""Reviews from IMDb's pages through IMDbPY, now called cinemagoer: an optional package under the GPL.

The last release that reads IMDb's pages is 2023.5.1; later ones read a database made from IMDb's data files, which hold
no reviews. IMDb's terms of use forbid robots; its bot wall is respected, never evaded.
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
from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import ABSENT, REFUSALS, WebAddress, retry_after
from latentflix.reviews.sources.protocol import Answer, Availability, Film, Review, newest_first

_LAST_RELEASE = "2023.5.1 is the last release that reads IMDb's pages, whose terms of use forbid robots"


class ImdbpyConfig(StageConfig):
    """How IMDb's pages are queried."""

    url: WebAddress = setting("https://www.imdb.com", "address of IMDb's pages")
    training_licence: str | None = setting(
        None, "the licence by which IMDb lets you train models on its reviews; without one, none is trained on them"
    )


class ImdbpySource:
    """Answers through cinemagoer's own `get_movie_reviews`."""

    name = "imdbpy"
    local = False

    def __init__(self, config: ImdbpyConfig, client: CachedClient) -> None:
        self._config = config
        self._client = client

    @cached_property
    def _imdb(self) -> Any:
        from imdb import IMDb

        # IMDb applies this timeout to every socket of the process that has none of its own.
        timeout = self._client.config.read_timeout
        imdb = IMDb("http", imdbURL_base=self._config.url, timeout=max(1, round(timeout)))
        # By default it pretends to be a browser.
        imdb.urlOpener.set_header("User-Agent", self._client.config.user_agent)
        return imdb

    def availability(self) -> Availability:
        """Available with a release of cinemagoer that reads IMDb's pages."""
        try:
            if find_spec("imdb") is None:
                return Availability(False, f"cinemagoer is not installed; {_LAST_RELEASE}")
            if find_spec("imdb.parser.http") is None:
                no_reviews = "reads a database made of IMDb's data files, which hold no reviews"
                return Availability(False, f"cinemagoer {_version()} {no_reviews}; {_LAST_RELEASE}")
            return Availability(self._imdb is not None)
        except ImportError as error:
            return Availability(False, f"cinemagoer {_version()} cannot be imported: {error}")

    def fetch(self, film: Film, _marker: str) -> Answer:
        """Fetch the reviews on the film's page, newest first.

        A page without any counts as the bot wall's: they look the same.
        """
        from imdb import IMDbError

        tconst = film.imdb_id
        url = f"{self._config.url}/title/{tconst}/reviews"
        with self._client.politeness.acquire(url):
            try:
                found = self._imdb.get_movie_reviews(tconst.removeprefix("tt"))
            except (IMDbError, HTTPException, OSError) as error:
                raise self._failure(url, error) from error
        rows = found.get("data", {}).get("reviews")
        if not rows:
            raise self._blocked("IMDb showed no reviews, as its bot wall does")
        reviews = (self._review(tconst, row) for row in rows if (row.get("content") or "").strip())
        return Answer("ok", newest_first(reviews))

    def _failure(self, url: str, error: Exception) -> TransientFetchError | PermanentFetchError:
        details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        answer = details.get("original exception")
        status = getattr(answer, "code", None) or details.get("errcode")
        found = f"{status} {details.get('errmsg') or ''}".strip() if details else str(error) or type(error).__name__
        if status in REFUSALS:
            return self._blocked(f"IMDb answered {found}")
        if status in ABSENT:
            return PermanentFetchError("there is no such page", outcome="not_covered", where=url, found=found)
        seconds = retry_after(httpx.Headers(list(getattr(answer, "headers", {}).items())))
        self._client.politeness.back_off(url, seconds or 0.0)
        return TransientFetchError("a request failed", where=url, found=found, retry_after=seconds)

    def _blocked(self, reason: str) -> PermanentFetchError:
        """Send IMDb no further request in this run."""
        self._client.politeness.block(self._config.url, reason)
        return PermanentFetchError("a host refused to answer", outcome="blocked", where=self._config.url, found=reason)

    def _review(self, tconst: str, row: Mapping[str, Any]) -> Review:
        author = row.get("author")
        # IMDbPY has no ids of reviews, but a user writes only one review of each film.
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
    """Read a day as IMDb writes it: 3 May 2004."""
    try:
        return datetime.strptime(text, "%d %B %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
