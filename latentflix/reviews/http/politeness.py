"""Polite HTTP transport: rate limits for each host, robots.txt, an honest User-Agent, and no automatic retries."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal

import httpx
from protego import Protego
from pydantic import StringConstraints

from latentflix.config import StageConfig, setting
from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.transports import read_date

# An address without a slash at its end.
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+(/\S*[^/\s])?$")]

# No other page of a host that answers so is requested.
REFUSALS = {
    202: "the empty page of a bot wall",
    401: "the key is missing or wrong",
    403: "forbidden",
    451: "withheld for legal reasons",
}
ABSENT = {404, 410}
_TRANSFER_HEADERS = {"content-encoding", "content-length", "transfer-encoding"}


class HttpConfig(StageConfig):
    """How the web is accessed."""

    contact: str = setting("", "how to contact you, sent in the User-Agent: an e-mail address or a page")
    pause: float = setting(1.0, "shortest time between two requests to a host", unit="seconds", ge=0, le=600)
    jitter: float = setting(0.5, "longest random addition to the pause", unit="seconds", ge=0, le=600)
    connect_timeout: float = setting(10.0, "longest wait for a connection", unit="seconds", gt=0, le=600)
    read_timeout: float = setting(30.0, "longest silence of a host", unit="seconds", gt=0, le=600)
    total_timeout: float = setting(60.0, "longest time for a whole response", unit="seconds", gt=0, le=3600)
    max_requests: int = setting(10_000, "requests of a run, to all hosts together", ge=1)
    max_body: int = setting(5_000_000, "longest response that is read, decompressed", unit="bytes", ge=1)
    proxy: str | None = setting(None, "proxy for all requests, as http://host:port")

    @property
    def user_agent(self) -> str:
        """Name, contact and HTTP library.

        Source: https://foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy
        """
        return f"latentflix{f' ({self.contact})' if self.contact else ''} python-httpx/{httpx.__version__}"


@dataclass
class _Host:
    """The state of a host in this run. Times are of the monotonic clock, in seconds."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    next_request: float = 0.0
    paused_until: float = 0.0
    blocked: str = ""
    robots: Protego | None = None


