"""Charts of the pages, drawn by matplotlib without a screen. Each `draw_*` writes a PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from latentflix.report.formatting import visible

# Of the palette by Okabe and Ito 2008, which colour-blind people can distinguish.
ORANGE, BLUE = "#d55e00", "#0072b2"
GREY = "#999999"
_GENRES_SHOWN = 24


def draw_language_model(history: pd.DataFrame, path: Path) -> None:
    """Draw the losses of the language model by epoch. history: train_loss, valid_loss."""
    axes = _panel("epoch", "cross-entropy, nats per token")
    _draw_losses(axes, history)
    _save(axes, path, legend=True)


def draw_classifiers(history: pd.DataFrame, path: Path) -> None:
    """Draw the losses of the classifiers by epoch. history: classifier, train_loss, valid_loss."""
    axes = _panel("epoch", "binary cross-entropy")
    for name, losses in history.groupby("classifier", sort=False):
        _draw_losses(axes, losses)
        end = len(losses), losses["valid_loss"].iloc[-1]
        axes.annotate(str(name), end, xytext=(4, 0), textcoords="offset points", va="center", fontsize=7)
    _save(axes, path, legend=True)


def _panel(x: str, y: str, size: tuple[float, float] = (4.5, 2.8), dpi: int = 160) -> Axes:
    """Axes with these labels, of a size that can still be read on a phone."""
    axes = Figure(figsize=size, dpi=dpi, layout="constrained").subplots()
    _style(axes, x, y, 9)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _style(axes: Axes, x: str, y: str, size: int) -> None:
    axes.set_xlabel(x, fontsize=size)
    axes.set_ylabel(y, fontsize=size)
    axes.tick_params(labelsize=size - 1)


def _save(axes: Axes, path: Path, *, legend: bool = False) -> None:
    if legend:
        axes.legend(fontsize=8, frameon=False)
    FigureCanvasAgg(axes.get_figure(root=True)).print_png(str(path))


def _draw_losses(axes: Axes, losses: pd.DataFrame) -> None:
    epochs = np.arange(1, len(losses) + 1)
    # A second pair of lines is of the same two kinds, so it gets no place of its own in the legend.
    known = bool(axes.lines)
    axes.plot(epochs, losses["train_loss"], "o-", color=BLUE, markersize=4, label=None if known else "training")
    axes.plot(epochs, losses["valid_loss"], "s--", color=ORANGE, markersize=4, label=None if known else "held out")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def draw_rates(curve: pd.DataFrame, suggested: float | None, used: Sequence[float], path: Path) -> None:
    """Draw the loss while the learning rate grows, and the rates suggested and used. curve: learning_rate, loss."""
    axes = _panel("learning rate", "cross-entropy, nats per token")
    axes.plot(curve["learning_rate"], curve["loss"], color=BLUE)
    axes.set_xscale("log")
    if suggested:
        axes.axvline(suggested, color=ORANGE, linestyle="--", linewidth=1, label=f"suggested: {suggested:.1e}")
    for rate in used:
        axes.axvline(rate, color=GREY, linestyle=":", linewidth=1, label=f"used: {rate:.1e}")
    # The losses after the divergence would hide all the others.
    start = curve["loss"].iloc[: max(len(curve) // 10, 1)].mean()
    axes.set_ylim(curve["loss"].min() - 0.1, start + 0.3)
    _save(axes, path, legend=True)


def draw_stability(table: pd.DataFrame, stable_from: float, path: Path) -> None:
    """Draw the stability of each factor, and that of randomly rotated factors; table: as `Factors.axes`."""
    axes = _panel("factor", "|r| between groups of seeds")
    positions = np.arange(len(table))
    axes.bar(positions, table["stability"], color=[BLUE if stable else GREY for stable in table["stable"]])
    null = table["stability_null"]
    above = np.stack([np.zeros(len(null)), (table["stability_null_95"] - null).clip(lower=0)])
    axes.errorbar(positions, null, above, fmt=".", color="black", capsize=2, label="randomly rotated")
    axes.axhline(stable_from, color=ORANGE, linestyle="--", linewidth=1)
    axes.set_xticks(positions, list(table.index), fontsize=7)
    axes.set_ylim(0, 1)
    axes.legend(fontsize=8, loc="lower left")
    _save(axes, path)


def draw_calibration(calibration: pd.DataFrame, share: str, path: Path) -> None:
    """Draw predicted probabilities against observed shares, which are of `share`. calibration: as `calibrate`."""
    axes = _panel("mean probability", share, (4, 4), 100)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    observed = calibration["fraction_positive"]
    spread = 1.96 * np.sqrt(observed * (1 - observed) / calibration["pairs"])
    axes.errorbar(calibration["mean_predicted"], observed, spread, fmt="o", color=BLUE, capsize=3)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    _save(axes, path)


def draw_unfreezing(steps: pd.DataFrame, baseline: float, path: Path) -> None:
    """Draw the accuracy after each step of unfreezing. steps: step, valid, test. baseline: its accuracy on test."""
    axes = _panel("what has been trained", "accuracy", (5, 3.2), 100)
    axes.plot(steps["step"], steps["valid"], "s--", color=ORANGE, label="validation")
    axes.plot(steps["step"], steps["test"], "o-", color=BLUE, label="test")
    axes.axhline(baseline, color=GREY, linewidth=1, label="baseline, test")
    _save(axes, path, legend=True)


def draw_curves(curves: pd.DataFrame, chosen: pd.DataFrame, path: Path) -> None:
    """Draw the held-out error by epoch: a panel for each model, a line for each weight decay, the chosen one thick.

    curves: as `Trials.curves`. chosen: model, weight_decay, best_epoch; one row per model.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    panels = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for axes, trial in zip(panels, chosen.itertuples(), strict=True):
        for weight_decay, curve in curves[curves["model"] == trial.model].groupby("weight_decay"):
            width = 2.5 if weight_decay == trial.weight_decay else 0.8
            axes.plot(curve["epoch"], curve["rmse"], linewidth=width, label=f"{weight_decay:g}")
        axes.axvline(trial.best_epoch, color=GREY, linestyle=":", linewidth=1)
        axes.set_title(trial.model, fontsize=9)
        _style(axes, "epoch", "held-out RMSE, stars" if axes is panels[0] else "", 8)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(title="weight decay", fontsize=7, title_fontsize=7, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    # A model that does not know the range of the ratings begins far above everything that is to be compared.
    least = curves["rmse"].min()
    panels[0].set_ylim(least - 0.01, least + 0.2)
    _save(panels[0], path)


def draw_map(positions: pd.DataFrame, path: Path) -> None:
    """Draw items by axis_1 and axis_2, with each title for which there is room, those of the first rows first."""
    figure = Figure(figsize=(10, 7))
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.07, top=0.99)
    axes = figure.subplots()
    axes.scatter(positions["axis_1"], positions["axis_2"], s=8, color=BLUE, alpha=0.6)
    axes.margins(x=0.12)
    _style(axes, "axis 1", "axis 2", 8)
    _write_titles(axes, positions)
    _save(axes, path)


