"""Encoders side by side in the report: a section of it."""

import pandas as pd
from markupsafe import Markup

from latentflix.encoders import OURS, SAME_GUESS, EncoderComparison
from latentflix.pages import render_section

_NAMED = {
    OURS: "the language model's encoder",
    "baseline": "TF-IDF and logistic regression",
    "vectors": "sentence vectors and logistic regression",
    SAME_GUESS: "the same guess for every film",
}


def encoder_section(comparison: EncoderComparison, rare: pd.DataFrame) -> Markup:
    """The section "Encoders". rare: index label, films; the labels that were left out."""
    return render_section(
        "encoders.html",
        encoders=[{**row, "name": _NAMED[row["encoder"]]} for row in comparison.encoders.to_dict("records")],
        labels=comparison.labels.to_dict("records"),
        rare=rare.reset_index().to_dict("records"),
    )
