import pandas as pd
import pytest

import latentflix.genres.predictor
from latentflix.artifacts import Store
from latentflix.errors import ArtifactError, DataError
from latentflix.genres.predictor import GenrePredictor
from tests.support.factories.genres import WORDS, WordEncoder, save, train_small


@pytest.fixture
def predictor(tmp_path, monkeypatch):
    monkeypatch.setattr(latentflix.genres.predictor, "load_encoder", lambda _: WordEncoder())
    save(train_small().model, Store(tmp_path))
    return GenrePredictor.load(tmp_path)


@pytest.mark.parametrize("genre", list(WORDS))
def test_probabilities_come_by_name_the_most_probable_first(predictor, genre):
    probabilities = predictor.predict(f"word1 word2 {WORDS[genre]}")
    assert next(iter(probabilities)) == genre
    assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
    assert set(probabilities) == set(WORDS)
    assert genre in predictor.above_threshold(probabilities)


def test_a_table_keeps_its_rows_and_columns_and_gets_notes_on_missing_plots(predictor, tmp_path):
    table = pd.DataFrame({"film": ["a", "b", "c"], "story": [WORDS["Comedy"], None, " "]}, index=[5, 6, 7])
    table.to_parquet(tmp_path / "in.parquet")
    assert predictor.predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", "story") == 3
    predicted = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(predicted[["film", "story"]], table)
    assert predicted["note"].tolist() == ["", "no text", "no text"]
    assert predicted.loc[5, list(WORDS)].to_dict() == pytest.approx(predictor.predict(WORDS["Comedy"]))
    assert predicted.loc[[6, 7], list(WORDS)].isna().all(axis=None)
    (tmp_path / "in.csv").write_text("plot\n")
    assert predictor.predict_file(tmp_path / "in.csv", tmp_path / "out.parquet") == 0
    assert list(pd.read_parquet(tmp_path / "out.parquet")) == ["plot", *predictor.model.genres, "note"]


def test_an_empty_plot_and_a_table_that_would_lose_a_column_are_refused(predictor, tmp_path):
    with pytest.raises(DataError, match="a plot is empty"):
        predictor.predict(" \n")
    (tmp_path / "in.csv").write_text("plot,Comedy,note\nx,1,2\n")
    with pytest.raises(DataError, match="found: Comedy, note"):
        predictor.predict_file(tmp_path / "in.csv", tmp_path / "out.csv")
    with pytest.raises(DataError, match="no such column; where: .*: story; found: plot, Comedy, note"):
        predictor.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", "story")


def test_without_a_model_the_error_says_how_to_train_one_and_an_altered_one_is_refused(predictor, tmp_path):
    (tmp_path / "genres" / "one" / "model_genres.json").write_text("{}")
    with pytest.raises(ArtifactError, match="altered"):
        GenrePredictor.load(tmp_path)
    with pytest.raises(ArtifactError, match="no model of genres.*what to do: run python -m flows.genres"):
        GenrePredictor.load(tmp_path / "none")
