import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from latentflix.histogram_pictures import (
    HEIGHT,
    PALETTE,
    POSTER_DPI,
    SCREEN_DPI,
    TITLE_HEIGHT,
    WIDTH,
    Histogram,
    HistogramPainter,
    draw_histograms,
    draw_poster,
)
from latentflix.pictures import CARRIED, OTHER

LABELS = [f"{axis}{pole}" for axis in range(1, 5) for pole in "+-"]


def make_histogram(before, after=None, own=(), title="Alpha (1990)"):
    before = np.array(before, float)
    after = before if after is None else np.array(after, float)
    return Histogram(title, before, after, np.isin(np.arange(len(LABELS)), own))


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
    return HistogramPainter(LABELS, "2+", SCREEN_DPI, titled=False)


def test_bars_are_as_high_as_the_shares_before_and_after(painter):
    picture = painter.paint(make_histogram([1, 0.5, 0, 0.25, 0, 0, 0, 0], [0.5, 1, 0, 0, 0, 0, 0, 0.75]))
    upper, lower = bars(picture, OTHER)
    assert np.array(upper) / max(upper) == pytest.approx([1, 0.5, 0.25], abs=0.03)
    assert np.array(lower) / max(lower) == pytest.approx([0.5, 1, 0.75], abs=0.03)


def test_a_share_that_is_no_number_has_no_bar(painter):
    upper, lower = bars(painter.paint(make_histogram([1] * 8, [1, 1, np.nan, 1, 1, 1, 1, 1])), OTHER)
    assert (len(upper), len(lower)) == (8, 7)


def test_the_films_own_labels_have_a_colour_of_their_own_and_a_mark_also_without_a_bar(painter):
    picture = painter.paint(make_histogram([0.5, 0.5, 0, 0, 0, 0, 0, 0], own=(1, 7)))
    upper, _ = bars(picture, OTHER)
    own, _ = bars(picture, CARRIED)
    assert (len(upper), len(own)) == (1, 1)
    columns = np.flatnonzero(dots(picture, CARRIED).any(0))
    assert columns.max() > 0.9 * picture.width


def test_a_picture_hangs_on_its_own_film_alone(painter):
    one, other = make_histogram([1, 0.2, 0, 0, 0, 0, 0, 0.4], own=(0,)), make_histogram([0.9] * 8, own=(3, 4))
    first = painter.paint(one)
    between = painter.paint(other)
    assert first.tobytes() == painter.paint(one).tobytes()
    assert first.tobytes() != between.tobytes()


def test_pictures_are_white_and_small(tmp_path, painter):
    path = tmp_path / "1.png"
    draw_histograms([(path, make_histogram([0.5] * 8))], LABELS, "2+")
    picture = Image.open(path)
    assert picture.size == (WIDTH * SCREEN_DPI, round(HEIGHT * SCREEN_DPI))
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert picture.mode == "P"
    assert path.stat().st_size < 20_000


def test_the_palette_begins_with_white_and_holds_the_colours_as_they_are():
    colours = list(zip(*[iter(PALETTE)] * 3, strict=True))
    assert colours[0] == (255, 255, 255)
    assert {tuple(round(255 * value) for value in to_rgb(colour)) for colour in (CARRIED, OTHER)} <= set(colours)


@pytest.mark.parametrize(("films", "columns", "rows"), [(1, 1, 1), (7, 2, 4), (30, 4, 8)])
def test_the_poster_has_every_film_in_rows_on_a_sheet_higher_than_wide(tmp_path, films, columns, rows):
    histograms = [make_histogram([1] * 8, title=f"Film {number}") for number in range(films)]
    size = draw_poster(histograms, LABELS, "2+", tmp_path / "poster.png")
    width, height = round(WIDTH * POSTER_DPI), round((HEIGHT + TITLE_HEIGHT) * POSTER_DPI)
    assert size == (columns * width, rows * height)
    pixels = matplotlib.image.imread(tmp_path / "poster.png")[..., :3]
    cells = pixels.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4).reshape(-1, height, width, 3)
    assert [bool((cell < 1).any()) for cell in cells] == [True] * films + [False] * (rows * columns - films)


@pytest.mark.parametrize("title", ["$7 or $8 (1990)", "Long " * 40, "Word" * 60, "日本 (1990)"])
def test_any_title_fits_its_cell(tmp_path, title):
    draw_poster([make_histogram([0] * 8, title=title)], LABELS, "2+", tmp_path / "poster.png")
    pixels = matplotlib.image.imread(tmp_path / "poster.png")[..., :3]
    strip = pixels[: round(TITLE_HEIGHT * POSTER_DPI)]
    assert (strip < 0.5).any()
    assert (pixels[:2] == 1).all()
    assert (strip[:, :2] == 1).all()
    assert (strip[:, -2:] == 1).all()


def test_without_films_there_is_no_poster(tmp_path):
    assert draw_poster([], LABELS, "2+", tmp_path / "poster.png") is None
    assert not (tmp_path / "poster.png").exists()
