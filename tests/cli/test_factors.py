import json

from tests.support.cli import run_error, run_ok


def test_each_pole_has_a_line_and_an_unstable_factor_one(artifacts):
    head, _, *rows = run_ok("factors", *artifacts).splitlines()
    assert head.split() == ["factor", "explains", "stability", "pole", "name", "AUC", "p", "films"]
    plus, minus, unstable = rows
    for text in (
        "60.0%",
        "0.98",
        "1+",
        "Sci-Fi · machine, war",
        "0.70 [0.60, 0.80]",
        "0.010",
        "Matrix, The (1999) 2.0",
    ):
        assert text in plus
    assert minus.split()[0] == "1-"
    assert unstable.split() == ["2", "10.0%", "0.40", "unstable"]


def test_one_factor_is_shown_in_detail(artifacts):
    output = run_ok("factors", "1", *artifacts)
    assert output.startswith("factor 1: explains 60.0%; stable, 0.98 against 0.50 by chance (p = 0.001)")
    for text in ("machine, war, robot", "love, ball", "3 films", "0.70 [0.60, 0.80] (p = 0.010); by TF-IDF 0.60"):
        assert text in output
    assert "unstable, 0.40" in run_ok("factors", "2", *artifacts)


def test_json_is_one_value_and_a_run_is_chosen_by_its_key(artifacts):
    factors = json.loads(run_ok("factors", "--json", *artifacts))
    assert [factor["stable"] for factor in factors] == [True, False]
    assert factors[0]["poles"][0]["items"] == [["Matrix, The (1999)", 2.0]]
    assert json.loads(run_ok("factors", "1", "--json", *artifacts)) == factors[0]
    assert run_ok("factors", "--run", "aaa", *artifacts) == run_ok("factors", *artifacts)


def test_a_factor_or_run_that_does_not_exist_is_an_error(artifacts):
    assert run_error("factors", "9", *artifacts).startswith("latentflix: there is no such factor; found: 9")
    assert run_error("factors", "--run", "f", *artifacts).startswith("latentflix: no run has such a key")
