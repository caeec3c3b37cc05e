from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentflix.reviews.http.robots import MAX_BYTES, read_robots
from tests.support.scaling import growth

ALL_FORBIDDEN = b"User-agent: *\nDisallow: /\n"
COMMENT = b"# a comment\n"


def forbids(body, path="/page"):
    return read_robots(body).forbids(httpx.URL(f"https://example.org{path}"))


@pytest.mark.parametrize(
    "agent, applies",
    [
        *((agent, True) for agent in ("*", "latentflix", "Latentflix", "LATENTFLIX/1.0", "latentflix # us")),
        *((agent, False) for agent in ("python-httpx", "latent", "latentflix-other", "example", "other", "")),
    ],
)
def test_rules_apply_to_everybody_or_to_our_product_token(agent, applies):
    assert bool(forbids(f"User-agent: {agent}\nDisallow: /\n".encode())) == applies


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffUser-agent: *\nDisallow: /\n",
        "User-agent: *\rDisallow: /\r",
        "User-agent: a\nUser-agent: latentflix\nUser-agent: b\nDisallow: /\n",
        "User-agent: *\nAllow: /\n\nUser-agent: latentflix\nDisallow: /\n",
        "user agent latentflix\nDisallow: /\n",
        "User-agent: latentflix\nDisallow: /a\n\nUser-agent: x\nAllow: /\n\nUser-agent: latentflix\nDisallow: /page\n",
        "\x00\x01\nUser-agent: *\n<html>\nDisallow: /\n",
    ],
)
def test_lines_that_can_be_read_are_obeyed_whatever_stands_between_them(text):
    assert forbids(text.encode())


def test_rules_of_others_do_not_become_ours():
    assert not forbids(b"User-agent: latentflix\nDisallow: /private\n\nUser-agent: x\nDisallow: /\n")
    assert not forbids(b"")


def test_of_a_long_file_the_first_part_counts():
    assert forbids(ALL_FORBIDDEN + COMMENT * 500_000)
    assert forbids(COMMENT * 43_000 + ALL_FORBIDDEN + COMMENT * 500_000)
    assert "no rules for us" in forbids(COMMENT * 500_000 + ALL_FORBIDDEN)
    assert "no rules for us" in forbids(b"#" * 6_000_000)


def test_a_line_that_the_limit_cuts_does_not_count():
    start = ALL_FORBIDDEN + b"Allow: /"
    body = ALL_FORBIDDEN + b"#" * (MAX_BYTES - len(start) - 1) + b"\nAllow: /private\n"
    assert body[:MAX_BYTES].endswith(b"\nAllow: /")
    assert forbids(body)


def test_many_names_with_many_rules_are_read_in_linear_time():
    def read(n):
        names = "".join(f"User-agent: {number}\nUser agent x{number}\n" for number in range(n))
        assert forbids((names + "User-agent: *\n" + "Disallow: /p*a*g*e\n" * n).encode())

    assert growth(read, 200) < 20


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(["User-agent", "Allow", "Disallow", "Crawl-delay", "Request-rate", "Visit-time", "Sitemap"])
        | st.sampled_from(
            [":", " ", "\n", "\r", "\x85", "*", "$", "%", "%zz", "%ff", "/", "//[", "?", "#", "latentflix"]
        )
        | st.text(max_size=5)
        | st.sampled_from(["9" * 5000, "1e999", "nan", "-1", "1/0", "1/1s 2500-9900"])
    ).map("".join),
    st.text(st.characters(codec="utf-8"), max_size=10),
)
def test_any_file_can_be_read(text, path):
    robots = read_robots(text.encode("utf-8", "surrogatepass"))
    assert isinstance(robots.forbids(httpx.URL(f"https://example.org/{quote(path)}")), str)
    assert 0 <= robots.crawl_delay < float("inf")
