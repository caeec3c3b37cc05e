"""A transport that limits the time of a whole request, and the size of a response."""

import asyncio
import zlib
from threading import Thread

import httpx

# What `BoundedTransport` unpacks; anything else was not asked for.
ACCEPTED = "gzip"
_TRANSFER_HEADERS = {"content-encoding", "content-length", "transfer-encoding"}


class BoundedTransport(httpx.BaseTransport):
    """Sends requests from any number of threads through one asynchronous transport.

    httpx limits each wait by itself, so a host that sends a byte now and then would never be too slow. Here requests
    run in an event loop in a thread of its own, in which they can be cancelled at any point.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, *, seconds: float, max_body: int) -> None:
        """seconds: of a request and its response. max_body: bytes of a body that are read, decompressed."""
        self._transport = transport
        self._seconds = seconds
        self._max_body = max_body
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="latentflix-http", daemon=True)
        self._thread.start()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and read and decompress the body if the status is 200.

        Of a body of more than `max_body` bytes, `max_body` + 1 are returned. The request's extension `max_body` sets
        another limit.

        Raises:
            httpx.TransportError: the request failed or took too long, or its redirection leads nowhere.
            httpx.DecodingError: the body cannot be decompressed.
        """
        running = asyncio.run_coroutine_threadsafe(self._exchange(request), self._loop)
        try:
            return running.result()
        except TimeoutError:
            message = f"the response took too long: more than {self._seconds:g} seconds"
            raise httpx.ReadTimeout(message, request=request) from None

    def close(self) -> None:
        """Close all connections, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._transport.aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        async with asyncio.timeout(self._seconds):
            response = await self._transport.handle_async_request(request)
            try:
                limit = request.extensions.get("max_body", self._max_body)
                body = await _read(response, limit) if response.status_code == httpx.codes.OK else b""
            finally:
                await response.aclose()
        if response.has_redirect_location:
            _check_location(request.url, response.headers["Location"])
        headers = [pair for pair in response.headers.multi_items() if pair[0] not in _TRANSFER_HEADERS]
        return httpx.Response(response.status_code, headers=headers, content=body)


async def _read(response: httpx.Response, max_body: int) -> bytes:
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in (ACCEPTED, "identity"):
        raise httpx.DecodingError(f"Content-Encoding: {coding[:80]}")
    # A few kilobytes can stand for gigabytes, and httpx would unpack each piece as a whole.
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if coding == ACCEPTED else None
    body, chunk = bytearray(), b""
    async for chunk in response.aiter_raw():
        left = max_body + 1 - len(body)
        try:
            body += unpack.decompress(chunk, left) if unpack else chunk[:left]
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error
        if len(body) > max_body:
            return bytes(body)
    if chunk and unpack and not unpack.eof:
        raise httpx.DecodingError("the compressed body is cut short")
    return bytes(body)


def _check_location(url: httpx.URL, location: str) -> None:
    try:
        url.join(location)
    except httpx.InvalidURL as error:
        raise httpx.RemoteProtocolError(f"the response redirects to no address: {error}") from None
