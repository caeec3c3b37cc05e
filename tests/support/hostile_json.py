"""JSON that is nearly as documented: parts are missing, of another type, or out of all bounds."""

import json
from datetime import UTC
from typing import get_args

import httpx
from hypothesis import strategies as st

from latentflix.errors import TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.sources.protocol import Outcome, query
from tests.support.fake_web import QUICK

_HOSTILE = st.sampled_from(
    [
        *(None, True, 0, -1, 1000, 10**30, 10**400, 1e999, float("nan"), [], {}, [[[[]]]], "", " ", "2004", "20040503"),
        *(
            "\x00",
            "\ud800",
            "x" * 3000,
            "NaN",
            "1e39",
            "javascript:alert(1)",
            "<b>",
            "\u202e",
            "0001-01-01T00:00:00+14:00",
        ),
        *("9999-12-31T23:59:59-14:00", "2024-02-30T00:00:00Z", "2024-01-01", "2024-01-01T00:00:00", 1700000000),
    ]
)


def nearly(value):
    """Texts of JSON nearly equal to a value, now and then cut short."""
    texts = _changed(value).map(json.dumps)
    cut = st.tuples(texts, st.integers(0, 200)).map(lambda pair: pair[0][: pair[1]])
    return (texts | texts | texts | cut).map(str.encode) | st.binary(max_size=20)


def _changed(value):
    if isinstance(value, dict):
        changed = st.fixed_dictionaries({}, optional={name: _changed(each) for name, each in value.items()})
    elif isinstance(value, list) and value:
        changed = st.lists(st.sampled_from(value).flatmap(_changed), max_size=3)
    else:
        changed = st.just(value)
    return st.just(value) | st.just(value) | changed | changed | _HOSTILE


class Answering(CachedClient):
    """Has an answer for each beginning of a path, without a web."""

    def __init__(self, answers):
        self.config = QUICK
        self._answers = answers

    def get(self, url, **_):
        url = httpx.URL(url)
        body = next(body for path, body in self._answers.items() if url.path.startswith(path))
        return httpx.Response(200, content=body, request=httpx.Request("GET", url))


def check_answer(source, film):
    """Check that a source answers, or fails as sources may, and that its reviews can be stored."""
    try:
        answer = query(source, film, "")
    except TransientFetchError as failure:
        assert str(failure)
        return
    assert answer.outcome in get_args(Outcome)
    assert len(answer.reason) < 1000
    for review in answer.reviews:
        assert review.review_id != review.content_sha256
        assert review.text.encode()
        assert 1990 <= review.written_at.astimezone(UTC).year <= 2200
