"""The pictures of the page about genres, drawn by matplotlib without a screen."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from latentflix.pictures import CARRIED, OTHER

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
