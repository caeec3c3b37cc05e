"""HTTP client with a cache that honours ETag and age (RFC 9111), on top of the polite transport."""

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Self, TypeVar

import httpx
from hishel import CacheOptions, SqliteStorage
from hishel.httpx import CacheTransport
from pydantic import AfterValidator, AwareDatetime, BaseModel, ValidationError

from latentflix.errors import PermanentFetchError
from latentflix.reviews.http.bounded import BoundedTransport
from latentflix.reviews.http.politeness import HttpConfig, PoliteTransport
from latentflix.reviews.http.transports import AuthTransport, DateHeaderTransport, origin

logger = logging.getLogger(__name__)

Shape = TypeVar("Shape", bound=BaseModel)


def _check_year(time: datetime) -> datetime:
    if time.year not in _YEARS:
        raise ValueError(f"the year is not from {_YEARS.start} to {_YEARS.stop - 1}")
    return time


# A mere number counts as seconds since 1970, and a time at the ends of the calendar has none in UTC.
_YEARS = range(1990, 2200)
Timestamp = Annotated[AwareDatetime, AfterValidator(_check_year)]

_MAX_REDIRECTS = 5


class CachedClient:
    """Fetches pages for one run, from any number of threads."""

    def __init__(self, config: HttpConfig, cache_dir: Path | None = None) -> None:
        self.config = config
        self._connections = BoundedTransport(
            httpx.AsyncHTTPTransport(proxy=config.proxy), seconds=config.total_timeout, max_body=config.max_body
        )
        self.auth = AuthTransport(self._connections)
        self.politeness = PoliteTransport(self.auth, config)
        transport: httpx.BaseTransport = self.politeness
        if cache_dir is not None and _can_write(cache_dir):
            storage = SqliteStorage(database_path=cache_dir / "pages.db")
            dated = DateHeaderTransport(self.politeness)
            transport = CacheTransport(dated, storage=storage, rfc=CacheOptions(shared=False))
        self._client = httpx.Client(transport=transport, headers=config.headers, timeout=config.timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._connections.close()

    def get(self, url: str, *, params: Mapping[str, str] | None = None, api: bool = False) -> httpx.Response:
        """Fetch a page; robots.txt does not apply if it belongs to a programming interface (`api`).

        Raises TransientFetchError on a timeout, a broken connection, 408, 429, 5xx, or if the host asked for a pause;
        PermanentFetchError if it refuses (401, 403, a bot wall's 202), has no such page (404), redirects to another
        host or sends too long a body, or if robots.txt forbids the page.
        """
        request = self._client.build_request("GET", url, params=params, extensions={"api": api})
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._client.send(request)
            if response.next_request is None:
                return response
            # The target is not shown as a whole: what a host repeats of a request may be a key.
            if (elsewhere := origin(response.next_request.url)) != origin(request.url):
                raise PermanentFetchError("a page has moved to another host", where=str(request.url), found=elsewhere)
            request = response.next_request
        raise PermanentFetchError(
            "a page redirects without end", where=url, found=f"more than {_MAX_REDIRECTS} redirections"
        )

    def get_json(
        self, shape: type[Shape], url: str, *, params: Mapping[str, str] | None = None
    ) -> tuple[Shape, httpx.Headers]:
        """Query a programming interface, and return its answer, validated, with the headers. Raises as `get`."""
        page = self.get(url, params=params, api=True)
        try:
            return shape.model_validate_json(page.content), page.headers
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise PermanentFetchError(
                "an answer is not of the documented form",
                where=str(page.url),
                found=f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": "),
            ) from None

    def has_etag(self, url: str, etag: str, *, params: Mapping[str, str] | None = None) -> bool:
        """Ask a programming interface, not the cache, whether a page still has an ETag. Raises as `get`.

        That of a host which ignores the condition and sends the page is compared. Source: RFC 9110, 13.1.2
        """
        request = self._client.build_request(
            "GET", url, params=params, headers={"If-None-Match": etag}, extensions={"api": True}
        )
        response = self.politeness.handle_request(request)
        return response.status_code == httpx.codes.NOT_MODIFIED or response.headers.get("ETag") == etag


def _can_write(folder: Path) -> bool:
    """Make a folder unless it exists, and return whether it can be written. If not, pages are fetched anew."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        logger.warning("pages are not cached: %s cannot be written: %s", folder, error.strerror or error)
        return False
    return True
