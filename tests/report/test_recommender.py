import base64
import gzip
import html
import json
import re

import numpy as np
import pandas as pd
import pytest

from latentflix.report.formatting import NEUTRAL, PAGE, Nouns
from latentflix.report.recommender import build_analysis_page, write_map
from tests.support.factories.analysis import (
    HANDLER,
    make_analysis,
    make_ranking_analysis,
    make_rankings,
    make_trials,
)
from tests.support.html import Page


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    figures = build_analysis_page(folder, make_analysis(), make_trials(), [], NEUTRAL)
    return folder, figures, (folder / PAGE).read_text(encoding="utf-8")


def rows(page, heading):
    """The cells of the table that follows a heading."""
    table = re.search(r"<table>(.*?)</table>", page[page.index(heading) :], re.DOTALL).group(1)
    return [re.findall(r"<td>(.*?)</td>", row) for row in table.split("<tr>")[2:]]


def test_the_chosen_trials_are_compared_and_marked_among_all(built):
    assert rows(built[2], "Recommenders</h2>") == [
        ["bias", "0.4", "2", "0.9017", "0.8988", "0.7098", "2", "3.1", "944 × 50", "1658 × 51"],
        ["neural", "0.8", "2", "0.9178", "0.8988", "0.7098", "2", "3.1", "944 × 50", "1658 × 51"],
    ]
    listed = rows(built[2], "All 3 trials")
    assert [(row[0], row[1], row[-1]) for row in listed] == [
        *(("bias", "0.4", "yes"), ("neural", "0.8", "yes")),
        ("bias", "0.1", ""),
    ]


def test_predicted_ratings_are_shown_with_actual_ones_and_the_median_for_each_rating(built):
    shown = rows(built[2], "Predicted and actual ratings")
    assert len(shown) == 15
    assert shown[0] == ["Film 10", "10", "1", "3.00 ± 0.25"]
    assert shown[-1] == ["Film 9", "9", "1", "2.00 ± 0.25"]
    after_first = built[2].partition("Predicted and actual ratings")[2].partition("</table>")[2]
    assert rows(after_first, "") == [["1", "20", "2.50", "2.00 to 3.00"], ["5", "20", "4.50", "4.50 to 4.50"]]


def test_biases_are_shown_from_both_ends(built):
    assert rows(built[2], "Predicted higher for all users")[0] == ["Alpha (1990)", "0.40 ± 0.02", "4.50", "90"]
    assert rows(built[2], "Predicted lower for all users")[0] == ["Delta", "-0.35 ± 0.02", "1.50", "60"]


def test_similar_items_are_listed_with_a_dash_where_one_seed_has_no_spread(built):
    (card,) = re.findall(r'<div class="card">(.*?)</div>', built[2])
    page = Page(card)
    assert page.text.replace("\xa0", " ") == f"Beta {HANDLER}Alpha (1990) 0.95 ± 0.01Delta 0.50 ± –"


def test_the_page_says_which_recommender_it_looks_at_and_what_the_axes_explain(built):
    text = Page(built[2]).text
    assert "one recommender: bias, weight decay 0.4, 32 seeds." in text
    assert "RMSE of the mean prediction is 0.907 stars" in text
    assert "48 %, 16 %, 9 % of the variance" in text


def test_figures_and_sentence_are_of_the_chosen_trials(built):
    _, figures, page = built
    assert {model: trial["rmse"] for model, trial in figures["models"].items()} == {"bias": 0.9017, "neural": 0.9178}
    assert figures["sentence"].startswith(
        "bias 0.902 RMSE (0.899 averaged over 2 seeds; weight decay 0.4, epoch 2, 3 s)"
    )
    assert figures["sentence"] in Page(page).text


