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
from pydantic import AfterValidator, StringConstraints, field_validator

from latentflix.config import StageConfig, setting
from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.bounded import ACCEPTED
from latentflix.reviews.http.robots import MAX_BYTES, MAX_REDIRECTS, PRODUCT, Robots, read_robots
from latentflix.reviews.http.transports import read_date


def _check_address(address: str) -> str:
    try:
        httpx.URL(address)
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None
    return address


# An address without a slash at its end.
WebAddress = Annotated[
    str, StringConstraints(pattern=r"^https?://[^/\s]+(/\S*[^/\s])?$"), AfterValidator(_check_address)
]

# No other page of a host that answers so is requested.
REFUSALS = {
    202: "the empty page of a bot wall",
    401: "the key is missing or wrong",
    403: "forbidden",
    451: "withheld for legal reasons",
}
ABSENT = {404, 410}
_BUSY = {408, 429}
# Seconds; a longer pause outlasts any run.
_LONGEST_PAUSE = 24 * 3600.0


class HttpConfig(StageConfig):
    """How the web is accessed."""

    contact: str = setting("", "how to contact you, sent in the User-Agent: an e-mail address or a page")
    pause: float = setting(1.0, "shortest time between two requests to a host", unit="seconds", ge=0, le=600)
    jitter: float = setting(0.5, "longest random addition to the pause", unit="seconds", ge=0, le=600)
    connect_timeout: float = setting(10.0, "longest wait for a connection", unit="seconds", gt=0, le=600)
    read_timeout: float = setting(30.0, "longest silence of a host", unit="seconds", gt=0, le=600)
    total_timeout: float = setting(
        60.0,
        "longest time for a whole request, from the connection to the end of the response",
        unit="seconds",
        gt=0,
        le=3600,
    )
    longest_delay: float = setting(
        60.0,
        "longest Crawl-delay that is kept: of a host whose robots.txt asks for a longer one, no page is read",
        unit="seconds",
        ge=0,
        le=3600,
    )
    max_requests: int = setting(10_000, "requests of a run, to all hosts together", ge=1)
    max_body: int = setting(5_000_000, "longest response that is read, decompressed", unit="bytes", ge=1)
    proxy: WebAddress | None = setting(None, "proxy for all requests, as http://host:port")

    @field_validator("contact")
    @classmethod
    def _check_contact(cls, contact: str) -> str:
        if not (contact.isascii() and contact.isprintable()):
            raise ValueError("a header can only hold printable ASCII: write an address in its ASCII form")
        return contact

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {"User-Agent": self.user_agent, "Accept-Encoding": ACCEPTED}

    @property
    def timeout(self) -> httpx.Timeout:
        """Longest waits within a request."""
        return httpx.Timeout(self.read_timeout, connect=self.connect_timeout)

    @property
    def user_agent(self) -> str:
        """Name, contact and HTTP library.

        Source: https://foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy
        """
        return f"{PRODUCT}{f' ({self.contact})' if self.contact else ''} python-httpx/{httpx.__version__}"


