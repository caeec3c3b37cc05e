import json

from tests.support.cli import run_error, run_ok


def test_each_pole_has_a_line_and_an_unstable_factor_one(artifacts):
    head, _, *rows = run_ok("factors", *artifacts).splitlines()
    columns = ["factor", "explains", "rho", "seeds", "people", "pole", "name", "its", "rho", "films"]
    assert head.split() == columns
    plus, minus, unstable = rows
    for text in (
        "60.0%",
        "0.47 [0.37, 0.57]*",
        "0.98   ",
        "0.75   ",
        "1+",
        "machine, war, robot",
        "0.45 [0.35, 0.55]*",
        "Matrix, The (1999) 2.0",
    ):
        assert text in plus
    assert minus.split()[:4] == ["1-", "love,", "ball", "–"]
    assert unstable.split() == ["2", "10.0%", "0.10", "[0.00,", "0.20]", "0.40", "0.33", "unstable"]


def test_one_factor_is_shown_in_detail(artifacts):
    output = run_ok("factors", "1", *artifacts)
    assert output.startswith("factor 1: holds; explains 60.0% of the variance of the predictions")
    for text in (
        "0.47 [0.37, 0.57]*; chance -0.20 ± 0.05, p = 0.001, q = 0.002",
        "0.12 [0.02, 0.22]",
        "stable: 0.98 against 0.50 by chance (p = 0.001)",
        "shared: 0.60 between halves, 0.75 at full size",
        "0.47: all readers of words together (the judge)",
        "0.22: language model; behind by 0.25 [0.22, 0.28]",
        "0.50 [0.40, 0.60]; agreement with reviews 0.70 [0.60, 0.80]",
        "robots, dystopia <i>",
        "machine, war, robot",
        "0.45 [0.35, 0.55]*; chance 0.01 ± 0.08, p = 0.002, q = 0.004",
        "not tested",
        "3 films",
    ):
        assert text in output
    output = run_ok("factors", "2", *artifacts)
    assert output.startswith("factor 2: does not hold")
    assert "unstable: 0.40" in output
    assert "not shared: 0.20 between halves, 0.33 at full size" in output


def test_json_is_one_value_and_a_run_is_chosen_by_its_key(artifacts):
    factors = json.loads(run_ok("factors", "--json", *artifacts))
    assert [factor["stable"] for factor in factors] == [True, False]
    assert factors[0]["poles"][0]["items"] == [["Matrix, The (1999)", 2.0]]
    assert (factors[0]["score"]["rho"], factors[0]["score"]["holds"]) == (0.47, True)
    assert factors[0]["poles"][1]["test"] is None
    assert json.loads(run_ok("factors", "1", "--json", *artifacts)) == factors[0]
    assert run_ok("factors", "--run", "aaa", *artifacts) == run_ok("factors", *artifacts)


def test_a_factor_or_run_that_does_not_exist_is_an_error(artifacts):
    assert run_error("factors", "9", *artifacts).startswith("latentflix: there is no such factor; found: 9")
    assert run_error("factors", "--run", "f", *artifacts).startswith("latentflix: no run has such a key")
