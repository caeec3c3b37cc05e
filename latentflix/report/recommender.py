"""The recommenders on a page: a section of the report, and a page of its own for the flow that only studies them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from bokeh.embed import file_html
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from bokeh.resources import INLINE
from bokeh.transform import linear_cmap
from markupsafe import Markup

from latentflix.artifacts import Manifest
from latentflix.recommender.analysis import Analysis
from latentflix.recommender.trials import Trials, chosen_sentence
from latentflix.report.figures import draw_curves, draw_map
from latentflix.report.rendering import PAGE, render_page, render_section

_TOOLTIPS = [
    ("item", "@title"),
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

    positions: as `Analysis.positions`. Across is axis 1, up is axis 2, the colour is axis 3.
    """
    # bokeh has no whole numbers that may be missing.
    items = ColumnDataSource(positions.assign(year=positions["year"].astype("str").fillna("unknown")))
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
        *("axis_1", "axis_2"), source=items, size=9, line_color="#777777", fill_color=colour, fill_alpha=0.8
    )
    plot.add_layout(dots.construct_color_bar(title="axis 3", width=12), "right")
    path.write_text(file_html(plot, INLINE, title="Map of the films", template=_TEMPLATE), encoding="utf-8")


_BIASES_SHOWN = 10
_PREDICTIONS_SHOWN = 15


def write_section(folder: Path, study: Analysis, trials: Trials) -> Markup:
    """The section "Recommenders", whose pictures and map are written into `folder`."""
    chosen = trials.trials[trials.trials["chosen"]]
    draw_curves(trials.curves, chosen, folder / "curves.png")
    draw_map(study.positions, folder / "map.png")
    write_map(study.positions, folder / "map.html")
    by_rating = study.predicted.groupby("rating")["predicted"]
    quantiles = by_rating.quantile([0.1, 0.5, 0.9]).unstack().set_axis(["low", "middle", "high"], axis=1)
    shown = study.predicted.head(_PREDICTIONS_SHOWN).sort_values(["rating", "predicted"], ascending=False)
    return render_section(
        "recommenders.html",
        figures=study.figures,
        trials=trials.trials.to_dict("records"),
        chosen=chosen.to_dict("records"),
        predicted=shown.to_dict("records"),
        n_predicted=len(study.predicted),
        by_rating=quantiles.assign(count=by_rating.size()).reset_index().to_dict("records"),
        ends=(
            ("Liked beyond what their factors explain", study.biases.head(_BIASES_SHOWN).to_dict("records")),
            ("Disliked beyond that", study.biases.tail(_BIASES_SHOWN)[::-1].to_dict("records")),
        ),
        n_mapped=len(study.positions),
        similar=[
            {"title": items["title"].iloc[0], "items": items.to_dict("records")}
            for _, items in study.similar.groupby("item_id", sort=False)
        ],
    )


def build_analysis_page(folder: Path, study: Analysis, trials: Trials, manifests: Sequence[Manifest]) -> dict[str, Any]:
    """Write the page into `folder` and return its headline's figures: those of each model's chosen trial."""
    chosen = trials.trials[trials.trials["chosen"]]
    sentence = chosen_sentence(trials.trials)
    page = render_page("study.html", manifests, sentence=sentence, recommenders=write_section(folder, study, trials))
    (folder / PAGE).write_text(page, encoding="utf-8")
    return {"sentence": sentence, "models": chosen.drop(columns="chosen").set_index("model").to_dict("index")}
