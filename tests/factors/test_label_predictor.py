import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from latentflix.artifacts import Store
from latentflix.errors import ArtifactError, DataError
from latentflix.factors.label_predictor import LabelPredictor
from latentflix.runs import choose_run
from latentflix.text.cleaning import NO_TEXT, NOT_UTF8, UNKNOWN_WORDS
from tests.support.factories.run import LABELS, LOGITS, NAMES, TEXT, write_run

# Of the two classifiers that hold out items, not of the one trained on a random split.
EXPECTED = expit(np.array([LOGITS["0"], LOGITS["1"]])).mean(0)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    write_run(store)
    return store


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("artifacts"))
    write_run(store)
    return LabelPredictor.load(store, choose_run(store))


def test_the_mean_of_the_classifiers_of_all_folds_counts(predictor):
    table = predictor.predict([TEXT, "The machine."])
    np.testing.assert_allclose(table[LABELS], [EXPECTED, EXPECTED], rtol=1e-5)
    assert len(predictor.networks) == 2
    assert table[LABELS].dtypes.tolist() == [np.float32, np.float32]
    assert predictor.predict([]).dtypes.equals(table.dtypes)


def test_labels_that_reach_their_thresholds_are_predicted_and_described(predictor):
    assert EXPECTED[0] > 0.5 > 0.4 > EXPECTED[1]
    assert predictor.predict([TEXT])["labels"].tolist() == ["1+"]
    first, second = predictor.describe(TEXT, predictor.predict([TEXT]).iloc[0])
    assert first == {
        "label": "1+",
        "name": NAMES["1+"],
        "probability": pytest.approx(EXPECTED[0], abs=1e-5),
        "threshold": 0.5,
        "predicted": True,
        "auc": 0.7,
        "auc_p": 0.01,
    }
    assert (second["label"], second["predicted"]) == ("1-", False)


def test_a_text_that_cannot_be_read_gets_a_note_and_leaves_the_others_as_they_are(predictor):
    table = predictor.predict(["", TEXT, None, b"caf\xe9", " \n", "Qwerty asdf yxcv " * 3])
    assert table["note"].tolist() == [NO_TEXT, "", NO_TEXT, NOT_UTF8, NO_TEXT, UNKNOWN_WORDS]
    assert table["1+"].isna().tolist() == [True, False, True, True, True, False]
    assert table["labels"].tolist() == ["", "1+", "", "", "", "1+"]
    assert predictor.describe("", table.iloc[0]) == []


@pytest.mark.parametrize("text", ["x" * 2**20, f"{TEXT} " * 30_000, f"nul \x00 {TEXT}", "🎬 これは映画", "\ud83d half"])
def test_any_text_is_predicted(predictor, text):
    table = predictor.predict([text])
    np.testing.assert_allclose(table[LABELS].to_numpy()[0], EXPECTED, rtol=1e-5)


def test_a_table_goes_from_parquet_to_parquet_some_rows_at_a_time_if_it_has_texts(predictor, tmp_path):
    pd.DataFrame({"year": [1]}).to_parquet(tmp_path / "in.parquet")
    with pytest.raises(DataError, match="a table has no such column; where: .*in.parquet: text; found: year"):
        predictor.predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
    pd.DataFrame({"text": [TEXT, None, TEXT] * 5, "year": range(15)}).to_parquet(tmp_path / "in.parquet")
    assert predictor.predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", batch_rows=4) == 15
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert list(table.columns) == ["text", "year", "1+", "1-", "labels", "note"]
    assert table["year"].tolist() == list(range(15))
    assert table["note"].tolist() == ["", NO_TEXT, ""] * 5
    np.testing.assert_allclose(table.loc[table["note"] == "", "1-"], EXPECTED[1], rtol=1e-5)


def test_a_run_without_thresholds_or_with_classifiers_of_another_version_is_refused(store):
    run = choose_run(store)
    path = store.path(run.handle("classifier")) / "manifest.json"
    path.write_text(path.read_text().replace('"n_folds"', '"folds"'))
    with pytest.raises(ArtifactError, match="trained by another version of .*the setting folds: Extra"):
        LabelPredictor.load(store, run)
    del run.handles["comparison"]
    with pytest.raises(ArtifactError, match="the run made no comparison.*start it again with latentflix run"):
        LabelPredictor.load(store, run)
