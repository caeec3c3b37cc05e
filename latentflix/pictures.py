"""The report's pictures, drawn by matplotlib without a screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Blue and orange of the palette by Okabe and Ito 2008, which the colour-blind tell apart.
CARRIED, OTHER = "#d55e00", "#0072b2"
DPI = 80


def draw_histogram(shares: pd.DataFrame, carried: Sequence[str], dominating: str, path: Path) -> None:
    """Write a PNG: the share of a film's reviews that vote for each label, before and after `dominating` is removed.

    shares: label, share, share_without, in the order of the labels. carried: the film's own labels, in orange.
    """
    figure = Figure(figsize=(7, 2.4))
    # A layout worked out anew for each of hundreds of like pictures would take most of the time.
    figure.subplots_adjust(left=0.07, right=0.99, bottom=0.17, top=0.88, wspace=0.05)
    before, after = figure.subplots(1, 2, sharey=True)
    for axes, column, title in (
        (before, "share", "all labels"),
        (after, "share_without", f"without {dominating}, the most frequent"),
    ):
        _draw_bars(axes, shares, column, carried)
        axes.set_title(title, fontsize=9)
    before.set_ylabel("share of reviews", fontsize=8)
    FigureCanvasAgg(figure).print_png(str(path), pil_kwargs={"optimize": False}, metadata={"Software": None})


def _draw_bars(axes: Axes, shares: pd.DataFrame, column: str, carried: Sequence[str]) -> None:
    colours = [CARRIED if label in carried else OTHER for label in shares["label"]]
    positions = np.arange(len(shares))
    axes.bar(positions, shares[column].fillna(0), color=colours)
    axes.set_xticks(positions, list(shares["label"]), rotation=90, fontsize=7)
    axes.set_ylim(0, 1)
    axes.tick_params(axis="y", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def draw_training(language_model: pd.DataFrame, classifier: pd.DataFrame, path: Path) -> None:
    """Write a PNG: losses by epoch of the language model and of the classifiers."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = np.arange(1, len(language_model) + 1)
    left.plot(epochs, language_model["train_loss"], "o-", color=OTHER, label="training")
    left.plot(epochs, language_model["valid_loss"], "s--", color=CARRIED, label="held out")
    left.set_title("language model", fontsize=9)
    left.set_ylabel("cross-entropy, nats a token", fontsize=8)
    for name, history in classifier.groupby("classifier", sort=False):
        epochs = np.arange(1, len(history) + 1)
        right.plot(epochs, history["train_loss"], "o-", color=OTHER, alpha=0.6, label="training")
        right.plot(epochs, history["valid_loss"], "s--", color=CARRIED, alpha=0.6, label="held out")
        right.annotate(str(name), (epochs[-1], history["valid_loss"].iloc[-1]), fontsize=7)
    right.set_title("classifiers, one for each fold", fontsize=9)
    right.set_ylabel("binary cross-entropy", fontsize=8)
    for axes in (left, right):
        axes.set_xlabel("epoch", fontsize=8)
        axes.xaxis.get_major_locator().set_params(integer=True)
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        axes.legend(list(unique.values()), list(unique), fontsize=7, frameon=False)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_rates(curve: pd.DataFrame, suggested: float | None, taken: Sequence[float], path: Path) -> None:
    """Write a PNG: the loss while the learning rate grows, and the rates that were suggested and taken.

    curve: learning_rate, loss, a row a step.
    """
    figure = Figure(figsize=(6, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve["learning_rate"], curve["loss"], color=OTHER)
    axes.set_xscale("log")
    if suggested:
        axes.axvline(suggested, color=CARRIED, linestyle="--", linewidth=1, label=f"suggested: {suggested:.1e}")
    for rate in taken:
        axes.axvline(rate, color="#999999", linestyle=":", linewidth=1, label=f"taken: {rate:.1e}")
    # What comes after the model has broken would hide all that went before.
    start = curve["loss"].iloc[: max(len(curve) // 10, 1)].mean()
    axes.set_ylim(curve["loss"].min() - 0.1, start + 0.3)
    axes.set_xlabel("learning rate", fontsize=8)
    axes.set_ylabel("cross-entropy, nats a token", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(str(path))


def draw_stability(axes_table: pd.DataFrame, stable_from: float, path: Path) -> None:
    """Write a PNG: how far each axis is the same from seed to seed, and how far axes turned at random would be.

    axes_table: index axis, stability, stability_null, stability_null_95, stable.
    """
    figure = Figure(figsize=(7, 2.4), layout="constrained")
    axes = figure.subplots()
    positions = np.arange(len(axes_table))
    colours = [OTHER if stable else "#999999" for stable in axes_table["stable"]]
    axes.bar(positions, axes_table["stability"], color=colours)
    null = axes_table["stability_null"]
    above = np.stack([np.zeros(len(null)), (axes_table["stability_null_95"] - null).clip(lower=0)])
    axes.errorbar(
        positions, null, above, fmt=".", color="black", capsize=3, label="turned at random: mean, 95 % lie below"
    )
    axes.axhline(stable_from, color=CARRIED, linestyle="--", linewidth=1)
    axes.set_xticks(positions, list(axes_table.index), fontsize=8)
    axes.set_ylim(0, 1)
    axes.set_xlabel("axis", fontsize=8)
    axes.set_ylabel("|r| between seed groups", fontsize=8)
    axes.legend(fontsize=7, loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)
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
    for film in positions.itertuples():
        text = axes.annotate(
            *(film.title, (film.axis_1, film.axis_2)),
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
