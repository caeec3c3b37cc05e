"""Transports that authenticate requests and date responses."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import httpx
from pydantic import SecretStr

# More than any age has.
_DIGITS = 12
Authenticate = Callable[[SecretStr, httpx.Request], httpx.Request]


class AuthTransport(httpx.BaseTransport):
    """Authenticates requests last of all transports, so that no cache, log or error sees a key."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport
        self._keys: dict[str, tuple[SecretStr, Authenticate]] = {}

    def register(self, url: str, key: SecretStr, authenticate: Authenticate) -> None:
        """Apply `authenticate` to all later requests to the origin of `url`. key: no part of anything else."""
        self._keys[origin(httpx.URL(url))] = key, authenticate

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the authenticated request; wherever the response repeats the key, it is removed."""
        if origin(request.url) not in self._keys:
            return self._transport.handle_request(request)
        secret, authenticate = self._keys[origin(request.url)]
        response = self._transport.handle_request(authenticate(secret, request))
        key = secret.get_secret_value().encode()
        headers = [(name, value.replace(key, b"")) for name, value in response.headers.raw]
        return httpx.Response(response.status_code, headers=headers, content=response.read().replace(key, b""))


class DateHeaderTransport(httpx.BaseTransport):
    """Sets the header Date of each response to the time it was made, from which hishel computes its age.

    hishel ignores the header Age, and takes a response without Date to be new at any time. Source: RFC 9111, 4.2.3
    """

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and date the response."""
        response = self._transport.handle_request(request)
        now = datetime.now(UTC)
        made = now - timedelta(seconds=_read_age(response.headers.get("Age", "")))
        sent = read_date(response.headers.get("Date", "")) or now
        response.headers["Date"] = format_datetime(min(made, sent), usegmt=True)
        return response


def _read_age(text: str) -> int:
    """Read the seconds of a header Age; 0 if it is malformed."""
    # RFC 9111, 1.2.2: a number that is too large counts as 2 ** 31.
    return min(int(text[:_DIGITS]), 2**31) if text.isascii() and text.isdigit() else 0


def read_date(text: str) -> datetime | None:
    """Read the date of a header, in UTC; None if it is malformed."""
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def origin(url: httpx.URL) -> str:
    """Return scheme, host and port of a URL."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
