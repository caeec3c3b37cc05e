import gzip
import tracemalloc
import zlib
from asyncio import sleep
from contextlib import contextmanager

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentflix.reviews.http.bounded import BoundedTransport

REQUEST = httpx.Request("GET", "https://example.org/")
GZIP = {"Content-Encoding": "gzip"}
MAX_BODY = 1000


@contextmanager
def answering(response, seconds=2.0):
    """A transport that gets a response, or what a coroutine function returns."""
    handler = response if callable(response) else lambda _: response
    transport = BoundedTransport(httpx.MockTransport(handler), seconds=seconds, max_body=MAX_BODY)
    try:
        yield transport
    finally:
        transport.close()


async def pieces(*chunks, pause=0.0):
    for chunk in chunks:
        await sleep(pause)
        yield chunk


@pytest.mark.parametrize("headers, body", [({}, b"hello"), (GZIP, gzip.compress(b"hello")), (GZIP, b"")])
def test_bodies_arrive_unpacked_without_the_headers_of_their_transfer(headers, body):
    with answering(httpx.Response(200, headers=headers, content=pieces(body[:3], body[3:]))) as transport:
        response = transport.handle_request(REQUEST)
    assert response.content == (b"hello" if body else b"")
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("slow", ["before the headers", "in the body"])
def test_a_response_that_takes_too_long_is_given_up(slow):
    async def drip(_):
        await sleep(5 if slow == "before the headers" else 0)
        return httpx.Response(200, content=pieces(*[b"drop"] * 100, pause=0.05))

    with answering(drip, seconds=0.2) as transport, pytest.raises(httpx.ReadTimeout, match="more than 0.2 seconds"):
        transport.handle_request(REQUEST)


def test_a_body_is_read_up_to_the_limit_and_never_unpacked_beyond_it():
    bomb = gzip.compress(bytes(50_000_000), 1)
    with answering(lambda _: httpx.Response(200, headers=GZIP, content=pieces(bomb))) as transport:
        tracemalloc.start()
        response = transport.handle_request(REQUEST)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert response.content == bytes(MAX_BODY + 1)
        assert peak < 5_000_000
        request = httpx.Request("GET", REQUEST.url, extensions={"max_body": 10})
        assert transport.handle_request(request).content == bytes(11)


@pytest.mark.parametrize(
    "coding, body",
    [
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"hello")[:-1]),
        ("gzip", gzip.compress(b"hello")[:5]),
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello"))),
        ("deflate", zlib.compress(b"hello")),
        ("br", b"hello"),
    ],
)
def test_bodies_that_cannot_be_unpacked_or_were_not_asked_for_are_refused(coding, body):
    response = httpx.Response(200, headers={"Content-Encoding": coding}, content=pieces(body))
    with answering(response) as transport, pytest.raises(httpx.DecodingError):
        transport.handle_request(REQUEST)


def test_of_other_responses_than_200_no_body_is_read():
    with answering(httpx.Response(404, headers=GZIP, content=pieces(b"no gzip"))) as transport:
        assert (transport.handle_request(REQUEST).status_code, transport.handle_request(REQUEST).content) == (404, b"")


@pytest.mark.parametrize("location", ["http://[::1", "http://example.org:port/", "http://\x01/"])
def test_a_redirection_to_no_address_is_an_error_of_the_protocol(location):
    response = httpx.Response(301, headers={"Location": location})
    with answering(response) as transport, pytest.raises(httpx.RemoteProtocolError, match="redirects to no address"):
        transport.handle_request(REQUEST)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    packed=st.binary(max_size=3000).map(gzip.compress),
    at=st.integers(0),
    junk=st.binary(max_size=20),
    chunk_size=st.integers(1, 500),
)
def test_any_compressed_body_is_read_up_to_the_limit_or_refused(packed, at, junk, chunk_size):
    at %= len(packed) + 1
    body = packed[:at] + junk + packed[at + len(junk) :]
    chunks = [body[place : place + chunk_size] for place in range(0, len(body), chunk_size)]
    with answering(httpx.Response(200, headers=GZIP, content=pieces(*chunks))) as transport:
        try:
            assert len(transport.handle_request(REQUEST).content) <= MAX_BODY + 1
        except httpx.DecodingError as error:
            assert str(error)
