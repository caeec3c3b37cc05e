import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from latentflix.genres.evaluation import GenreEvaluationConfig, evaluate_genres
from latentflix.report.figures import (
    _draw_losses,
    _write_titles,
    draw_calibration,
    draw_classifiers,
    draw_confusion,
    draw_curves,
    draw_genre_bars,
    draw_language_model,
    draw_map,
    draw_rates,
    draw_stability,
    draw_threshold_curve,
    draw_unfreezing,
)
from tests.support.factories.analysis import make_analysis, make_trials
from tests.support.factories.genres import make_methods

HISTORY = pd.DataFrame({"train_loss": [3.0, 2.0], "valid_loss": [3.1, 2.5]})
CLASSIFIER_HISTORY = pd.DataFrame(
    {"classifier": ["0", "0", "random"], "train_loss": [0.6, 0.5, 0.6], "valid_loss": [0.7, 0.6, 0.5]}
)
AXES = pd.DataFrame(
    {"stability": [0.99, 0.3], "stability_null": [0.6, 0.2], "stability_null_95": [0.8, 0.4], "stable": [True, False]},
    index=pd.Index(["1", "2"], name="axis"),
)


CURVE = pd.DataFrame({"learning_rate": np.geomspace(1e-7, 1, 50), "loss": 9 - np.sin(np.linspace(0, 5, 50))})
CALIBRATION = pd.DataFrame({"mean_predicted": [0.1, 0.9], "fraction_positive": [0.2, 0.8], "pairs": [50, 60]})
STEPS = pd.DataFrame({"step": ["head", "all"], "valid": [0.7, 0.8], "test": [0.6, 0.85]})
TRIALS = make_trials()


@pytest.fixture(scope="module")
def evaluation():
    return evaluate_genres(*make_methods(600), 20, GenreEvaluationConfig(bootstraps=20))


DRAWINGS = {
    "language model": lambda _, path: draw_language_model(HISTORY, path),
    "classifiers": lambda _, path: draw_classifiers(CLASSIFIER_HISTORY, path),
    "rates": lambda _, path: draw_rates(CURVE, 2e-3, [1e-2], path),
    "stability": lambda _, path: draw_stability(AXES, 0.9, path),
    "curves": lambda _, path: draw_curves(TRIALS.curves, TRIALS.trials[TRIALS.trials["chosen"]], path),
    "map": lambda _, path: draw_map(make_analysis().positions, path),
    "calibration": lambda _, path: draw_calibration(CALIBRATION, "share that is so", path),
    "unfreezing": lambda _, path: draw_unfreezing(STEPS, 0.9, path),
    "genres": lambda evaluation, path: draw_genre_bars(evaluation.genres, path),
    "thresholds": lambda evaluation, path: draw_threshold_curve(evaluation.curve, 0.3, path),
    "confusion": lambda evaluation, path: draw_confusion(evaluation.confusion, path),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_png_with_something_on_it_is_written(tmp_path, evaluation, name):
    path = tmp_path / "picture.png"
    DRAWINGS[name](evaluation, path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = matplotlib.image.imread(path)[..., :3]
    height, width, _ = pixels.shape
    assert width >= 300
    assert height > 150
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10
    assert (pixels < 0.5).any(axis=2).mean() > 0.002


@pytest.mark.parametrize("history", [HISTORY, HISTORY.head(1), pd.concat([HISTORY] * 20, ignore_index=True)])
def test_epochs_are_integers_and_lines_of_two_kinds_however_many_there_are(history):
    axes = Figure().subplots()
    _draw_losses(axes, history)
    axes.figure.canvas.draw()
    ticks = axes.get_xticks()
    assert (ticks == np.rint(ticks)).all()
    losses = [history["train_loss"].tolist(), history["valid_loss"].tolist()]
    assert [line.get_ydata().tolist() for line in axes.lines] == losses
    _draw_losses(axes, history)
    assert axes.get_legend_handles_labels()[1] == ["training", "held out"]


def test_chance_is_drawn_next_to_the_stability(tmp_path):
    for name, table in (("one", AXES), ("other", AXES.assign(stability_null_95=[0.7, 0.3]))):
        draw_stability(table, 0.9, tmp_path / name)
    assert (tmp_path / "one").read_bytes() != (tmp_path / "other").read_bytes()


def test_titles_that_would_overlap_are_left_out_and_the_first_rows_come_first():
    axes = Figure(figsize=(6, 4)).subplots()
    places = [("First (1990)", 0.5, 0.5), ("Hidden", 0.501, 0.501), ("$7 or $8", 0.1, 0.9), ("Last", 0.9, 0.1)]
    positions = pd.DataFrame(places, columns=["title", "axis_1", "axis_2"])
    axes.scatter(positions["axis_1"], positions["axis_2"])
    _write_titles(axes, positions)
    assert [text.get_text() for text in axes.texts] == ["First (1990)", "$7 or $8", "Last"]


def test_the_bars_grow_with_the_genres(evaluation, tmp_path):
    few, many = tmp_path / "few.png", tmp_path / "many.png"
    draw_genre_bars(evaluation.genres.head(1), few)
    draw_genre_bars(evaluation.genres, many)
    assert matplotlib.image.imread(many).shape[0] > matplotlib.image.imread(few).shape[0]