@dataclass
class _Host:
    """The state of a host in this run. Times are of the monotonic clock, in seconds."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    next_request: float = 0.0
    paused_until: float = 0.0
    blocked: str = ""
    robots_lock: threading.Lock = field(default_factory=threading.Lock)
    robots: Robots | None = None


class PoliteTransport(httpx.BaseTransport):
    """Sends one request at a time to each host, with a pause between them, as far as robots.txt allows.

    Requests with the extension `api` are exempt from robots.txt: that file is for crawlers, whereas a programming
    interface has terms and limits of its own (Wikipedia's robots.txt forbids all of /w/, where its documented API is).
    A host that refuses once gets no further request. Responses are 200, 304 or a redirection. `requests` counts those
    that were sent. `transport` reads responses to their end, as `BoundedTransport` does.
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
        url = request.url
        with self.acquire(url, api=request.extensions.get("api", False)):
            response = self._send(request)
            try:
                self._check(response, url)
            except PermanentFetchError as refusal:
                if refusal.outcome == "blocked":
                    self.block(url, str(refusal))
                raise
        return response

    @contextmanager
    def acquire(self, url: str | httpx.URL, *, api: bool = False) -> Iterator[None]:
        """Wait for the turn to send one request, and hold back all others to the same host meanwhile."""
        url = httpx.URL(url)
        if not api:
            self._obey_robots(url)
        with self._turn(url):
            yield

    @contextmanager
    def _turn(self, url: httpx.URL) -> Iterator[None]:
        # Whoever has a turn waits for no other: hosts whose robots.txt redirect to one another cause no deadlock.
        host = self._host(url)
        with host.lock:
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
        if (wait := host.next_request - time.monotonic()) > 0:
            time.sleep(wait)
        delay = host.robots.crawl_delay if host.robots else 0.0
        pause = max(self._config.pause, min(delay, self._config.longest_delay)) + random.SystemRandom().uniform(
            0, self._config.jitter
        )
        host.next_request = time.monotonic() + pause

    def _obey_robots(self, url: httpx.URL) -> None:
        host = self._host(url)
        with host.robots_lock:
            if host.robots is None or host.robots.expired():
                host.robots = self._fetch_robots(url)
        if reason := host.robots.forbids(url):
            raise PermanentFetchError(reason, outcome="blocked", where=_page(url))
        if host.robots.crawl_delay > self._config.longest_delay:
            raise PermanentFetchError(
                "robots.txt asks for too long a pause between two requests",
                outcome="blocked",
                where=url.host,
                found=f"{host.robots.crawl_delay:,.0f} seconds",
                expected=f"at most {self._config.longest_delay:,.0f}",
                hint="raise --sources.fetching.longest-delay to wait as long",
            )

    def _fetch_robots(self, url: httpx.URL) -> Robots:
        """Read the rules of a host, wherever it redirects to: RFC 9309, 2.3.1.

        Without the file nothing is forbidden. While it is unknown whether there is one, everything is forbidden. Raises
        TransientFetchError if a host could not answer.
        """
        target = url.join("/robots.txt")
        extensions = {"timeout": self._config.timeout.as_dict(), "max_body": MAX_BYTES}
        for _ in range(MAX_REDIRECTS + 1):
            request = httpx.Request("GET", target, headers=self._config.headers, extensions=extensions)
            with self._turn(target):
                response = self._send(request)
            if response.status_code in _BUSY or response.is_server_error:
                self._check(response, target)
            if response.status_code == httpx.codes.OK:
                return read_robots(response.content)
            if response.is_client_error:
                return Robots()
            if not response.has_redirect_location:
                return Robots(closed=f"robots.txt cannot be read: the host answers {response.status_code}")
            target = target.join(response.headers["Location"])
            if target.scheme not in ("http", "https") or not target.host:
                return Robots(closed="robots.txt cannot be read: it redirects to no page of the web")
        return Robots(closed=f"robots.txt cannot be read: it redirects more than {MAX_REDIRECTS} times")

    def _send(self, request: httpx.Request) -> httpx.Response:
        where = _page(request.url)
        try:
            return self._transport.handle_request(request)
        except httpx.TransportError as error:
            found = str(error) or type(error).__name__
            raise TransientFetchError("a request failed", where=where, found=found) from error
        except httpx.DecodingError as error:
            raise PermanentFetchError("a response cannot be decompressed", where=where, found=str(error)) from error

    def _check(self, response: httpx.Response, url: httpx.URL) -> None:
        status = response.status_code
        found = f"{status} {response.reason_phrase}".strip()
        if len(response.content) > self._config.max_body:
            raise PermanentFetchError(
                "a response is too long",
                where=_page(url),
                found=f"{len(response.content):,} bytes and more",
                expected=f"at most {self._config.max_body:,}",
                hint="raise --sources.fetching.max-body if such responses are wanted",
            )
        if status in (200, 304) or response.has_redirect_location:
            return
        if status in _BUSY or status >= 500:
            seconds = retry_after(response.headers)
            self.back_off(url, seconds or 0.0)
            raise TransientFetchError("a host could not answer", where=_page(url), found=found, retry_after=seconds)
        outcome: Literal["blocked", "not_covered", "error"] = "not_covered" if status in ABSENT else "error"
        if status in REFUSALS:
            outcome, found = "blocked", f"{status}: {REFUSALS[status]}"
        raise PermanentFetchError("a host returned no page", outcome=outcome, where=_page(url), found=found)


def _page(url: httpx.URL) -> str:
    """Drop the query of a URL, which may be long or hold what a log should not."""
    return str(url.copy_with(query=None))


def retry_after(headers: httpx.Headers) -> float | None:
    """Read how many seconds the header Retry-After (RFC 9110, 10.2.3) asks to wait, of a longer time a day.

    None if it is missing or malformed.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_PAUSE)
    date = read_date(text)
    return None if date is None else min(max(0.0, (date - datetime.now(UTC)).total_seconds()), _LONGEST_PAUSE)
