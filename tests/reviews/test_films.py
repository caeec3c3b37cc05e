import time

import pandas as pd
import pytest

from latentflix.artifacts import Handle, Store
from latentflix.config import StageConfig
from latentflix.reviews.refresh import films_by_id, films_in_report, films_with_imdb_id
from latentflix.reviews.sources.protocol import Film
from latentflix.runs import find_last_run

FILMS = pd.DataFrame(
    {
        "title": ["Toy Story (1995)", "Postino, Il (1994)", "unknown", "Emma (1996)"],
        "tconst": ["tt0114709", "tt0110877", None, "tt0116191"],
    },
    index=pd.Index([1, 14, 267, 258], name="item_id"),
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def write(store, stage, key, inputs=(), **tables):
    handle = Handle(stage=stage, key=key)
    with store.new(handle, inputs, StageConfig()) as artifact:
        for name, table in tables.items():
            artifact.write_table(name, table)
    return handle


def write_run(store, key, films, shown):
    ratings = write(store, "ratings", key, films=films)
    histograms = write(store, "histograms", key, shares=pd.DataFrame({"item_id": shown, "label": "1+"}))
    return write(store, "report", key, (ratings, histograms))


def test_films_have_their_name_and_year():
    assert films_with_imdb_id(FILMS) == [
        Film("Toy Story", 1995, "tt0114709"),
        Film("Il Postino", 1994, "tt0110877"),
        Film("Emma", 1996, "tt0116191"),
    ]


def test_films_of_a_source_without_imdb_ids_cannot_be_asked_about():
    assert films_with_imdb_id(FILMS[["title"]]) == []


def test_a_list_of_ids_is_taken_as_it_is():
    assert films_by_id(FILMS, ["tt0116191", "tt9999999"]) == [
        Film("Emma", 1996, "tt0116191"),
        Film("", None, "tt9999999"),
    ]


def test_the_last_run_is_that_of_the_newest_report(store):
    write_run(store, "b", FILMS, [1])
    time.sleep(1.1)
    write_run(store, "a", FILMS, [14, 267])
    run = find_last_run(store)
    assert run.handles == {
        "ratings": Handle(stage="ratings", key="a"),
        "histograms": Handle(stage="histograms", key="a"),
    }
    assert films_in_report(store, run) == [Film("Il Postino", 1994, "tt0110877")]
