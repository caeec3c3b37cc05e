"""Pages of the web, through a cache that honours ETag and age (RFC 9111), then with manners."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
from hishel import CacheOptions, SqliteStorage
from hishel.httpx import CacheTransport
from pydantic import BaseModel, ValidationError

from latentflix.errors import PermanentFetchError
from latentflix.reviews.http.politeness import HttpConfig, PoliteTransport
from latentflix.reviews.http.transports import AuthTransport, DateHeaderTransport, Sign, origin

Shape = TypeVar("Shape", bound=BaseModel)

_MAX_REDIRECTS = 5


@dataclass(frozen=True)
class Page:
    """An answer: where it was in the end, its headers, and its body, unpacked."""

    url: str
    headers: httpx.Headers
    body: bytes


class CachedClient:
    """Fetches pages for one run; may be used by many threads at once."""

    def __init__(self, config: HttpConfig, cache_dir: Path | None = None) -> None:
        """Keep answers in `cache_dir`; without one, none is kept."""
        self.config = config
        # What is kept open is one connection a host, since a host is asked by one thread at a time.
        self._signing = AuthTransport(httpx.HTTPTransport(proxy=config.proxy))
        self._polite = PoliteTransport(self._signing, config)
        transport: httpx.BaseTransport = self._polite
        if cache_dir is not None:
            cache_dir.mkdir(parents=True, exist_ok=True)
            storage = SqliteStorage(database_path=cache_dir / "pages.db")
            transport = CacheTransport(
                DateHeaderTransport(self._polite), storage=storage, rfc=CacheOptions(shared=False)
            )
        timeout = httpx.Timeout(config.read_timeout, connect=config.connect_timeout)
        self._client = httpx.Client(transport=transport, headers={"User-Agent": config.user_agent}, timeout=timeout)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections and the cache."""
        self._client.close()

    @property
    def blocked(self) -> dict[str, str]:
        """The hosts that are left alone for the rest of the run, and why."""
        return self._polite.blocked

    @property
    def requests(self) -> int:
        """How many requests were sent; what the cache answered is not among them."""
        return self._polite.requests

    def sign(self, url: str, sign: Sign) -> None:
        """Have all requests to the host of `url` signed, where neither the cache nor a log can see it."""
        self._signing.sign(httpx.URL(url), sign)

    def turn(self, url: str) -> AbstractContextManager[None]:
        """The right to send one request to `url` by other means than `get`, as robots.txt and the pause allow."""
        return self._polite.turn(httpx.URL(url))

    def block(self, url: str, reason: str) -> None:
        """Leave the host of `url` alone for the rest of the run."""
        self._polite.block(httpx.URL(url), reason)

    def rest(self, url: str, seconds: float) -> None:
        """Leave the host of `url` alone for some seconds: meanwhile asking it raises TransientFetchError."""
        self._polite.rest(httpx.URL(url), seconds)

    def get(self, url: str, *, params: Mapping[str, str] | None = None, api: bool = False) -> Page:
        """The page at a URL. api: it is part of an interface for programs, to which robots.txt does not apply.

        Raises TransientFetchError if another time it may come: silence, a broken connection, 429 and 5xx. Raises PermanentFetchError
        if the host refuses (401, 403, a bot wall's 202), has no such page (404), sends it elsewhere or too much of it.
        """
        request = self._client.build_request("GET", url, params=params, extensions={"api": api})
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._client.send(request)
            if response.next_request is None:
                return Page(str(response.url), response.headers, response.content)
            if origin(response.next_request.url) != origin(request.url):
                elsewhere = str(response.next_request.url)
                raise PermanentFetchError("a page has moved to another host", where=str(request.url), found=elsewhere)
            request = response.next_request
        raise PermanentFetchError("a page moves on and on", where=url, found=f"more than {_MAX_REDIRECTS} redirections")

    def get_json(
        self, shape: type[Shape], url: str, *, params: Mapping[str, str] | None = None
    ) -> tuple[Shape, httpx.Headers]:
        """What an interface for programs answers, and the headers.

        Raises what `get` raises, and PermanentFetchError if the answer is not of that shape.
        """
        page = self.get(url, params=params, api=True)
        try:
            return shape.model_validate_json(page.body), page.headers
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise PermanentFetchError(
                "an answer is not of the documented form",
                where=page.url,
                found=f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": "),
            ) from None
