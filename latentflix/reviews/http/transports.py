"""What is done to requests and answers on their way: requests are signed, answers are dated."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import httpx

Sign = Callable[[httpx.Request], httpx.Request]


class AuthTransport(httpx.BaseTransport):
    """Puts a key into the requests to a host, at the last moment: no cache, log or error has seen it by then."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        """Send through `transport`."""
        self._transport = transport
        self._signs: dict[str, Sign] = {}

    def sign(self, url: httpx.URL, sign: Sign) -> None:
        """Have all requests to the host of `url` signed."""
        self._signs[origin(url)] = sign

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to the signed request. Where it redirects, parameters that the signature added are taken off."""
        sign = self._signs.get(origin(request.url))
        signed = sign(request) if sign else request
        response = self._transport.handle_request(signed)
        if response.has_redirect_location:
            target = httpx.URL(response.headers["Location"])
            for name in signed.url.params.keys() - request.url.params.keys():
                target = target.copy_remove_param(name)
            response.headers["Location"] = str(target)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class DateHeaderTransport(httpx.BaseTransport):
    """Dates each answer by when it was made, which is what hishel reckons its age by.

    hishel leaves the header Age out of account, and takes an answer without the header Date for new at any time.
    Source: RFC 9111, 4.2.3
    """

    def __init__(self, transport: httpx.BaseTransport) -> None:
        """Send through `transport`."""
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, dated."""
        response = self._transport.handle_request(request)
        now = datetime.now(UTC)
        age = response.headers.get("Age", "")
        made = now - timedelta(seconds=int(age) if age.isascii() and age.isdigit() else 0)
        sent = read_date(response.headers.get("Date", "")) or now
        response.headers["Date"] = format_datetime(min(made, sent), usegmt=True)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def read_date(text: str) -> datetime | None:
    """The time that a header names, in UTC; None if it names none."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def origin(url: httpx.URL) -> str:
    """The scheme, host and port of a URL."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
