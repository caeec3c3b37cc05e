"""How hosts of the web are asked so that nobody is harmed: slowly, rarely, under our own name, never twice by itself.

What fails in a way that may pass raises TransientFetchError, for whoever retries; everything else that fails raises PermanentFetchError.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import httpx
from protego import Protego
from pydantic import StringConstraints

from latentflix.config import StageConfig, setting
from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.transports import read_date

# Without a slash at its end.
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+(/\S*[^/\s])?$")]

_OK = {200, 304}
_OF_THE_TRANSFER = {"content-encoding", "content-length", "transfer-encoding"}
_ABSENT = {404, 410}
_PASSING = {408, 429}
# What a host answers that does not want us: no page of it is worth another request.
_REFUSALS = {
    202: "the empty page of a bot wall",
    401: "the key is missing or wrong",
    403: "forbidden",
    451: "withheld for legal reasons",
}


class HttpConfig(StageConfig):
    """How the web is asked."""

    contact: str = setting("", "who answers for the requests: an e-mail address or a page, sent in the User-Agent")
    pause: float = setting(1.0, "shortest time between two requests to a host", unit="seconds", ge=0, le=600)
    jitter: float = setting(0.5, "up to so much is added to the pause, by chance", unit="seconds", ge=0, le=600)
    connect_timeout: float = setting(10.0, "longest wait for a connection", unit="seconds", gt=0, le=600)
    read_timeout: float = setting(30.0, "longest silence of a host", unit="seconds", gt=0, le=600)
    total_timeout: float = setting(60.0, "longest time for a whole answer", unit="seconds", gt=0, le=3600)
    max_requests: int = setting(10_000, "requests of a run, to all hosts together", ge=1)
    max_body: int = setting(5_000_000, "longest answer that is read, unpacked", unit="bytes", ge=1)
    proxy: str | None = setting(None, "the proxy to ask through, as http://host:port")

    @property
    def user_agent(self) -> str:
        """Our name, who answers for us, and what we ask with.

        Source: https://foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy
        """
        contact = f" ({self.contact})" if self.contact else ""
        return f"latentflix{contact} python-httpx/{httpx.__version__}"


@dataclass
class _Host:
    """What is known of a host in this run. Times are of the monotonic clock, in seconds."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    next_turn: float = 0.0
    rests_until: float = 0.0
    blocked: str = ""
    robots: Protego | None = None


