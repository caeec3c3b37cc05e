"""Kinds of axes, and how much alike the items at the poles of the run's own axes are: parts of the evaluation."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from latentflix.data.items import category_flags
from latentflix.factors.axis_comparison import AxisComparison
from latentflix.factors.monosemanticity import mean_similarity, score_monosemanticity, unit_rows
from latentflix.report.formatting import Nouns
from latentflix.report.inputs import ReportInputs
from latentflix.report.rendering import render_section

_KINDS = {
    "varimax": "varimax",
    "pca": "principal axes",
    "ica": "independent components",
    "sparse": "sparse autoencoder",
    "none": "raw axes of the first fit",
}


def axes_part(found: AxisComparison, nouns: Nouns) -> Markup:
    """Render the part "Kinds of axes" of the section "Evaluation"."""
    return render_section("axes.html", nouns, kinds=found.kinds.rename(index=_KINDS), chance=found.chance)


def add_similarity(inputs: ReportInputs) -> pd.DataFrame:
    """Add genres_alike (mean of both poles) and genres_alike_by_chance to the scores, if items have genres.

    All items that had enough ratings to influence the factors count.
    """
    least = inputs.manifest("factors").config["min_ratings"]
    enough = inputs.items.index[inputs.items["ratings"] >= least].intersection(inputs.scores.index)
    traits = category_flags(inputs.items.loc[enough, "genres"]).to_numpy(np.float64)
    if not traits.any():
        return inputs.axis_scores
    poles = score_monosemanticity(inputs.scores.loc[enough], traits)
    return inputs.axis_scores.assign(
        genres_alike=poles.groupby(poles.index.str[:-1]).mean(),
        genres_alike_by_chance=mean_similarity(unit_rows(traits), np.ones(len(traits))),
    )
