import base64
import gzip
import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from latentflix.maps import write_map

SCRIPT = "</script><script>alert(1)</script>"
HANDLER = '<img src=x onerror="alert(2)">'
POSITIONS = pd.DataFrame(
    {
        "title": ["Alpha (1990)", f"Beta {SCRIPT}", f"Gamma {HANDLER} & Co"],
        "year": pd.array([1990, None, 1992], "Int16"),
        "ratings": [500, 60, 7],
        "axis_1": [0.5, -0.25, 0.0],
        "axis_2": [1.0, 2.0, -3.0],
        "axis_3": [0.0, 0.125, 4.0],
    },
    index=pd.Index([3, 7, 12], name="movie_id"),
)


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "map.html"
    write_map(POSITIONS, path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plot(page):
    """bokeh's models, by name, as the page holds them."""
    (text,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    models = []

    def keep(value):
        if value.get("type") == "object":
            models.append((value["name"], value.get("attributes", {})))
        return value

    json.loads(html.unescape(text), object_hook=keep)
    return dict(models)


def unpacked(column):
    """The values of one of bokeh's arrays: a list as it is, or numbers, packed."""
    array = column["array"]
    if isinstance(array, list):
        return array
    return np.frombuffer(gzip.decompress(base64.b64decode(array["data"])), column["dtype"]).tolist()


def test_every_dot_has_its_film_and_its_place(plot):
    data = {name: unpacked(column) for name, column in plot["ColumnDataSource"]["data"]["entries"]}
    assert data["title"] == POSITIONS["title"].tolist()
    assert data["year"] == ["1990", "unknown", "1992"]
    for name in ("ratings", "axis_1", "axis_2", "axis_3"):
        assert data[name] == POSITIONS[name].tolist()
    fields = [plot["Scatter"][name]["field"] for name in ("x", "y", "fill_color")]
    assert fields == ["axis_1", "axis_2", "axis_3"]


def test_pointing_at_a_dot_tells_title_year_ratings_and_coordinates(plot):
    shown = " ".join(field for _, field in plot["HoverTool"]["tooltips"])
    assert re.findall(r"@(\w+)", shown) == ["title", "year", "ratings", "axis_1", "axis_2", "axis_3"]
    # What is shown as `safe` would be taken for markup.
    assert "safe" not in shown


def test_a_title_is_never_run(page):
    assert SCRIPT not in page
    assert HANDLER not in page
    assert not [attrs for _, attrs in Tags(page).tags if "onerror" in attrs]


def test_the_page_needs_nothing_but_itself(page):
    tags = Tags(page).tags
    assert not [tag for tag, attrs in tags if {"src", "href", "srcset"} & attrs.keys()]
    assert not [tag for tag, _ in tags if tag in ("link", "iframe", "object", "embed", "base", "img")]
    assert "BEGIN bokeh.min.js" in page
