import json
from dataclasses import dataclass

import numpy as np
import pytest

from latentflix.cli.console import bar, interval, print_json, print_json_list, print_table


@dataclass(frozen=True)
class Film:
    title: str
    score: float


def test_json_holds_what_python_and_numpy_hold(capsys):
    print_json([Film("Cité", np.float32(0.5)), {"n": np.int64(3), "none": float("nan"), "far": float("inf")}])
    assert json.loads(capsys.readouterr().out) == [{"title": "Cité", "score": 0.5}, {"n": 3, "none": None, "far": None}]


def test_a_list_is_one_value_and_its_parts_come_as_they_are_there(capsys):
    def parts():
        yield {"n": 1}
        assert capsys.readouterr().out == '[\n{"n":1}'
        yield {"n": 2}

    print_json_list(parts())
    assert capsys.readouterr().out == ',\n{"n":2}\n]\n'
    print_json_list([])
    assert json.loads(capsys.readouterr().out) == []


def test_a_table_shows_what_looks_like_markup_as_it_is_and_no_line_without_heads(capsys):
    print_table(("item", "score"), [("Lost in Space [red] :smile:", "1.5"), ("x" * 150, "10.0")], right=(1,))
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["item", "score"]
    assert "Lost in Space [red] :smile:" in rows[0]
    assert "x" * 150 in rows[1]
    assert rows[0].rstrip().endswith(" 1.5")
    print_table(("", ""), [("words", "robot")], title="1+")
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == ["1+", "words   robot"]


@pytest.mark.parametrize(
    ("values", "shown"), [((0.5, 0.4, 0.612), "0.50 [0.40, 0.61]"), ((None, None, None), "–"), ((np.nan, 0, 1), "–")]
)
def test_a_score_stands_with_its_interval(values, shown):
    assert interval(*values) == shown


def test_a_bar_is_as_long_as_the_share():
    assert [len(bar(share)) for share in (0, 0.5, 1)] == [0, 6, 12]
