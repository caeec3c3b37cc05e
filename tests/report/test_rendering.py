import re

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from latentflix.artifacts import Manifest
from latentflix.report.rendering import decimals, figure, render_page, render_section

SCRIPT = "<script>alert(1)</script>"
PART = Markup("<b>part</b>")


def make_manifest(stage, **config):
    return Manifest(
        stage=stage,
        key=f"{stage}key",
        inputs=(),
        config=config,
        files={},
        seconds=1.25,
        metrics={"note": f"</pre>{SCRIPT}"},
        versions={"python": "3.11"},
        made_at="2026-01-01T00:00:00Z",
    )


def render(sentence="all is well", recommenders=PART):
    manifests = [make_manifest("datasets", name="movielens_100k"), make_manifest("trials", n_seeds=2)]
    return render_page("study.html", manifests, sentence=sentence, recommenders=recommenders)


@pytest.mark.parametrize(
    ("number", "places", "expected"),
    [
        (0.126, 2, "0.13"),
        (2, 3, "2.000"),
        (None, 2, "–"),
        (float("nan"), 2, "–"),
        (-0.5, 1, "-0.5"),
        (-0.001, 2, "0.00"),
    ],
)
def test_decimals(number, places, expected):
    assert decimals(number, places) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.123456, "0.1235"), (1e-5, "1e-05"), (12, "12"), ("0.5, 1", "0.5, 1"), (None, "–"), (float("nan"), "–")],
)
def test_a_figure_is_shown_as_it_is_or_in_four_digits(value, expected):
    assert figure(value) == expected


def test_a_page_is_the_layout_with_the_templates_blocks_in_it():
    page = render()
    assert page.startswith("<!doctype html>")
    assert re.findall("<title>(.*)</title>", page) == ["latentflix: recommenders side by side"]
    assert page.index("all is well") < page.index("<b>part</b>") < page.index("What ran") < page.index("</main>")


def test_what_ran_is_said_with_its_licence():
    page = render()
    assert "MovieLens 100K, https://grouplens.org/datasets/movielens/100k/. Licence: GroupLens research" in page
    assert "<summary>trials <span" in page
    assert "&#34;n_seeds&#34;: 2" in page


def test_text_is_escaped_and_only_markup_is_taken_as_it_is():
    page = render(sentence=SCRIPT, recommenders=SCRIPT)
    assert SCRIPT not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


def test_a_value_that_a_template_misses_is_an_error():
    with pytest.raises(UndefinedError, match="'ends' is undefined|'trials' is undefined|'chosen' is undefined"):
        render_section("recommenders.html", figures={})
