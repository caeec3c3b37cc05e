import re

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from latentflix.report.figures import BLUE, ORANGE
from latentflix.report.inputs import ReportConfig
from latentflix.report.items import (
    HEIGHT,
    PALETTE,
    POSTER_DPI,
    SCREEN_DPI,
    TITLE_HEIGHT,
    WIDTH,
    HistogramPainter,
    ReportedItem,
    draw_histograms,
    draw_poster,
    items_section,
    reported_items,
)
from tests.support.factories.report import HANDLER, make_inputs
from tests.support.html import Page


@pytest.fixture
def written(tmp_path):
    return tmp_path, str(items_section(tmp_path, make_inputs(), ReportConfig()))


def test_every_item_is_listed_with_links_to_its_factors_the_most_reviewed_first_and_never_run(written):
    page = Page(written[1])
    assert page.attributes("data-title") == [
        'beta <img src=x onerror="alert(2)"> (1991)',
        "alpha (1990)",
        "gamma & co (1992)",
    ]
    assert [name for name in page.attributes("id") if name.startswith("item-") and name != "item-list"] == [
        *("item-7", "item-3", "item-12")
    ]
    assert "2 reviews, 60 ratings" in page.text
    assert "1 review, 50 ratings" in page.text
    assert not page.attributes("onerror")
    assert HANDLER in page.text
    section = re.search(r'<li class="card" id="item-3".*?</li>', written[1], re.DOTALL).group(0)
    own, lifted = section.split("More of its reviews")
    assert re.findall(r'<a href="#factor-(\d)" title="[^"]*">([^<]*)</a>', own) == [("1", "1+"), ("2", "2-")]
    assert re.findall(r'<a href="#factor-(\d)" title="[^"]*">([^<]*)</a> \(([^)]*)\)', lifted) == [
        *(("1", "1+", "2.0 times"), ("1", "1-", "2.0 times"), ("2", "2+", "2.0 times"))
    ]


def test_every_item_has_a_picture_that_is_loaded_when_it_comes_into_view_and_all_are_on_a_poster(written):
    folder, html = written
    pictures = [attrs for tag, attrs in Page(html).tags if tag == "img"]
    assert [attrs["src"] for attrs in pictures] == ["items/7.png", "items/3.png", "items/12.png"]
    assert {attrs["loading"] for attrs in pictures} == {"lazy"}
    for attrs in pictures:
        width, height = Image.open(folder / attrs["src"]).size
        assert (attrs["width"], attrs["height"]) == (str(width), str(height))
    assert pictures[0]["alt"] == f"Predicted labels over the reviews of Beta {HANDLER} (1991), with and without 2+"
    size = Image.open(folder / "items.png").size
    assert re.search(r'<a href="items.png">All 3 films as one picture', html)
    assert f"{size[0]:,} × {size[1]:,} dots" in html


@pytest.mark.parametrize(("min_reviews", "pictures"), [(2, ["7.png"]), (5, [])])
def test_items_with_too_few_reviews_are_left_out_and_without_any_there_is_no_poster(tmp_path, min_reviews, pictures):
    html = items_section(tmp_path, make_inputs(), ReportConfig(min_reviews=min_reviews))
    assert [path.name for path in (tmp_path / "items").iterdir()] == pictures
    assert len(Page(html).attributes("data-title")) == len(pictures)
    assert ("items.png" in html) == bool(pictures)


def test_a_histogram_has_the_shares_and_own_labels_of_its_item():
    inputs = make_inputs()
    shares = inputs.shares.assign(share=np.arange(12) / 12, share_without=np.arange(12) / 24)
    (item,) = (each for each in reported_items(make_inputs(shares=shares), ReportConfig()) if each.item_id == 7)
    assert item.before == pytest.approx(np.arange(4, 8) / 12)
    assert item.after == pytest.approx(np.arange(4, 8) / 24)
    assert item.own.tolist() == [False, True, False, True]


def test_an_item_that_stands_out_nowhere_says_so_and_only_shares_above_the_usual_are_named(tmp_path):
    inputs = make_inputs()
    lift = [2, 0.5, np.nan, 3] * 3
    labels = inputs.item_labels[inputs.item_labels["item_id"] != 3]
    changed = make_inputs(item_labels=labels, shares=inputs.shares.assign(lift=lift))
    (item,) = (each for each in reported_items(changed, ReportConfig()) if each.item_id == 3)
    assert (item.labels, item.own.any(), item.lifted) == ([], False, [("2-", 3.0), ("1+", 2.0)])
    text = Page(str(items_section(tmp_path, changed, ReportConfig()))).text
    assert "Its labels: none; it stands far out on no factor" in text


def test_a_line_crosses_the_bars_at_the_usual_share():
    usual = USUAL.assign(usual=[0.5, *[0.0] * 7])
    picture = HistogramPainter(usual, "2+", SCREEN_DPI, titled=False).paint(make_histogram([0.9] * 8))
    plain = HistogramPainter(USUAL, "2+", SCREEN_DPI, titled=False).paint(make_histogram([0.9] * 8))
    changed = np.argwhere(np.asarray(picture) != np.asarray(plain))
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    assert right - left > 20
    # The line, and the one that has gone from the foot of the bar, which lies half the chart lower.
    assert 50 < bottom - top < 130


def test_a_label_too_rare_to_learn_has_no_bar(tmp_path):
    shares = make_inputs().shares
    rare = pd.DataFrame({"items": [2]}, index=pd.Index(["1-"], name="label"))
    inputs = make_inputs(rare=rare, shares=shares[shares["label"] != "1-"])
    (item,) = (each for each in reported_items(inputs, ReportConfig()) if each.item_id == 7)
    assert item.labels == ["1-", "2-"]
    assert item.own.tolist() == [False, False, True]
    text = Page(str(items_section(tmp_path, inputs, ReportConfig()))).text
    assert "There is no bar for 1- because too few films with reviews have it." in text


