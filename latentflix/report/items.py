"""The section of the items: what is predicted for each, as a chart next to its own labels."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from tqdm.auto import tqdm

from latentflix.data.items import are_counted
from latentflix.report.figures import BLUE, ORANGE
from latentflix.report.formatting import visible
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.rendering import render_section

# In inches. Twice the usual resolution of a screen keeps the small names of the labels sharp.
WIDTH, HEIGHT, TITLE_HEIGHT = 4.5, 2.9, 0.5
SCREEN_DPI, POSTER_DPI = 160, 80
# A poster has the proportions of a sheet of the A series.
_POSTER_RATIO = sqrt(2)
_GRID = "#e4e4e4"
_BAR_WIDTH = 0.8
_LIFTED = 3
_PICTURES, _POSTER = "items", "items.png"


def _shades(colour: str) -> list[int]:
    """A colour in eight steps from white, as smooth edges need them."""
    red_green_blue = np.array(to_rgb(colour)) * 255
    steps = np.linspace(0, 1, 8)[:, None]
    return np.rint(255 + steps * (red_green_blue - 255)).astype(int).ravel().tolist()


# White comes first. The lines of the grid are a colour of their own, for they have no smooth edges.
PALETTE = [value for colour in ("black", ORANGE, BLUE) for value in _shades(colour)]
PALETTE += [round(255 * value) for value in to_rgb(_GRID)]
_WHITE = 0


@dataclass(frozen=True)
class ReportedItem:
    """An item that has reviews, its own labels, the strongest first, and what is predicted for it.

    ratings: how many there are, if that is known.

    Attributes:
        lifted: the labels whose share is most above the usual, and how many times as large it is; the largest first.
        before: float (labels,), the share of its reviews that vote for each label.
        after: the same without the most frequent label.
        own: bool (labels,), whether the label is one of its own.
    """

    item_id: int
    title: str
    ratings: int | None
    reviews: int
    labels: Sequence[str]
    lifted: Sequence[tuple[str, float]]
    before: np.ndarray
    after: np.ndarray
    own: np.ndarray


def items_section(folder: Path, inputs: ReportInputs, config: ReportConfig) -> Markup:
    """Render the section of the items, the most reviewed first; charts and poster are written into `folder`."""
    painting = _usual_shares(inputs), inputs.most_frequent
    items = reported_items(inputs, config)
    draw_histograms(items, *painting, folder / _PICTURES)
    return render_section(
        "items.html",
        config.nouns,
        shown=items,
        most_frequent=inputs.most_frequent,
        names=inputs.names,
        rare=[label for label in inputs.labels.index if label not in painting[0].index],
        poster=_POSTER,
        poster_size=draw_poster(items, *painting, folder / _POSTER),
        pictures=_PICTURES,
    )


def _usual_shares(inputs: ReportInputs) -> pd.DataFrame:
    """The shares among all reviews, with and without the most frequent label. Index label, all that get votes."""
    usual = inputs.shares.drop_duplicates("label").set_index("label")[["usual", "usual_without"]]
    return usual.loc[[label for label in inputs.labels.index if label in usual.index]]


def shown_items(inputs: ReportInputs, config: ReportConfig) -> list[int]:
    """The ids of the items that get a histogram: those with enough reviews, the most reviewed first."""
    counts = inputs.reviews["item_id"].value_counts().reindex(inputs.shares["item_id"].unique(), fill_value=0)
    table = pd.DataFrame({"reviews": counts, "title": inputs.items["title"].reindex(counts.index)})
    table = table[table["reviews"] >= config.min_reviews].sort_values(["reviews", "title"], ascending=[False, True])
    return [int(item_id) for item_id in table.index[: config.max_items]]


def reported_items(inputs: ReportInputs, config: ReportConfig) -> list[ReportedItem]:
    """The items that get a histogram, in the order of `shown_items`."""
    labels = list(_usual_shares(inputs).index)
    counted = are_counted(inputs.items)
    counts = inputs.reviews["item_id"].value_counts()
    own = inputs.item_labels.groupby("item_id")["label"].agg(list)
    before, after, lift = (
        inputs.shares.pivot(index="item_id", columns="label", values=column)[labels]
        for column in ("share", "share_without", "lift")
    )
    return [
        ReportedItem(
            item_id=int(item_id),
            title=str(inputs.items.loc[item_id, "title"]),
            ratings=int(inputs.items.loc[item_id, "ratings"]) if counted else None,
            reviews=int(counts[item_id]),
            labels=own.get(item_id, []),
            lifted=[
                (str(label), float(times)) for label, times in lift.loc[item_id].nlargest(_LIFTED).items() if times > 1
            ],
            before=before.loc[item_id].to_numpy(float),
            after=after.loc[item_id].to_numpy(float),
            own=before.columns.isin(own.get(item_id, [])),
        )
        for item_id in shown_items(inputs, config)
    ]


def draw_histograms(items: Sequence[ReportedItem], usual: pd.DataFrame, most_frequent: str, folder: Path) -> None:
    """Write a PNG for each item into a new folder: its histogram with and without the most frequent label."""
    folder.mkdir()
    painter = HistogramPainter(usual, most_frequent, SCREEN_DPI, titled=False)
    for item in tqdm(items, "histograms", leave=False, disable=None):
        painter.paint(item).save(folder / f"{item.item_id}.png")


def draw_poster(
    items: Sequence[ReportedItem], usual: pd.DataFrame, most_frequent: str, path: Path
) -> tuple[int, int] | None:
    """Write one PNG of all items with their titles, to print, unless there are none; return its size in dots."""
    if not items:
        return None
    painter = HistogramPainter(usual, most_frequent, POSTER_DPI, titled=True)
    width, height = painter.paint(items[0]).size
    columns = max(round(sqrt(len(items) * height / width / _POSTER_RATIO)), 1)
    poster = Image.new("P", (columns * width, ceil(len(items) / columns) * height), color=_WHITE)
    poster.putpalette(PALETTE)
    for place, item in enumerate(items):
        row, column = divmod(place, columns)
        poster.paste(painter.paint(item), (column * width, row * height))
    poster.save(path, dpi=(POSTER_DPI, POSTER_DPI))
    return poster.size


class HistogramPainter:
    """Draws histograms with the same labels, one after the other.

    Axes, labels and headings are drawn once; for each item only its bars are. Source: matplotlib's guide "Faster
    rendering by using blitting".
    """

    def __init__(self, usual: pd.DataFrame, most_frequent: str, dpi: int, *, titled: bool) -> None:
        """Draw what the histograms have in common.

        Args:
            usual: index label, of all that get a bar; the share among all reviews, with and without the most frequent.
            titled: leave room for a title above them.
        """
        height = HEIGHT + (TITLE_HEIGHT if titled else 0)
        figure = Figure(figsize=(WIDTH, height), dpi=dpi)
        self._figure, self._titled = figure, titled
        self._canvas = FigureCanvasAgg(figure)
        top = 1 - (TITLE_HEIGHT if titled else 0) / height
        figure.subplots_adjust(left=0.075, right=0.995, bottom=0.1, top=top - 0.09, hspace=0.68)
        headings = ("share of reviews, all labels", f"without {most_frequent}, the most frequent")
        self._panels = [
            _Panel(axes, usual[column], heading)
            for axes, column, heading in zip(figure.subplots(2, 1), usual, headings, strict=True)
        ]
        self._title = figure.text(0.5, top, "", ha="center", va="bottom", fontsize=8, parse_math=False, animated=True)
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(figure.bbox)
        self._palette = Image.new("P", (1, 1))
        self._palette.putpalette(PALETTE)

    def paint(self, item: ReportedItem) -> Image.Image:
        """The picture of one item, in the palette that all share."""
        self._canvas.restore_region(self._background)
        if self._titled:
            self._title.set_text("\n".join(textwrap.wrap(visible(item.title), 52, max_lines=2, placeholder=" …")))
            self._figure.draw_artist(self._title)
        for panel, shares in zip(self._panels, (item.before, item.after), strict=True):
            panel.draw(shares, item.own)
        picture = Image.fromarray(np.asarray(self._canvas.buffer_rgba())).convert("RGB")
        return picture.quantize(palette=self._palette, dither=Image.Dither.NONE)


class _Panel:
    """One histogram: bars, and a mark above each of the item's own labels, which shows even where there is no bar.

    Where the bars of all reviews end, there is a line.
    """

    def __init__(self, axes: Axes, usual: pd.Series, heading: str) -> None:
        labels = usual.index
        places = np.arange(len(labels))
        self._axes = axes
        left, right = places - _BAR_WIDTH / 2, places + _BAR_WIDTH / 2
        self._corners = np.stack([np.stack([side, np.zeros(len(labels))], 1) for side in (left, left, right, right)], 1)
        # One artist for all bars is drawn several times as fast as one for each.
        self._bars = PolyCollection(list(self._corners), linewidth=0, animated=True)
        axes.add_collection(self._bars, autolim=False)
        (self._marks,) = axes.plot([], [], "v", color=ORANGE, markersize=3, clip_on=False, animated=True)
        self._usual = axes.hlines(usual, left, right, color="black", linewidth=0.8, animated=True)
        axes.set_xticks(places, list(labels), rotation=90, fontsize=min(6.5, 210 / len(labels)))
        axes.set_xlim(-0.7, len(labels) - 0.3)
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.5, 1], ["0", "½", "1"], fontsize=6.5)
        axes.tick_params(length=2, pad=1.5)
        axes.grid(axis="y", color=_GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(heading, fontsize=7.5, loc="left", pad=10, parse_math=False)

    def draw(self, shares: np.ndarray, own: np.ndarray) -> None:
        self._corners[:, 1:3, 1] = np.nan_to_num(shares)[:, None]
        self._bars.set_verts(list(self._corners))
        self._bars.set_facecolor([ORANGE if is_own else BLUE for is_own in own])
        self._axes.draw_artist(self._bars)
        self._axes.draw_artist(self._usual)
        places = np.flatnonzero(own)
        self._marks.set_data(places, np.full(len(places), 1.06))
        self._axes.draw_artist(self._marks)
