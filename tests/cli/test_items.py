import json

import pytest

from latentflix.artifacts import Store
from latentflix.runs import choose_run
from tests.support.cli import run_error, run_ok
from tests.support.factories.run import write_run


def test_an_item_is_explained_by_as_many_factors_as_asked(artifacts):
    output = run_ok("explain", "the matrix", *artifacts)
    assert output.startswith("Matrix, The (1999): Action, Sci-Fi; 300 ratings; 2 reviews; tt0133093\n")
    for text in (
        "Position on the factors",
        "machine, war, robot",
        "without 1+",
        "1+* ",
        "100%",
        "50%",
    ):
        assert text in output.replace("   ", " ").replace(" \n", "\n"), text
    assert "1+ machine, war, robot 2.00 machine, war" in [" ".join(line.split()) for line in output.splitlines()]
    assert "unstable" not in run_ok("explain", "the matrix", "--top", "1", *artifacts)


def test_an_explanation_in_json_is_one_value_and_without_reviews_nothing_is_predicted(artifacts):
    item = json.loads(run_ok("explain", "MATRIX, THE", "--json", *artifacts))
    assert (item["item_id"], item["labels"][0]["words"]) == (10, ["machine", "war"])
    assert item["predicted"][0]["share_without"] is None
    assert run_ok("explain", "2001", *artifacts).splitlines()[-1] == "It has no reviews, so nothing is predicted."


def test_similar_items_are_named_the_most_alike_first(artifacts):
    output = json.loads(run_ok("similar", "matrix", "--json", *artifacts))
    assert output["title"] == "Matrix, The (1999)"
    assert output["similar"][0]["title"] == "Matrix Reloaded, The (2003)"
    cosines = [item["cosine"] for item in output["similar"]]
    assert cosines == sorted(cosines, reverse=True)
    lines = run_ok("similar", "matrix", "--top", "2", *artifacts).splitlines()
    assert lines[0].strip() == "Matrix, The (1999)"
    assert len(lines) == 5
    assert "Matrix Reloaded, The (2003)" in lines[3]


def test_items_with_few_ratings_are_not_named(artifacts):
    output = json.loads(run_ok("similar", "matrix", "--min-ratings", "66", "--json", *artifacts))
    assert {item["title"] for item in output["similar"]} == {
        "Cité des enfants perdus, La (City of Lost Children, The) (1995)",
        *("Sabrina (1954)", "Sabrina (1995)"),
    }


@pytest.mark.parametrize("command", ["explain", "similar"])
def test_an_ambiguous_or_unknown_title_is_an_error(command, artifacts):
    assert run_error(command, "sabrina", *artifacts).startswith(
        "latentflix: several items have this name; found: sabrina"
    )
    assert run_error(command, "nothing", *artifacts).startswith("latentflix: no item has this name; found: nothing")


def test_an_altered_artifact_is_an_error(tmp_path):
    store = write_run(Store(tmp_path))
    path = store.path(choose_run(store).handle("names")) / "names.json"
    path.write_text(path.read_text().replace("war", "raw"))
    error = run_error("explain", "matrix", "--artifacts-dir", tmp_path)
    assert error.startswith(f"latentflix: a file of an artifact was altered by hand; where: {path}")
