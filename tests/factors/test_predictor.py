import numpy as np
import pandas as pd
import pytest

from latentflix.artifacts import Store
from latentflix.errors import ArtifactError
from latentflix.factors.predictor import PositionPredictor
from latentflix.factors.reader_model import NO_FACTOR_WORD
from latentflix.runs import choose_run
from latentflix.text.cleaning import NO_TEXT, NOT_UTF8, UNKNOWN_WORDS
from tests.support.factories.run import NAMES, READER, TEXT, write_run


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("artifacts"))
    write_run(store)
    return store


@pytest.fixture(scope="module")
def predictor(store):
    return PositionPredictor.load(store, choose_run(store))


def test_positions_come_with_the_pole_that_the_text_speaks_of_most(predictor):
    table = predictor.predict([TEXT, "Love."])
    np.testing.assert_allclose(table[["1", "2"]], [[2, -2], [-2, 0]], atol=1e-6)
    assert table["strongest"].tolist() == ["1+", "1-"]
    assert table[["1", "2"]].dtypes.tolist() == [np.float32, np.float32]
    assert predictor.predict([]).dtypes.equals(table.dtypes)


def test_a_factor_that_holds_comes_before_one_that_is_further_out(predictor):
    row = predictor.predict(["at war, at war, with love"]).iloc[0]
    described = predictor.describe("at war, at war, with love", row)
    assert [each["label"] for each in described] == ["1+", "2-"]
    assert described[0] == {
        "axis": "1",
        "label": "1+",
        "name": NAMES["1+"],
        "holds": True,
        "rho": 0.47,
        "words": ["war"],
        "position": pytest.approx(row["1"]),
        "expected": pytest.approx(row["1"] * 0.5),
    }
    assert abs(described[1]["position"]) > abs(described[0]["position"])
    assert (described[1]["name"], described[1]["words"]) == ("", ["at war"])


def test_among_those_that_hold_the_expected_position_counts_and_not_how_rare_the_text_is():
    axes = pd.DataFrame({"rho": np.nan, "holds": False}, index=["1", "2"])
    predictor = PositionPredictor(READER, axes, {})
    row = predictor.predict([TEXT]).iloc[0]
    assert abs(row["1"]) == pytest.approx(abs(row["2"]))
    assert [each["label"] for each in predictor.describe(TEXT, row)] == ["1+", "2-"]


def test_a_text_that_cannot_be_read_gets_a_note_and_no_positions(predictor):
    texts = ["", TEXT, None, b"caf\xe9", " \n", "Quel film magnifique", "The, with!"]
    table = predictor.predict(texts)
    assert table["note"].tolist() == [NO_TEXT, "", NO_TEXT, NOT_UTF8, NO_TEXT, UNKNOWN_WORDS, NO_FACTOR_WORD]
    assert table["1"].isna().tolist() == [True, False, True, True, True, True, True]
    assert table["strongest"].tolist() == ["", "1+", "", "", "", "", ""]
    assert predictor.describe(None, table.iloc[2]) == []


@pytest.mark.parametrize("text", [f"{TEXT} " * 3000, f"nul \x00 {TEXT}", f"<b>{TEXT}</b>", f"\ud83d {TEXT}"])
def test_any_text_is_predicted(predictor, text):
    row = predictor.predict([text]).iloc[0]
    assert (row["note"], row["strongest"]) == ("", "1+")
    assert predictor.describe(text, row)[0]["words"] == ["machine", "war"]


def test_a_table_goes_from_csv_to_csv_with_a_column_for_each_axis(predictor, tmp_path):
    pd.DataFrame({"text": [TEXT, "", "love"] * 5, "year": range(15)}).to_csv(tmp_path / "in.csv", index=False)
    assert predictor.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", batch_rows=4) == 15
    table = pd.read_csv(tmp_path / "out.csv")
    assert list(table.columns) == ["text", "year", "1", "2", "strongest", "note"]
    assert table["strongest"].tolist()[::3] == ["1+"] * 5
    assert table["note"].tolist()[1::3] == [NO_TEXT] * 5


def test_a_run_without_a_reader_is_refused_and_one_without_verdicts_is_not(store, monkeypatch):
    run = choose_run(store)
    handles = dict(run.handles)
    del handles["reader"]
    with pytest.raises(ArtifactError, match="the run made no reader.*start it again with latentflix run"):
        PositionPredictor.load(store, type(run)(run.key, run.made_at, handles, run.figures, run.config))
    scores = pd.DataFrame({"correlation": [0.3, 0.2]}, index=["1", "2"])
    monkeypatch.setattr(Store, "read_table", lambda *_: scores)
    axes = PositionPredictor.load(store, run).axes
    assert axes["holds"].tolist() == [False, False]
    assert axes["rho"].isna().all()
