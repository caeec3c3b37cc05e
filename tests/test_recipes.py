"""The recipes of docs/any_recommender.md, each run as it stands there, on books made from planted topics."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentflix
from tests.support.planted_books import make_books

TEXT = (Path(__file__).parents[1] / "docs" / "any_recommender.md").read_text(encoding="utf-8")
RECIPES = {
    name: re.findall(r"```python\n(.*?)```", part, re.DOTALL)[0]
    for name, part in re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", TEXT, re.DOTALL | re.MULTILINE)
}
# The package that must be installed for a recipe to run.
PACKAGES = {"implicit": "implicit", "Surprise": "surprise", "LensKit": "lenskit", "gensim": "gensim"}
# These learn what was planted from so few sales. The others learn too slowly, learn nothing, or write files.
TRAINED = ("implicit", "fastai")
BOOKS = make_books()


def test_there_is_a_recipe_for_each_library():
    assert set(RECIPES) == {"implicit", "Surprise", "LensKit", "fastai", "A torch embedding", "gensim"}
    assert all(len(recipe.strip().splitlines()) <= 12 for recipe in RECIPES.values())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_and_finds_what_was_planted(name, tmp_path, monkeypatch):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    monkeypatch.chdir(tmp_path)
    found = []

    def explain(*tables):
        quick = {
            "factors": {"n_axes": 3, "n_rotations": 20, "stable_from": 0.0},
            "readers": {"n_repeats": 1, "permutations": 99},
        }
        found.append(latentflix.explain(*tables, settings=quick))
        return found[-1]

    tables = {"ratings": BOOKS.ratings, "sales": BOOKS.sales, "texts": BOOKS.texts, "items": BOOKS.books}
    library = type("latentflix", (), {"explain": staticmethod(explain)})
    exec(RECIPES[name], {**tables, "pd": pd, "np": np, "latentflix": library})  # noqa: S102
    assert list(tmp_path.iterdir())
    if name in TRAINED:
        assert found[0].factors["holds"].any()
