from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from latentflix.reviews.http.transports import AuthTransport, DateHeaderTransport, origin, read_date
from tests.support.fake_web import http_date
from tests.support.headers import HEADER_DATES

REQUEST = httpx.Request("GET", "https://example.org/x")


def answering(**headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.MockTransport(lambda _: httpx.Response(headers.pop("status", 200), headers=headers))


def sign(key, request):
    secret = key.get_secret_value()
    url = request.url.copy_set_param("api_key", secret)
    return httpx.Request(request.method, url, headers={**request.headers, "Authorization": f"Bearer {secret}"})


@pytest.mark.parametrize(
    "sent, headers, age",
    [
        (None, {}, 0),
        (50, {}, 50),
        (None, {"age": "70"}, 70),
        (50, {"age": "70"}, 70),
        (90, {"age": "70"}, 90),
        (-3600, {}, 0),
        (None, {"date": "yesterday", "age": "-5"}, 0),
        (None, {"date": "Fri, 31 Dec 9999 23:59:59 -2359", "age": "1e9"}, 0),
        *((None, {"age": age}, 2**31) for age in ("99999999999", "9" * 5000)),
    ],
)
def test_responses_are_dated_by_when_they_were_made(sent, headers, age):
    date = {} if sent is None else {"date": http_date(-sent)}
    response = DateHeaderTransport(answering(**headers, **date)).handle_request(REQUEST)
    made = read_date(response.headers["Date"])
    assert (datetime.now(UTC) - made).total_seconds() == pytest.approx(age, abs=8)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters(max_codepoint=255)) | HEADER_DATES, st.text(st.sampled_from("0189-. x\xb2"), max_size=30))
def test_any_response_can_be_dated(date, age):
    headers = {"date": date.encode("latin-1"), "age": age.encode("latin-1")}
    response = DateHeaderTransport(httpx.MockTransport(lambda _: httpx.Response(200, headers=headers)))
    made = read_date(response.handle_request(REQUEST).headers["Date"])
    assert made <= datetime.now(UTC)


def test_only_requests_to_the_registered_origin_are_authenticated():
    seen = []
    transport = AuthTransport(httpx.MockTransport(lambda request: seen.append(request) or httpx.Response(200)))
    transport.register("https://example.org/anything", SecretStr("secret"), sign)
    others = ["http://example.org/x", "https://example.org:8443/x", "https://other.org/"]
    for url in ("https://example.org/x?page=2", *others):
        transport.handle_request(httpx.Request("GET", url))
    assert [str(request.url) for request in seen] == ["https://example.org/x?page=2&api_key=secret", *others]
    assert ["Authorization" in request.headers for request in seen] == [True, False, False, False]


def test_what_a_response_repeats_of_the_key_is_removed():
    headers = {"Location": "/secret?api_key=secret&page=2", "X-Echo": "Bearer secret"}
    echo = httpx.MockTransport(lambda _: httpx.Response(301, headers=headers, content=b'{"key": "secret"}'))
    transport = AuthTransport(echo)
    transport.register(str(REQUEST.url), SecretStr("secret"), sign)
    response = transport.handle_request(REQUEST)
    assert response.headers["Location"] == "/?api_key=&page=2"
    assert response.headers["X-Echo"].strip() == "Bearer"
    assert (response.status_code, response.content) == (301, b'{"key": ""}')


def test_the_origin_of_a_url_is_its_scheme_host_and_port():
    assert origin(httpx.URL("https://example.org:443/x?y")) == "https://example.org"
    assert origin(httpx.URL("http://127.0.0.1:8000/x")) == "http://127.0.0.1:8000"


def test_dates_without_a_zone_are_in_utc_and_malformed_ones_none():
    assert read_date("Fri, 31 Dec 1999 23:59:59 -0000") == datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert [read_date(text) for text in ("", "soon", "2024")] == [None] * 3
