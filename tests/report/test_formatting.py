import numpy as np
import pytest

from latentflix.report.formatting import NEUTRAL, Nouns, capitalise, decimals, figure, read_nouns
from latentflix.report.inputs import ReportConfig


@pytest.mark.parametrize(
    ("number", "places", "expected"),
    [(0.126, 2, "0.13"), (2, 3, "2.000"), (None, 2, "–"), (np.nan, 2, "–"), (-0.5, 1, "-0.5"), (-0.001, 2, "0.00")],
)
def test_decimals(number, places, expected):
    assert decimals(number, places) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.123456, "0.1235"), (1e-5, "1e-05"), (12, "12"), ("0.5, 1", "0.5, 1"), (None, "–"), (float("nan"), "–")],
)
def test_a_figure_is_shown_as_it_is_or_in_four_digits(value, expected):
    assert figure(value) == expected


@pytest.mark.parametrize(
    ("config", "nouns"),
    [
        ({}, NEUTRAL),
        ({"item_noun": "book", "item_nouns": ""}, Nouns("book", "books")),
        (
            {"item_noun": "song", "origin": "plays"},
            Nouns("song", "songs", origin="plays", yardstick="genres, year and plays"),
        ),
        ({"item_noun": "story", "item_nouns": "stories"}, Nouns("story", "stories")),
    ],
)
def test_nouns_are_read_from_the_config_of_a_report(config, nouns):
    assert read_nouns(config) == nouns
    assert ReportConfig(**config).nouns == (nouns if config else Nouns("film", "films"))


def test_only_the_first_letter_becomes_a_capital():
    assert [capitalise(text) for text in ("TV shows", "films", "")] == ["TV shows", "Films", ""]
