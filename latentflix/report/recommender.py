"""The recommenders: a section of the report, and a page of its own for the flow that only studies them."""

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
from latentflix.report.formatting import Nouns, visible
from latentflix.report.rendering import render_section, write_page

# White becomes the dark of the page that the map lies in, and every hue stays what it is.
_MAP_TEMPLATE = """
{% block postamble %}
<style>
body { margin: 0; background: #fff; }
@media (prefers-color-scheme: dark) { html { filter: invert(.88) hue-rotate(180deg); background: #fff; } }
</style>
{% endblock %}
"""
_BIASES_SHOWN = 10
_PREDICTIONS_SHOWN = 15


def write_map(positions: pd.DataFrame, path: Path, nouns: Nouns) -> None:
    """Write a page with a dot for each item; pointing at it shows its title, year, ratings and coordinates.

    positions: as `Analysis.positions`; axis 1 runs across, axis 2 up, and axis 3 is the colour.
    """
    # bokeh has no integers that may be missing.
    years, titles = positions["year"].astype("str").fillna("unknown"), positions["title"].map(visible)
    dots = ColumnDataSource(positions.assign(year=years, title=titles))
    coordinates = [(f"axis {number}", f"@axis_{number}{{0.00}}") for number in (1, 2, 3)]
    plot = figure(
        sizing_mode="stretch_both",
        min_height=300,
        tools="pan,wheel_zoom,box_zoom,reset,hover",
        tooltips=[(nouns.item, "@title"), ("year", "@year"), (nouns.origin, "@ratings{0,0}"), *coordinates],
        x_axis_label="axis 1",
        y_axis_label="axis 2",
    )
    colour = linear_cmap("axis_3", "Cividis256", positions["axis_3"].min(), positions["axis_3"].max())
    drawn = plot.scatter(
        *("axis_1", "axis_2"), source=dots, size=9, line_color="#777777", fill_color=colour, fill_alpha=0.8
    )
    plot.add_layout(drawn.construct_color_bar(title="axis 3", width=12), "right")
    page = file_html(plot, INLINE, title=f"Map of the {nouns.items}", template=_MAP_TEMPLATE)
    path.write_text(page, encoding="utf-8")


def recommenders_section(folder: Path, analysis: Analysis, trials: Trials, nouns: Nouns) -> Markup:
    """Render the section "Recommenders", whose pictures and map are written into `folder`."""
    ranks = "ndcg" in analysis.figures
    draw_map(analysis.positions, folder / "map.png")
    write_map(analysis.positions, folder / "map.html", nouns)
    return render_section(
        "recommenders.html",
        nouns,
        ranks=ranks,
        figures=analysis.figures,
        trials=trials.trials,
        **({} if ranks else _describe_predictions(folder, analysis, trials)),
        n_mapped=len(analysis.positions),
        similar=[(table["title"].iloc[0], table) for _, table in analysis.similar.groupby("item_id", sort=False)],
    )


def _describe_predictions(folder: Path, analysis: Analysis, trials: Trials) -> dict[str, Any]:
    """What the section shows of recommenders that predict stars."""
    chosen = trials.trials[trials.trials["chosen"]]
    draw_curves(trials.curves, chosen, folder / "curves.png")
    by_rating = analysis.predicted.groupby("rating")["predicted"]
    quantiles = by_rating.quantile([0.1, 0.5, 0.9]).unstack().set_axis(["low", "median", "high"], axis=1)
    shown = analysis.predicted.head(_PREDICTIONS_SHOWN).sort_values(["rating", "predicted"], ascending=False)
    return {
        "chosen": chosen,
        "predicted": shown,
        "n_predicted": len(analysis.predicted),
        "by_rating": quantiles.assign(count=by_rating.size()),
        "biases": (
            ("Predicted higher for all users", analysis.biases.head(_BIASES_SHOWN)),
            ("Predicted lower for all users", analysis.biases.tail(_BIASES_SHOWN)[::-1]),
        ),
    }


def build_analysis_page(
    folder: Path, analysis: Analysis, trials: Trials, manifests: Sequence[Manifest], nouns: Nouns
) -> dict[str, Any]:
    """Write the page into `folder` and return its headline's figures: those of each model's chosen trial."""
    chosen = trials.trials[trials.trials["chosen"]]
    sentence = chosen_sentence(trials.trials)
    section = recommenders_section(folder, analysis, trials, nouns)
    write_page(folder, "analysis.html", manifests, nouns, sentence=sentence, recommenders=section)
    return {"sentence": sentence, "models": chosen.drop(columns="chosen").set_index("model").to_dict("index")}
