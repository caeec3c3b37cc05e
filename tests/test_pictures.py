import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from latentflix.pictures import (
    CARRIED,
    OTHER,
    _draw_bars,
    _write_titles,
    draw_calibration,
    draw_curves,
    draw_histogram,
    draw_map,
    draw_rates,
    draw_stability,
    draw_training,
    draw_unfreezing,
)
from tests.small_study import make_study, make_trials

SHARES = pd.DataFrame(
    {"label": ["1+", "1-", "2+"], "share": [0.75, 0.25, 0.5], "share_without": [np.nan, 1.0, 0.0]}, index=[7, 8, 9]
)
HISTORY = pd.DataFrame({"train_loss": [3.0, 2.0], "valid_loss": [3.1, 2.5]})
CLASSIFIER_HISTORY = pd.DataFrame(
    {"classifier": ["0", "0", "random"], "train_loss": [0.6, 0.5, 0.6], "valid_loss": [0.7, 0.6, 0.5]}
)
AXES = pd.DataFrame(
    {"stability": [0.99, 0.3], "stability_null": [0.6, 0.2], "stability_null_95": [0.8, 0.4], "stable": [True, False]},
    index=pd.Index(["1", "2"], name="axis"),
)


def draw_a_histogram(path, shares=SHARES):
    draw_histogram(shares, ["1-"], "1+", path)


def draw_the_training(path):
    draw_training(HISTORY, CLASSIFIER_HISTORY, path)


def draw_the_rates(path):
    curve = pd.DataFrame({"learning_rate": np.geomspace(1e-7, 1, 50), "loss": 9 - np.sin(np.linspace(0, 5, 50))})
    draw_rates(curve, 2e-3, [1e-2], path)


def draw_the_stability(path):
    draw_stability(AXES, 0.9, path)


def draw_the_curves(path):
    trials = make_trials()
    draw_curves(trials.curves, trials.trials[trials.trials["chosen"]], path)


def draw_the_map(path):
    draw_map(make_study().positions, path)


def draw_a_calibration(path):
    table = pd.DataFrame({"said": [0.1, 0.9], "carried": [0.2, 0.8], "pairs": [50, 60]})
    draw_calibration(table, "share that is so", path)


def draw_the_unfreezing(path):
    steps = pd.DataFrame({"step": ["head", "all"], "valid": [0.7, 0.8], "test": [0.6, 0.85]})
    draw_unfreezing(steps, 0.9, path)


def drawn_bars(column, carried):
    axes = Figure().subplots()
    _draw_bars(axes, SHARES, column, carried)
    return axes


@pytest.mark.parametrize(
    "draw",
    [
        draw_a_histogram,
        draw_the_training,
        draw_the_rates,
        draw_the_stability,
        draw_the_curves,
        draw_the_map,
        draw_a_calibration,
        draw_the_unfreezing,
    ],
)
def test_a_png_with_something_on_it_is_written(tmp_path, draw):
    path = tmp_path / "picture.png"
    draw(path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = matplotlib.image.imread(path)[..., :3]
    height, width, _ = pixels.shape
    assert width >= 300
    assert height > 150
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize(("column", "heights"), [("share", [0.75, 0.25, 0.5]), ("share_without", [0, 1, 0])])
def test_bars_are_as_high_as_the_shares(column, heights):
    axes = drawn_bars(column, [])
    assert [bar.get_height() for bar in axes.patches] == heights
    assert [bar.get_x() + bar.get_width() / 2 for bar in axes.patches] == pytest.approx([0, 1, 2])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1+", "1-", "2+"]
    assert axes.get_ylim() == (0, 1)


def test_the_films_own_labels_have_a_colour_of_their_own():
    colours = [to_hex(bar.get_facecolor()) for bar in drawn_bars("share", ["2+", "1+"]).patches]
    assert colours == [CARRIED, OTHER, CARRIED]


def test_other_shares_make_another_picture_and_the_same_shares_the_same(tmp_path):
    for name, shares in (("one", SHARES), ("again", SHARES), ("other", SHARES.assign(share=[0.1, 0.2, 0.3]))):
        draw_a_histogram(tmp_path / name, shares)
    one, again, other = ((tmp_path / name).read_bytes() for name in ("one", "again", "other"))
    assert one == again
    assert one != other


def test_chance_is_drawn_beside_the_stability(tmp_path):
    for name, table in (("one", AXES), ("other", AXES.assign(stability_null_95=[0.7, 0.3]))):
        draw_stability(table, 0.9, tmp_path / name)
    assert (tmp_path / "one").read_bytes() != (tmp_path / "other").read_bytes()


def test_titles_that_would_lie_over_another_are_left_out_and_the_first_rows_come_first():
    axes = Figure(figsize=(6, 4)).subplots()
    places = [("First (1990)", 0.5, 0.5), ("Hidden", 0.501, 0.501), ("$7 or $8", 0.1, 0.9), ("Last", 0.9, 0.1)]
    positions = pd.DataFrame(places, columns=["title", "axis_1", "axis_2"])
    axes.scatter(positions["axis_1"], positions["axis_2"])
    _write_titles(axes, positions)
    assert [text.get_text() for text in axes.texts] == ["First (1990)", "$7 or $8", "Last"]