class PoliteTransport(httpx.BaseTransport):
    """Sends requests one at a time a host, with a pause between them, as far as the host's robots.txt lets it.

    A request whose extension `api` is set is not held to robots.txt: that file is for those who follow links, while
    an interface made for programs has terms of use and limits of its own (Wikipedia's forbids all of /w/, where its
    documented API is). A host that refuses us once is not asked again. What comes back is an answer 200, 304 or a
    redirection, read to its end.
    """

    def __init__(self, transport: httpx.BaseTransport, config: HttpConfig) -> None:
        """Send through `transport`."""
        self._transport = transport
        self._config = config
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()
        self._requests = 0

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._requests

    @property
    def blocked(self) -> dict[str, str]:
        """The hosts that are left alone for the rest of the run, and why."""
        with self._lock:
            return {name: host.blocked for name, host in self._hosts.items() if host.blocked}

    def block(self, url: httpx.URL, reason: str) -> None:
        """Leave the host of a URL alone for the rest of the run."""
        self._host(url).blocked = reason

    def rest(self, url: httpx.URL, seconds: float) -> None:
        """Leave the host of a URL alone for some seconds: meanwhile every request to it raises TransientFetchError."""
        self._host(url).rests_until = time.monotonic() + seconds

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request. Raises TransientFetchError if another time it may come, else PermanentFetchError."""
        with self.turn(request.url, api=request.extensions.get("api", False)):
            try:
                return self._send(request)
            except PermanentFetchError as refusal:
                if refusal.outcome == "blocked":
                    self.block(request.url, str(refusal))
                raise

    @contextmanager
    def turn(self, url: httpx.URL, *, api: bool = False) -> Iterator[None]:
        """The right to send one request: waits until it is our turn, and lets nobody else of us send meanwhile."""
        host = self._host(url)
        with host.turn:
            if not api:
                self._obey_robots(host, url)
            self._wait(host, url)
            yield

    def _host(self, url: httpx.URL) -> _Host:
        with self._lock:
            return self._hosts.setdefault(url.netloc.decode("ascii"), _Host())

    def _wait(self, host: _Host, url: httpx.URL) -> None:
        if host.blocked:
            raise PermanentFetchError("a host is left alone", outcome="blocked", where=url.host, found=host.blocked)
        if (rest := host.rests_until - time.monotonic()) > 0:
            raise TransientFetchError("a host asked to be left alone for a while", where=url.host, retry_after=rest)
        with self._lock:
            if self._requests >= self._config.max_requests:
                raise PermanentFetchError(
                    "the run has sent as many requests as it may",
                    found=f"{self._requests:,}",
                    hint="raise --sources.fetching.max-requests, or ask for fewer films",
                )
            self._requests += 1
        time.sleep(max(0.0, host.next_turn - time.monotonic()))
        asked = host.robots.crawl_delay(self._config.user_agent) if host.robots else None
        pause = max(self._config.pause, asked or 0.0) + random.SystemRandom().uniform(0, self._config.jitter)
        host.next_turn = time.monotonic() + pause

    def _obey_robots(self, host: _Host, url: httpx.URL) -> None:
        if host.robots is None:
            self._wait(host, url)
            host.robots = self._read_robots(url)
        if not host.robots.can_fetch(str(url), self._config.user_agent):
            raise PermanentFetchError("robots.txt forbids the page", outcome="blocked", where=_page(url))

    def _read_robots(self, url: httpx.URL) -> Protego:
        """A host that has no robots.txt forbids nothing; one whose robots.txt cannot be read now has to wait.

        Source: RFC 9309, 2.3.1
        """
        request = httpx.Request("GET", url.join("/robots.txt"), headers={"User-Agent": self._config.user_agent})
        try:
            return Protego.parse(self._send(request).text)
        except PermanentFetchError:
            return Protego.parse("")

    def _send(self, request: httpx.Request) -> httpx.Response:
        where = _page(request.url)
        deadline = time.monotonic() + self._config.total_timeout
        try:
            response = self._transport.handle_request(request)
            try:
                self._check(response, request.url)
                body = self._read(response, where, deadline)
            finally:
                response.close()
        except httpx.TransportError as error:
            raise TransientFetchError(
                "a request failed", where=where, found=str(error) or type(error).__name__
            ) from error
        except httpx.DecodingError as error:
            raise PermanentFetchError("an answer cannot be unpacked", where=where, found=str(error)) from error
        # The body is as long as it is, and unpacked.
        kept = [pair for pair in response.headers.multi_items() if pair[0] not in _OF_THE_TRANSFER]
        return httpx.Response(response.status_code, headers=kept, content=body)

    def _check(self, response: httpx.Response, url: httpx.URL) -> None:
        status = response.status_code
        found = f"{status} {response.reason_phrase}".strip()
        if status in _OK or response.has_redirect_location:
            return
        if status in _PASSING or status >= 500:
            seconds = retry_after(response.headers)
            self.rest(url, seconds or 0.0)
            raise TransientFetchError("a host could not answer", where=_page(url), found=found, retry_after=seconds)
        if status in _REFUSALS:
            found = f"{status}: {_REFUSALS[status]}"
            raise PermanentFetchError("a host refused to answer", outcome="blocked", where=_page(url), found=found)
        if status in _ABSENT:
            raise PermanentFetchError("there is no such page", outcome="not_covered", where=_page(url), found=found)
        raise PermanentFetchError("a host gave no answer", where=_page(url), found=found)

    def _read(self, response: httpx.Response, where: str, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self._config.max_body:
                raise PermanentFetchError(
                    "an answer is too long",
                    where=where,
                    found=f"more than {len(body):,} bytes",
                    expected=f"at most {self._config.max_body:,}",
                    hint="raise --sources.fetching.max-body if such an answer is what you want",
                )
            if time.monotonic() > deadline:
                raise TransientFetchError("an answer took too long", where=where, found=f"{len(body):,} bytes so far")
        return bytes(body)


def _page(url: httpx.URL) -> str:
    """A URL without its query, which may be long or tell more than a log should know."""
    return str(url.copy_with(query=None))


def retry_after(headers: httpx.Headers) -> float | None:
    """How many seconds the header Retry-After asks for, in seconds or as a date; None if it says nothing readable.

    Source: RFC 9110, 10.2.3
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    date = read_date(text)
    return None if date is None else max(0.0, (date - datetime.now(UTC)).total_seconds())
