import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from latentflix.artifacts import Store
from latentflix.errors import ArtifactError, DataError
from latentflix.factors.predictor import LabelPredictor
from latentflix.runs import choose_run
from latentflix.text.cleaning import NO_TEXT, NOT_UTF8, UNKNOWN_WORDS
from tests.support.factories.run import LABELS, LOGITS, NAMES, TEXT, write_run

# Of the two classifiers that hold items out, not of the one that has read all.
EXPECTED = expit(np.array([LOGITS["0"], LOGITS["1"]])).mean(0)


@pytest.fixture(scope="module")
def teller(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("artifacts"))
    write_run(store)
    return LabelPredictor.read(store, choose_run(store))


def test_the_mean_of_the_classifiers_of_all_folds_counts(teller):
    told = teller.tell([TEXT, "The machine."])
    np.testing.assert_allclose(told[LABELS], [EXPECTED, EXPECTED], rtol=1e-5)
    assert len(teller.networks) == 2
    assert told[LABELS].dtypes.tolist() == [np.float32, np.float32]


def test_labels_are_given_that_reach_their_thresholds(teller):
    assert EXPECTED[0] > 0.5 > 0.4 > EXPECTED[1]
    assert teller.tell([TEXT])["labels"].tolist() == ["1+"]


def test_a_label_is_told_with_name_threshold_and_how_far_it_can_be_told(teller):
    first, second = teller.describe(teller.tell([TEXT]).iloc[0])
    assert first == {
        "label": "1+",
        "name": NAMES["1+"],
        "probability": pytest.approx(EXPECTED[0], abs=1e-5),
        "threshold": 0.5,
        "given": True,
        "auc": 0.7,
        "auc_p": 0.01,
    }
    assert (second["label"], second["given"]) == ("1-", False)


def test_what_cannot_be_read_has_a_note_and_costs_no_other(teller):
    told = teller.tell(["", TEXT, None, b"caf\xe9", " \n", "Qwerty asdf yxcv " * 3])
    assert told["note"].tolist() == [NO_TEXT, "", NO_TEXT, NOT_UTF8, NO_TEXT, UNKNOWN_WORDS]
    assert told["1+"].isna().tolist() == [True, False, True, True, True, False]
    assert told["labels"].tolist() == ["", "1+", "", "", "", "1+"]
    assert teller.describe(told.iloc[0]) == []


@pytest.mark.parametrize("text", ["x" * 2**20, f"{TEXT} " * 30_000, f"nul \x00 {TEXT}", "🎬 これは映画", "\ud83d half"])
def test_any_text_is_told(teller, text):
    told = teller.tell([text])
    np.testing.assert_allclose(told[LABELS].to_numpy()[0], EXPECTED, rtol=1e-5)


def test_no_text_has_the_columns_of_any(teller):
    assert teller.tell([]).dtypes.equals(teller.tell([TEXT]).dtypes)


def test_a_table_goes_from_parquet_to_parquet_some_rows_at_a_time(teller, tmp_path):
    table = pd.DataFrame({"text": [TEXT, None, TEXT] * 5, "year": range(15)})
    table.to_parquet(tmp_path / "in.parquet")
    assert teller.tell_file(tmp_path / "in.parquet", tmp_path / "out.parquet", batch_rows=4) == 15
    told = pd.read_parquet(tmp_path / "out.parquet")
    assert list(told.columns) == ["text", "year", "1+", "1-", "labels", "note"]
    assert told["year"].tolist() == list(range(15))
    assert told["note"].tolist() == ["", NO_TEXT, ""] * 5
    np.testing.assert_allclose(told.loc[told["note"] == "", "1-"], EXPECTED[1], rtol=1e-5)


def test_a_table_without_texts_is_refused_and_nothing_is_written(teller, tmp_path):
    pd.DataFrame({"year": [1]}).to_parquet(tmp_path / "in.parquet")
    with pytest.raises(DataError, match="a table has no such column; where: .*in.parquet: text; found: year"):
        teller.tell_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_a_run_without_thresholds_is_told(tmp_path):
    store = Store(tmp_path)
    write_run(store)
    run = choose_run(store)
    del run.handles["comparison"]
    with pytest.raises(ArtifactError, match="the run made no encoders.*start it again with latentflix run"):
        LabelPredictor.read(store, run)


def test_classifiers_of_another_version_are_told(tmp_path):
    store = Store(tmp_path)
    write_run(store)
    run = choose_run(store)
    path = store.path(run.handle("classifier")) / "manifest.json"
    path.write_text(path.read_text().replace('"n_folds"', '"folds"'))
    with pytest.raises(ArtifactError, match="trained by another version of .*the setting folds: Extra"):
        LabelPredictor.read(store, run)