class PoliteTransport(httpx.BaseTransport):
    """Sends one request at a time to each host, with a pause between them, as far as robots.txt allows.

    Requests with the extension `api` are exempt from robots.txt: that file is for crawlers, whereas a programming
    interface has terms and limits of its own (Wikipedia's robots.txt forbids all of /w/, where its documented API is).
    A host that refuses once gets no further request. Responses are 200, 304 or a redirection, read to their end.
    `requests` counts those that were sent.
    """

    def __init__(self, transport: httpx.BaseTransport, config: HttpConfig) -> None:
        self.requests = 0
        self._transport = transport
        self._config = config
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    @property
    def blocked(self) -> dict[str, str]:
        """The hosts that get no further request in this run, and why."""
        with self._lock:
            return {name: host.blocked for name, host in self._hosts.items() if host.blocked}

    def block(self, url: str | httpx.URL, reason: str) -> None:
        """Send the host of a URL no further request in this run."""
        self._host(url).blocked = reason

    def back_off(self, url: str | httpx.URL, seconds: float) -> None:
        """Send the host of a URL no request for some seconds; meanwhile each one raises TransientFetchError."""
        self._host(url).paused_until = time.monotonic() + seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request as soon as its turn comes. Raises what `CachedClient.get` raises."""
        with self.acquire(request.url, api=request.extensions.get("api", False)):
            try:
                return self._send(request)
            except PermanentFetchError as refusal:
                if refusal.outcome == "blocked":
                    self.block(request.url, str(refusal))
                raise

    @contextmanager
    def acquire(self, url: str | httpx.URL, *, api: bool = False) -> Iterator[None]:
        """Wait for the turn to send one request, and hold back all others to the same host meanwhile."""
        url, host = httpx.URL(url), self._host(url)
        with host.lock:
            if not api:
                self._obey_robots(host, url)
            self._wait(host, url)
            yield

    def _host(self, url: str | httpx.URL) -> _Host:
        with self._lock:
            return self._hosts.setdefault(httpx.URL(url).netloc.decode("ascii"), _Host())

    def _wait(self, host: _Host, url: httpx.URL) -> None:
        if host.blocked:
            raise PermanentFetchError(
                "a host gets no further request", outcome="blocked", where=url.host, found=host.blocked
            )
        if (seconds := host.paused_until - time.monotonic()) > 0:
            raise TransientFetchError("a host asked for a pause", where=url.host, retry_after=seconds)
        with self._lock:
            if self.requests >= self._config.max_requests:
                raise PermanentFetchError(
                    "the run has reached its limit of requests",
                    found=f"{self.requests:,}",
                    hint="raise --sources.fetching.max-requests, or refresh fewer films",
                )
            self.requests += 1
        time.sleep(max(0.0, host.next_request - time.monotonic()))
        delay = host.robots.crawl_delay(self._config.user_agent) if host.robots else None
        pause = max(self._config.pause, delay or 0.0) + random.SystemRandom().uniform(0, self._config.jitter)
        host.next_request = time.monotonic() + pause

    def _obey_robots(self, host: _Host, url: httpx.URL) -> None:
        """Without the file nothing is forbidden; while it cannot be read, no page is requested: RFC 9309, 2.3.1."""
        if host.robots is None:
            self._wait(host, url)
            request = httpx.Request("GET", url.join("/robots.txt"), headers={"User-Agent": self._config.user_agent})
            try:
                host.robots = Protego.parse(self._send(request).text)
            except PermanentFetchError:
                host.robots = Protego.parse("")
        if not host.robots.can_fetch(str(url), self._config.user_agent):
            raise PermanentFetchError("robots.txt forbids the page", outcome="blocked", where=_page(url))

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
            found = str(error) or type(error).__name__
            raise TransientFetchError("a request failed", where=where, found=found) from error
        except httpx.DecodingError as error:
            raise PermanentFetchError("a response cannot be decompressed", where=where, found=str(error)) from error
        # The body is decompressed and has another length.
        headers = [pair for pair in response.headers.multi_items() if pair[0] not in _TRANSFER_HEADERS]
        return httpx.Response(response.status_code, headers=headers, content=body)

    def _check(self, response: httpx.Response, url: httpx.URL) -> None:
        status = response.status_code
        found = f"{status} {response.reason_phrase}".strip()
        if status in (200, 304) or response.has_redirect_location:
            return
        if status in (408, 429) or status >= 500:
            seconds = retry_after(response.headers)
            self.back_off(url, seconds or 0.0)
            raise TransientFetchError("a host could not answer", where=_page(url), found=found, retry_after=seconds)
        outcome: Literal["blocked", "not_covered", "error"] = "not_covered" if status in ABSENT else "error"
        if status in REFUSALS:
            outcome, found = "blocked", f"{status}: {REFUSALS[status]}"
        raise PermanentFetchError("a host returned no page", outcome=outcome, where=_page(url), found=found)

    def _read(self, response: httpx.Response, where: str, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self._config.max_body:
                raise PermanentFetchError(
                    "a response is too long",
                    where=where,
                    found=f"more than {len(body):,} bytes",
                    expected=f"at most {self._config.max_body:,}",
                    hint="raise --sources.fetching.max-body if such responses are wanted",
                )
            if time.monotonic() > deadline:
                raise TransientFetchError("a response took too long", where=where, found=f"{len(body):,} bytes so far")
        return bytes(body)


def _page(url: httpx.URL) -> str:
    """Drop the query of a URL, which may be long or hold what a log should not."""
    return str(url.copy_with(query=None))


def retry_after(headers: httpx.Headers) -> float | None:
    """Read how many seconds the header Retry-After (RFC 9110, 10.2.3) asks to wait; None if missing or malformed."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    date = read_date(text)
    return None if date is None else max(0.0, (date - datetime.now(UTC)).total_seconds())
