import pandas as pd
import pytest

import latentflix.genres.predictor
from latentflix.artifacts import Handle, Store
from latentflix.config import StageConfig
from latentflix.errors import ArtifactError, DataError
from latentflix.genres.model import train_genres
from latentflix.genres.predictor import GenrePredictor
from tests.support.factories.genres import QUICK, WORDS, WordEncoder, embed, prepare


def save(model, store, key, made_at=None):
    handle = Handle(stage="genres", key=key)
    with store.new(handle, [], StageConfig()) as artifact:
        artifact.write_arrays("model", model.arrays())
        artifact.write_json("model", model.names())
    if made_at:
        manifest = store.manifest(handle).model_copy(update={"made_at": made_at})
        (store.path(handle) / "manifest.json").write_text(manifest.model_dump_json())


@pytest.fixture(scope="module")
def model():
    prepared = prepare()
    return train_genres(prepared.plots, prepared.carried, [embed(prepared.plots["plot"])], QUICK).model


@pytest.fixture
def teller(model, tmp_path, monkeypatch):
    monkeypatch.setattr(latentflix.genres.predictor, "load_encoder", lambda _: WordEncoder())
    save(model, Store(tmp_path), "one")
    return GenrePredictor.open(tmp_path)


@pytest.mark.parametrize("genre", list(WORDS))
def test_probabilities_come_by_name_the_most_probable_first(teller, genre):
    told = teller.tell(f"word1 word2 {WORDS[genre]}")
    assert next(iter(told)) == genre
    assert list(told.values()) == sorted(told.values(), reverse=True)
    assert set(told) == set(WORDS)
    assert genre in teller.given(told)


def test_a_table_keeps_its_rows_and_columns_and_says_which_have_no_plot(teller):
    table = pd.DataFrame({"film": ["a", "b", "c"], "story": [WORDS["Comedy"], None, " "]}, index=[5, 6, 7])
    told = teller.tell_table(table, "story")
    pd.testing.assert_frame_equal(told[["film", "story"]], table)
    assert told["note"].tolist() == ["", "no plot", "no plot"]
    assert told.loc[5, list(WORDS)].to_dict() == pytest.approx(teller.tell(WORDS["Comedy"]))
    assert told.loc[[6, 7], list(WORDS)].isna().all(axis=None)


def test_an_empty_table_gets_the_columns(teller):
    assert list(teller.tell_table(pd.DataFrame({"plot": []}))) == ["plot", *teller.model.genres, "note"]


def test_an_empty_plot_is_refused(teller):
    with pytest.raises(DataError, match="a plot is empty"):
        teller.tell(" \n")


def test_a_table_that_would_lose_a_column_is_refused(teller):
    with pytest.raises(DataError, match="found: Comedy, note"):
        teller.tell_table(pd.DataFrame({"plot": ["x"], "Comedy": [1], "note": [2]}))
    with pytest.raises(DataError, match="no column of plots; found: film; expected: plot"):
        teller.tell_table(pd.DataFrame({"film": ["x"]}))


def test_without_a_model_one_line_says_how_to_make_one(tmp_path):
    with pytest.raises(ArtifactError, match="no model of genres.*what to do: run python -m flows.genres"):
        GenrePredictor.open(tmp_path)


def test_an_altered_model_is_refused(model, teller, tmp_path):
    (tmp_path / "genres" / "one" / "model.json").write_text("{}")
    with pytest.raises(ArtifactError, match="altered"):
        GenrePredictor.open(tmp_path)