def _write_titles(axes: Axes, positions: pd.DataFrame) -> None:
    """Write each title above its dot, unless it would overlap one that is already there."""
    # Where a title lies is known only once the axes have their limits.
    axes.autoscale_view()
    boxes: list[Any] = []
    for item in positions.itertuples():
        text = axes.annotate(
            *(visible(item.title), (item.axis_1, item.axis_2), (0, 3)),
            textcoords="offset points",
            ha="center",
            fontsize=6.5,
            parse_math=False,
        )
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in boxes):
            text.remove()
        else:
            boxes.append(box)


def draw_genre_bars(genres: pd.DataFrame, path: Path) -> None:
    """Draw the F1 of each genre, next to that of TF-IDF. genres: index genre; f1, tfidf_f1, films."""
    ordered = genres.sort_values("f1")
    axes = _panel("F1 on test plots; in brackets how many have the genre", "", (8, 1 + 0.2 * len(ordered)), 100)
    places = np.arange(len(ordered))
    axes.barh(places, ordered["f1"], color=BLUE, label="embeddings and words")
    axes.plot(ordered["tfidf_f1"], places, "|", color=ORANGE, markersize=9, markeredgewidth=2, label="words alone")
    axes.set_yticks(places, [f"{visible(genre)} ({films})" for genre, films in ordered["films"].items()], fontsize=8)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(ordered) - 0.4))
    axes.legend(fontsize=8, loc="lower right")
    _save(axes, path)


def draw_threshold_curve(curve: pd.DataFrame, threshold: float, path: Path) -> None:
    """Draw the scores of each threshold for all genres, and the one chosen. curve: as `threshold_curve` gives it."""
    axes = _panel("threshold for all genres", "on validation plots", (7, 3.2), 100)
    columns = ("micro_f1", "macro_f1", "weighted_f1", "precision", "recall")
    for column, style, colour in zip(columns, ("-", "--", ":", "-", "--"), (BLUE,) * 3 + (GREY,) * 2, strict=True):
        axes.plot(curve["threshold"], curve[column], style, color=colour, label=column.replace("_f1", " F1"))
    axes.axvline(threshold, color=ORANGE, linewidth=1, label=f"best micro F1: {threshold:.2f}")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    _save(axes, path, legend=True)


def draw_confusion(confusion: pd.DataFrame, path: Path) -> None:
    """Draw which other genres the plots of each frequent genre have and are predicted. confusion: as `confuse`."""
    genres = list(dict.fromkeys(confusion["genre"]))[:_GENRES_SHOWN]
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    titles = {"has_other": "have the other genre", "predicted_other": "are predicted to have it"}
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        shares = confusion.pivot(index="genre", columns="other", values=column).loc[genres, genres]
        image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        axes.set_xticks(np.arange(len(genres)), genres, rotation=90, fontsize=7)
        axes.set_yticks(np.arange(len(genres)), genres, fontsize=7)
        axes.set_title(f"of the row's plots that {title}", fontsize=9)
    figure.colorbar(image, ax=figure.axes, shrink=0.7, label="share of the row's test plots")
    _save(panels[0], path)
