"""The report's pictures, drawn by matplotlib without a screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Blue and orange of the palette by Okabe and Ito 2008, which the colour-blind tell apart.
CARRIED, OTHER = "#d55e00", "#0072b2"


def draw_language_model(history: pd.DataFrame, path: Path) -> None:
    """Write a PNG: losses of the language model by epoch. history: train_loss, valid_loss."""
    figure, axes = _panel("cross-entropy, nats a token")
    _draw_losses(axes, history)
    axes.legend(fontsize=8, frameon=False)
    axes.set_xlabel("epoch", fontsize=9)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_classifiers(history: pd.DataFrame, path: Path) -> None:
    """Write a PNG: losses of the classifiers by epoch. history: classifier, train_loss, valid_loss."""
    figure, axes = _panel("binary cross-entropy")
    for name, losses in history.groupby("classifier", sort=False):
        _draw_losses(axes, losses)
        axes.annotate(
            *(str(name), (len(losses), losses["valid_loss"].iloc[-1])),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    axes.legend(fontsize=8, frameon=False)
    axes.set_xlabel("epoch", fontsize=9)
    FigureCanvasAgg(figure).print_png(str(path))


def _panel(unit: str) -> tuple[Figure, Axes]:
    """A figure of the size that can still be read on a phone."""
    figure = Figure(figsize=(4.5, 2.8), dpi=160, layout="constrained")
    axes = figure.subplots()
    axes.set_ylabel(unit, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw_losses(axes: Axes, losses: pd.DataFrame) -> None:
    epochs = np.arange(1, len(losses) + 1)
    # A second pair of lines is of the same two kinds, so it gets no place of its own in the legend.
    known = bool(axes.lines)
    axes.plot(epochs, losses["train_loss"], "o-", color=OTHER, markersize=4, label=None if known else "training")
    axes.plot(epochs, losses["valid_loss"], "s--", color=CARRIED, markersize=4, label=None if known else "held out")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def draw_rates(curve: pd.DataFrame, suggested: float | None, taken: Sequence[float], path: Path) -> None:
    """Write a PNG: the loss while the learning rate grows, and the rates that were suggested and taken.

    curve: learning_rate, loss, a row a step.
    """
    figure, axes = _panel("cross-entropy, nats a token")
    axes.plot(curve["learning_rate"], curve["loss"], color=OTHER)
    axes.set_xscale("log")
    if suggested:
        axes.axvline(suggested, color=CARRIED, linestyle="--", linewidth=1, label=f"suggested: {suggested:.1e}")
    for rate in taken:
        axes.axvline(rate, color="#999999", linestyle=":", linewidth=1, label=f"taken: {rate:.1e}")
    # What comes after the model has broken would hide all that went before.
    start = curve["loss"].iloc[: max(len(curve) // 10, 1)].mean()
    axes.set_ylim(curve["loss"].min() - 0.1, start + 0.3)
    axes.set_xlabel("learning rate", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_stability(axes_table: pd.DataFrame, stable_from: float, path: Path) -> None:
    """Write a PNG: how far each axis is the same from seed to seed, and how far axes turned at random would be.

    axes_table: index axis, stability, stability_null, stability_null_95, stable.
    """
    figure, axes = _panel("|r| between groups of seeds")
    positions = np.arange(len(axes_table))
    colours = [OTHER if stable else "#999999" for stable in axes_table["stable"]]
    axes.bar(positions, axes_table["stability"], color=colours)
    null = axes_table["stability_null"]
    above = np.stack([np.zeros(len(null)), (axes_table["stability_null_95"] - null).clip(lower=0)])
    axes.errorbar(positions, null, above, fmt=".", color="black", capsize=2, label="turned at random")
    axes.axhline(stable_from, color=CARRIED, linestyle="--", linewidth=1)
    axes.set_xticks(positions, list(axes_table.index), fontsize=7)
    axes.set_ylim(0, 1)
    axes.set_xlabel("factor", fontsize=9)
    axes.legend(fontsize=8, loc="lower left")
    FigureCanvasAgg(figure).print_png(str(path))


def draw_calibration(calibration: pd.DataFrame, share: str, path: Path) -> None:
    """Write a PNG: of what is said to be so probable, how much is so.

    calibration: as `calibration.calibrate` gives it. share: what the share is of, on the axis.
    """
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    spread = 1.96 * np.sqrt(calibration["carried"] * (1 - calibration["carried"]) / calibration["pairs"])
    axes.errorbar(calibration["said"], calibration["carried"], spread, fmt="o", color=OTHER, capsize=3)
    axes.set_xlabel("mean probability", fontsize=8)
    axes.set_ylabel(share, fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_unfreezing(steps: pd.DataFrame, floor: float, path: Path) -> None:
    """Write a PNG: accuracy after each step of unfreezing. steps: step, valid, test. floor: the baseline, on test."""
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps["step"], steps["valid"], "s--", color=CARRIED, label="validation")
    axes.plot(steps["step"], steps["test"], "o-", color=OTHER, label="test")
    axes.axhline(floor, color="#999999", linewidth=1, label="baseline, test")
    axes.set_xlabel("what has learned", fontsize=8)
    axes.set_ylabel("accuracy", fontsize=8)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_curves(curves: pd.DataFrame, chosen: pd.DataFrame, path: Path) -> None:
    """Write a PNG: the held-out error by epoch, a panel a model and a line a weight decay, the chosen one thick.

    curves: as `Trials.curves`. chosen: model, weight_decay, best_epoch of one trial a model.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    panels = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for axes, trial in zip(panels, chosen.itertuples(), strict=True):
        for weight_decay, curve in curves[curves["model"] == trial.model].groupby("weight_decay"):
            width = 2.5 if weight_decay == trial.weight_decay else 0.8
            axes.plot(curve["epoch"], curve["rmse"], linewidth=width, label=f"{weight_decay:g}")
        axes.axvline(trial.best_epoch, color="#999999", linestyle=":", linewidth=1)
        axes.set_title(trial.model, fontsize=9)
        axes.set_xlabel("epoch", fontsize=8)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.tick_params(labelsize=7)
        axes.legend(title="weight decay", fontsize=7, title_fontsize=7, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("held-out RMSE, stars", fontsize=8)
    # A model that does not know the scale begins far above all that is to be compared.
    least = curves["rmse"].min()
    panels[0].set_ylim(least - 0.01, least + 0.2)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_map(positions: pd.DataFrame, path: Path) -> None:
    """Write a PNG: where films stand on the axes 1 and 2, with the titles that have room, the first rows first.

    positions: title, axis_1, axis_2.
    """
    figure = Figure(figsize=(10, 7))
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.07, top=0.99)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.scatter(positions["axis_1"], positions["axis_2"], s=8, color=OTHER, alpha=0.6)
    axes.margins(x=0.12)
    axes.set_xlabel("axis 1", fontsize=8)
    axes.set_ylabel("axis 2", fontsize=8)
    axes.tick_params(labelsize=7)
    _write_titles(axes, positions)
    canvas.print_png(str(path))