LABELS = [f"{axis}{pole}" for axis in range(1, 5) for pole in "+-"]
USUAL = pd.DataFrame({"usual": 0.0, "usual_without": 0.0}, index=LABELS)


def make_histogram(before, after=None, own=(), title="Alpha (1990)"):
    before = np.array(before, float)
    after = before if after is None else np.array(after, float)
    return ReportedItem(1, title, 1, 1, LABELS, [], before, after, np.isin(np.arange(len(LABELS)), own))


def dots(picture, colour):
    """Where a picture has exactly a colour: bool (height, width)."""
    pixels = np.asarray(picture.convert("RGB"))
    return (pixels == np.rint(np.array(to_rgb(colour)) * 255)).all(-1)


def bars(picture, colour):
    """The height in dots of each bar of a colour, left to right, in the upper and in the lower half."""
    found = dots(picture, colour)
    middle = picture.height // 2
    halves = []
    for half in (found[:middle], found[middle:]):
        columns = half.sum(0)
        # The marks above the bars are narrow and low.
        edges = np.flatnonzero(np.diff(np.concatenate([[0], columns > 0, [0]])))
        wide = [(start, end) for start, end in edges.reshape(-1, 2) if end - start > 20]
        halves.append([int(np.median(columns[start:end])) for start, end in wide])
    return halves


@pytest.fixture(scope="module")
def painter():
    return HistogramPainter(USUAL, "2+", SCREEN_DPI, titled=False)


def test_bars_are_as_high_as_the_shares_before_and_after_and_one_that_is_nan_has_none(painter):
    picture = painter.paint(make_histogram([1, 0.5, 0, 0.25, 0, 0, 0, 0], [0.5, 1, 0, 0, 0, 0, 0, 0.75]))
    upper, lower = bars(picture, BLUE)
    assert np.array(upper) / max(upper) == pytest.approx([1, 0.5, 0.25], abs=0.03)
    assert np.array(lower) / max(lower) == pytest.approx([0.5, 1, 0.75], abs=0.03)
    upper, lower = bars(painter.paint(make_histogram([1] * 8, [1, 1, np.nan, 1, 1, 1, 1, 1])), BLUE)
    assert (len(upper), len(lower)) == (8, 7)


def test_the_items_own_labels_have_a_colour_of_their_own_and_a_mark_also_without_a_bar(painter):
    picture = painter.paint(make_histogram([0.5, 0.5, 0, 0, 0, 0, 0, 0], own=(1, 7)))
    upper, _ = bars(picture, BLUE)
    own, _ = bars(picture, ORANGE)
    assert (len(upper), len(own)) == (1, 1)
    columns = np.flatnonzero(dots(picture, ORANGE).any(0))
    assert columns.max() > 0.9 * picture.width


def test_a_picture_depends_on_its_own_item_alone(painter):
    one, other = make_histogram([1, 0.2, 0, 0, 0, 0, 0, 0.4], own=(0,)), make_histogram([0.9] * 8, own=(3, 4))
    first = painter.paint(one)
    between = painter.paint(other)
    assert first.tobytes() == painter.paint(one).tobytes()
    assert first.tobytes() != between.tobytes()


def test_pictures_are_white_and_small_and_their_palette_holds_the_colours_as_they_are(tmp_path):
    path = tmp_path / "items" / "1.png"
    draw_histograms([make_histogram([0.5] * 8)], USUAL, "2+", path.parent)
    picture = Image.open(path)
    assert picture.size == (WIDTH * SCREEN_DPI, round(HEIGHT * SCREEN_DPI))
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert picture.mode == "P"
    assert path.stat().st_size < 20_000
    colours = list(zip(*[iter(PALETTE)] * 3, strict=True))
    assert colours[0] == (255, 255, 255)
    assert {tuple(round(255 * value) for value in to_rgb(colour)) for colour in (ORANGE, BLUE)} <= set(colours)


@pytest.mark.parametrize(("items", "columns", "rows"), [(1, 1, 1), (7, 2, 4), (30, 4, 8)])
def test_the_poster_has_every_item_in_rows_on_a_sheet_higher_than_wide(tmp_path, items, columns, rows):
    histograms = [make_histogram([1] * 8, title=f"Film {number}") for number in range(items)]
    assert draw_poster([], USUAL, "2+", tmp_path / "poster.png") is None
    assert not (tmp_path / "poster.png").exists()
    size = draw_poster(histograms, USUAL, "2+", tmp_path / "poster.png")
    width, height = round(WIDTH * POSTER_DPI), round((HEIGHT + TITLE_HEIGHT) * POSTER_DPI)
    assert size == (columns * width, rows * height)
    pixels = matplotlib.image.imread(tmp_path / "poster.png")[..., :3]
    cells = pixels.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4).reshape(-1, height, width, 3)
    assert [bool((cell < 1).any()) for cell in cells] == [True] * items + [False] * (rows * columns - items)


@pytest.mark.parametrize("title", ["$7 or $8 (1990)", "Long " * 40, "Word" * 60, "日本 (1990)"])
def test_any_title_fits_its_cell(tmp_path, title):
    draw_poster([make_histogram([0] * 8, title=title)], USUAL, "2+", tmp_path / "poster.png")
    pixels = matplotlib.image.imread(tmp_path / "poster.png")[..., :3]
    strip = pixels[: round(TITLE_HEIGHT * POSTER_DPI)]
    assert (strip < 0.5).any()
    assert (pixels[:2] == 1).all()
    assert (strip[:, :2] == 1).all()
    assert (strip[:, -2:] == 1).all()
