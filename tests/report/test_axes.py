import re

import pandas as pd
import pytest

from latentflix.factors.axis_comparison import ANY_DIRECTIONS, ANY_ITEMS, AxisComparison
from latentflix.report.axes import add_similarity, axes_part
from latentflix.report.formatting import PAGE, Nouns
from latentflix.report.inputs import ReportConfig
from latentflix.report.page import build_report
from tests.support.factories.report import make_inputs
from tests.support.html import text_of


def make_comparison():
    counts = {"axes": 20, "stable": 13, "shared": 6, "hold": 19, "stable_and_hold": 12, "named": 26, "names_hold": 25}
    means = {"stability": 0.91, "people_full": 0.5, "mean_rho": 0.634, "mean_rho_all": 0.521}
    return AxisComparison(
        pd.DataFrame([counts | means | {"vectors": 0.71, "genres": 0.42}], index=pd.Index(["sparse"], name="kind")),
        pd.DataFrame(
            {"vectors": [0.01, 0.62], "genres": [0.19, 0.31]}, pd.Index([ANY_ITEMS, ANY_DIRECTIONS], name="chance")
        ),
    )


def test_a_row_says_what_a_kind_of_axes_reaches_and_the_text_what_chance_does():
    html = str(axes_part(make_comparison(), Nouns("book", "books")))
    (row,) = [text_of(row) for row in re.findall("<tr>.*?</tr>", html, re.DOTALL)][1:]
    assert row == "sparse autoencoder 20 13 0.91 6 19 12 0.521 0.634 25 of 26 0.71 0.42"
    text = text_of(html)
    assert "Any two books reach 0.01 and 0.19" in text
    assert "directions drawn at random 0.62 and 0.31" in text


def test_items_of_a_pole_are_compared_by_genres_if_they_have_any():
    items = make_inputs().items
    axes = add_similarity(make_inputs(items=items.assign(genres=[["War"], ["Drama"], ["Drama"]])))
    # On factor 1 the two dramas stand on one side and the war film alone on the other, on factor 2 no two are alike.
    assert axes.loc["1", "genres_alike"] == 1
    assert axes.loc["2", "genres_alike"] == 0
    assert axes["genres_alike_by_chance"].tolist() == pytest.approx([1 / 3] * 3)
    assert "genres_alike" not in add_similarity(make_inputs(items=items.assign(genres=[[], [], []])))


def test_the_page_compares_kinds_of_axes_only_if_they_were(tmp_path):
    without, compared = tmp_path / "without", tmp_path / "compared"
    without.mkdir()
    compared.mkdir()
    build_report(without, make_inputs(), ReportConfig())
    html = (without / PAGE).read_text(encoding="utf-8")
    assert "Any two films reach 0.00." in text_of(html)
    assert "Kinds of axes" not in html
    build_report(compared, make_inputs(axis_comparison=[make_comparison()]), ReportConfig())
    html = (compared / PAGE).read_text(encoding="utf-8")
    assert "Kinds of axes" in html