def _write_titles(axes: Axes, positions: pd.DataFrame) -> None:
    """Write each title above its dot, unless it would lie over one that is there."""
    # Where a title lies is known once the axes have their limits.
    axes.autoscale_view()
    taken: list[Any] = []
    for item in positions.itertuples():
        text = axes.annotate(
            *(item.title, (item.axis_1, item.axis_2)),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=6.5,
            parse_math=False,
        )
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in taken):
            text.remove()
        else:
            taken.append(box)


_MAPPED = 24


def draw_genre_bars(genres: pd.DataFrame, path: Path) -> None:
    """Write a PNG: F1 of each genre, beside that of words alone. genres: index genre; f1, words_f1, films."""
    ordered = genres.sort_values("f1")
    figure = Figure(figsize=(8, 1 + 0.2 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(ordered))
    axes.barh(places, ordered["f1"], color=OTHER, label="vectors and words")
    axes.plot(ordered["words_f1"], places, "|", color=CARRIED, markersize=9, markeredgewidth=2, label="words alone")
    names = [f"{genre} ({films})" for genre, films in ordered["films"].items()]
    axes.set_yticks(places, names, fontsize=8)
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.set_xlim(0, 1)
    axes.set_xlabel("F1 on test plots; in brackets how many carry the genre", fontsize=8)
    axes.legend(fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_threshold_curve(curve: pd.DataFrame, threshold: float, path: Path) -> None:
    """Write a PNG: what one threshold for all genres gives, wherever it lies, and where it was put.

    curve: as `thresholds.threshold_curve` gives it.
    """
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    lines = (
        ("micro_f1", "micro F1", "-", OTHER),
        ("macro_f1", "macro F1", "--", OTHER),
        ("weighted_f1", "weighted F1", ":", OTHER),
        ("precision", "precision", "-", "#999999"),
        ("recall", "recall", "--", "#999999"),
    )
    for column, name, style, colour in lines:
        axes.plot(curve["threshold"], curve[column], style, color=colour, label=name)
    axes.axvline(threshold, color=CARRIED, linewidth=1, label=f"best micro F1: {threshold:.2f}")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("threshold for all genres", fontsize=8)
    axes.set_ylabel("on validation plots", fontsize=8)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_confusion(confusion: pd.DataFrame, path: Path) -> None:
    """Write a PNG: of the plots of a genre, how many carry each other genre, and how many are given it.

    confusion: genre, other, carried, given. Only the most frequent genres are drawn; the first stand at the top.
    """
    genres = list(dict.fromkeys(confusion["genre"]))[:_MAPPED]
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    for axes, column, title in zip(
        figure.subplots(1, 2, sharey=True),
        ("carried", "given"),
        ("carry the other", "are given the other"),
        strict=True,
    ):
        shares = confusion.pivot(index="genre", columns="other", values=column).loc[genres, genres]
        picture = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        axes.set_xticks(np.arange(len(genres)), genres, rotation=90, fontsize=7)
        axes.set_yticks(np.arange(len(genres)), genres, fontsize=7)
        axes.set_title(f"of the row's plots that {title}", fontsize=9)
    figure.colorbar(picture, ax=figure.axes, shrink=0.7, label="share of the row's test plots")
    FigureCanvasAgg(figure).print_png(str(path))
