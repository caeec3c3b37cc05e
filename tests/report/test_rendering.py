import re

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from latentflix.report.formatting import PAGE
from latentflix.report.rendering import render_section, write_page
from tests.support.factories.report import make_manifest

SCRIPT = "<script>alert(1)</script>"
NOTE = {"note": f"</pre>{SCRIPT}"}
PART = Markup("<b>part</b>")


def render(folder, sentence="all is well", recommenders=PART):
    manifests = [make_manifest("datasets", {"name": "movielens_100k"}), make_manifest("trials", {"n_seeds": 2}, NOTE)]
    write_page(folder, "analysis.html", manifests, sentence=sentence, recommenders=recommenders)
    return (folder / PAGE).read_text(encoding="utf-8")


def test_a_page_is_the_layout_with_the_blocks_of_the_template_and_lists_what_ran_with_its_licence(tmp_path):
    page = render(tmp_path)
    assert page.startswith("<!doctype html>")
    assert re.findall("<title>(.*)</title>", page) == ["latentflix: recommenders compared"]
    assert page.index("all is well") < page.index("<b>part</b>") < page.index("What ran") < page.index("</main>")
    assert "MovieLens 100K, https://grouplens.org/datasets/movielens/100k/. Licence: GroupLens research" in page
    assert "<summary>trials <span" in page
    assert "&#34;n_seeds&#34;: 2" in page


def test_text_is_escaped_unless_it_is_markup(tmp_path):
    page = render(tmp_path, sentence=SCRIPT, recommenders=SCRIPT)
    assert SCRIPT not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


def test_a_missing_value_is_an_error():
    with pytest.raises(UndefinedError, match="'ranks' is undefined"):
        render_section("recommenders.html", figures={})
