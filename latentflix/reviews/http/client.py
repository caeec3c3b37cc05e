"""HTTP client with a cache that honours ETag and age (RFC 9111), on top of the polite transport."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self, TypeVar

import httpx
from hishel import CacheOptions, SqliteStorage
from hishel.httpx import CacheTransport
from pydantic import BaseModel, ValidationError

from latentflix.errors import PermanentFetchError
from latentflix.reviews.http.politeness import HttpConfig, PoliteTransport
from latentflix.reviews.http.transports import AuthTransport, DateHeaderTransport, origin

Shape = TypeVar("Shape", bound=BaseModel)

_MAX_REDIRECTS = 5


class CachedClient:
    """Fetches pages for one run, from any number of threads."""

    def __init__(self, config: HttpConfig, cache_dir: Path | None = None) -> None:
        self.config = config
        self._connections = httpx.HTTPTransport(proxy=config.proxy)
        self.auth = AuthTransport(self._connections)
        self.politeness = PoliteTransport(self.auth, config)
        transport: httpx.BaseTransport = self.politeness
        if cache_dir is not None:
            cache_dir.mkdir(parents=True, exist_ok=True)
            storage = SqliteStorage(database_path=cache_dir / "pages.db")
            dated = DateHeaderTransport(self.politeness)
            transport = CacheTransport(dated, storage=storage, rfc=CacheOptions(shared=False))
        timeout = httpx.Timeout(config.read_timeout, connect=config.connect_timeout)
        self._client = httpx.Client(transport=transport, headers={"User-Agent": config.user_agent}, timeout=timeout)

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
            if origin(response.next_request.url) != origin(request.url):
                elsewhere = str(response.next_request.url)
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
