from types import SimpleNamespace

import pandas as pd

from latentflix.artifacts import Store
from latentflix.reviews.films import films_by_id, films_in_report, films_with_imdb_id
from latentflix.reviews.sources.protocol import Film
from tests.support.factories.artifacts import put

TOY_STORY, POSTINO, EMMA = (Film(*film) for film in (
    ("Toy Story", 1995, "tt0114709"), ("Il Postino", 1994, "tt0110877"), ("Emma", 1996, "tt0116191"),
))  # fmt: skip
ITEMS = pd.DataFrame({
    "title": ["Toy Story (1995)", "Postino, Il (1994)", "unknown", "Emma (1996)"],
    "tconst": [TOY_STORY.tconst, POSTINO.tconst, None, EMMA.tconst],
}, index=pd.Index([1, 14, 267, 258], name="item_id"))  # fmt: skip


def test_films_with_an_imdb_id_have_title_and_year_and_may_be_chosen_by_it():
    assert films_with_imdb_id(ITEMS) == [TOY_STORY, POSTINO, EMMA]
    assert films_with_imdb_id(ITEMS[["title"]]) == []
    assert films_by_id(ITEMS, ["tt0116191", "tt9999999"]) == [EMMA, Film("", None, "tt9999999")]


def test_the_films_of_a_report_are_those_with_histograms(tmp_path):
    store, shares = Store(tmp_path), pd.DataFrame({"item_id": [14, 267], "label": "1+"})
    tables = {"ratings": {"items": ITEMS}, "histograms": {"shares": shares}}
    run = SimpleNamespace(handles={stage: put(store, stage, "a", tables=given) for stage, given in tables.items()})
    assert films_in_report(store, run) == [POSTINO]
