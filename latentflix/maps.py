"""The map of the films, to be looked into: a page of its own that needs nothing but itself."""

from pathlib import Path

import pandas as pd
from bokeh.embed import file_html
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from bokeh.resources import INLINE
from bokeh.transform import linear_cmap

_TOOLTIPS = [
    ("film", "@title"),
    ("year", "@year"),
    ("ratings", "@ratings{0,0}"),
    *((f"axis {number}", f"@axis_{number}{{0.00}}") for number in (1, 2, 3)),
]
# White becomes the dark of the page that the map stands in, and every hue stays what it is.
_TEMPLATE = """
{% block postamble %}
<style>
body { margin: 0; background: #fff; }
@media (prefers-color-scheme: dark) { html { filter: invert(.88) hue-rotate(180deg); background: #fff; } }
</style>
{% endblock %}
"""


def write_map(positions: pd.DataFrame, path: Path) -> None:
    """Write a page with a dot for each film that tells its title, year, ratings and coordinates when pointed at.

    positions: as `Study.positions`. Across is axis 1, up is axis 2, the colour is axis 3.
    """
    # bokeh has no whole numbers that may be missing.
    films = ColumnDataSource(positions.assign(year=positions["year"].astype("str").fillna("unknown")))
    plot = figure(
        sizing_mode="stretch_both",
        min_height=300,
        tools="pan,wheel_zoom,box_zoom,reset,hover",
        tooltips=_TOOLTIPS,
        x_axis_label="axis 1",
        y_axis_label="axis 2",
    )
    lowest, highest = positions["axis_3"].min(), positions["axis_3"].max()
    colour = linear_cmap("axis_3", "Cividis256", lowest, highest)
    dots = plot.scatter(
        *("axis_1", "axis_2"), source=films, size=9, line_color="#777777", fill_color=colour, fill_alpha=0.8
    )
    plot.add_layout(dots.construct_color_bar(title="axis 3", width=12), "right")
    path.write_text(file_html(plot, INLINE, title="Map of the films", template=_TEMPLATE), encoding="utf-8")
