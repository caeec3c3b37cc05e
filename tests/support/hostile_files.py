"""What a stranger may have written instead of a file: anything, or a good file with a few places changed."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from latentflix.errors import LatentflixError

# The same examples in each run, whose temporary folder they share.
HOSTILE = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Pieces that mean something in csv, numbers, dates, titles, or to a decoder.
_PIECES = [
    *(b'"', b'""', b",", b";", b"\t", b"|", b"::", b"\n", b"\r", b"\r\n", b"\0", b" "),
    *(b"\xef\xbb\xbf", b"\xff", b"\x80", b"\xf0\x9f\x8e\xac", b"\xed\xa0\x80", b"\x1b[31m", "²".encode()),
    *(b"nan", b"-inf", b"1e39", b"1e400", b"-1", b"9" * 40, b"0.5", b"007", b"0x1", b"1_000", b"NA", b"null"),
    *(b"2004", b"20040503", b"0001-01-01T00:00:00+02:00", b"9999-12-31T23:59:59-10:00", b"2004-05-03", b"24:00"),
    *(b"(1999)", b"(", b")", b"tt", b"[]", b"{}", b"True", b"a" * 300),
]


def hostile_bytes(*good: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes, any text in several encodings, and good files that were changed in a few places."""
    texts = st.tuples(st.text(max_size=200), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
    encoded = texts.map(lambda text: text[0].encode(text[1], "replace"))
    return st.one_of(*[_changed(content) for content in good], st.binary(max_size=200), encoded)


def _changed(content: bytes) -> st.SearchStrategy[bytes]:
    place = st.integers(0, len(content))
    change = st.tuples(place, st.integers(0, 8), st.one_of(st.sampled_from(_PIECES), st.binary(max_size=4)))
    cut = st.one_of(st.just(len(content)), place)

    def apply(drawn: tuple[list[tuple[int, int, bytes]], int]) -> bytes:
        changes, length = drawn
        changed = content[:length]
        for start, removed, piece in changes:
            changed = changed[:start] + piece + changed[start + removed :]
        return changed

    return st.tuples(st.lists(change, max_size=4), cut).map(apply)


def read_or_refuse(read: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What is read, or the library's error in one line that can be printed; any other error is the test's."""
    try:
        return read(*arguments, **named)
    except LatentflixError as error:
        str(error).encode()
        return error


def assert_linear(read: Callable[[int], Any], sizes: Sequence[int]) -> None:
    """Fail if eight times the input takes more than 24 times as long, and more than a blink."""
    small, large = sizes
    assert large == 8 * small
    took = [_seconds(read, size) for size in sizes]
    assert took[1] < max(24 * took[0], 0.5), took


def _seconds(read: Callable[[int], Any], size: int) -> float:
    start = time.perf_counter()
    read_or_refuse(read, size)
    return time.perf_counter() - start