def test_everything_the_page_needs_lies_in_its_folder_and_no_title_is_run(built):
    folder, _, text = built
    page = Page(text)
    sources = page.attributes("src")
    assert sorted(sources) == ["curves.png", "map.html", "map.png"]
    links = [link for link in page.attributes("href") if not link.startswith("#")]
    assert links
    assert all((folder / name).stat().st_size > 2000 for name in [*sources, *links])
    assert not [tag for tag, _ in page.tags if tag in ("link", "script", "object", "embed", "base")]
    assert not page.attributes("onerror")
    assert HANDLER in page.text


def test_a_recommender_that_ranks_is_shown_beside_popularity_without_a_word_about_stars(tmp_path):
    nouns = Nouns("song", "songs", origin="plays")
    figures = build_analysis_page(tmp_path, make_ranking_analysis(), make_rankings(), [], nouns)
    page = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert rows(page, "Recommenders</h2>") == [
        ["als", "10", "0.310", "0.270", "0.200", "0.200", "2", "0.4", "yes"],
        ["als", "1", "0.300", "0.250", "0.200", "0.200", "2", "0.4", ""],
        ["popularity", "–", "0.450", "0.460", "–", "–", "–", "–", ""],
    ]
    text = Page(page).text
    assert "It finds 0.410 of the held-out plays in its first ten places (NDCG 0.420), popularity 0.450 (0.460)" in text
    assert "songs with at least 30 plays" in text
    assert re.findall(r"\w*(?:star|rat(?:ed|ing)|RMSE|bias)\w*", text) == []
    assert sorted(Page(page).attributes("src")) == ["map.html", "map.png"]
    assert '["plays","@ratings{0,0}"]' in html.unescape((tmp_path / "map.html").read_text(encoding="utf-8"))
    assert list(figures["models"]) == ["als"]


SCRIPT = "</script><script>alert(1)</script>"
IMAGE_HANDLER = '<img src=x onerror="alert(2)">'
POSITIONS = pd.DataFrame(
    {
        "title": ["Alpha (1990)", f"Beta {SCRIPT}", f"Gamma {IMAGE_HANDLER} & Co"],
        "year": pd.array([1990, None, 1992], "Int16"),
        "ratings": [500, 60, 7],
        "axis_1": [0.5, -0.25, 0.0],
        "axis_2": [1.0, 2.0, -3.0],
        "axis_3": [0.0, 0.125, 4.0],
    },
    index=pd.Index([3, 7, 12], name="item_id"),
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "map.html"
    write_map(POSITIONS, path, NEUTRAL)
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


def test_every_dot_has_its_item_and_place_and_shows_them_to_whoever_points_at_it(plot):
    data = {name: unpacked(column) for name, column in plot["ColumnDataSource"]["data"]["entries"]}
    assert data["title"] == POSITIONS["title"].tolist()
    assert data["year"] == ["1990", "unknown", "1992"]
    for name in ("ratings", "axis_1", "axis_2", "axis_3"):
        assert data[name] == POSITIONS[name].tolist()
    fields = [plot["Scatter"][name]["field"] for name in ("x", "y", "fill_color")]
    assert fields == ["axis_1", "axis_2", "axis_3"]
    shown = " ".join(field for _, field in plot["HoverTool"]["tooltips"])
    assert re.findall(r"@(\w+)", shown) == ["title", "year", "ratings", "axis_1", "axis_2", "axis_3"]
    # What is shown as `safe` would be taken for markup.
    assert "safe" not in shown


def test_the_page_of_the_map_needs_nothing_but_itself_and_runs_no_title(page):
    tags = Page(page).tags
    assert not [tag for tag, attrs in tags if {"src", "href", "srcset"} & attrs.keys()]
    assert not [tag for tag, _ in tags if tag in ("link", "iframe", "object", "embed", "base", "img")]
    assert "BEGIN bokeh.min.js" in page
    assert SCRIPT not in page
    assert IMAGE_HANDLER not in page
    assert not [attrs for _, attrs in tags if "onerror" in attrs]
