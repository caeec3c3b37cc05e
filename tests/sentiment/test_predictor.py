import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from latentflix.artifacts import Store
from latentflix.data.tables import read_file, write_file
from latentflix.errors import ArtifactError, ModelError
from latentflix.sentiment.classifier import CLASSIFIER
from latentflix.sentiment.model import COMBINED
from latentflix.sentiment.predictor import SentimentPredictor
from latentflix.sentiment.tfidf import TFIDF
from latentflix.text.cleaning import NO_TEXT, NOT_UTF8, UNKNOWN_WORDS
from tests.support.factories.sentiment import AWKWARD, BAD, GOOD, save, small_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    save(small_model(COMBINED), Store(folder))
    return folder


@pytest.fixture(scope="module")
def predictor(folder):
    return SentimentPredictor.load(folder)


@pytest.mark.parametrize("name", [CLASSIFIER, TFIDF, COMBINED])
@pytest.mark.parametrize("backward", [False, True])
def test_texts_have_the_predictions_of_the_stages(name, backward):
    small = small_model(name, backward)
    # The reviews of valid were predicted by words that were fitted without them.
    expected = small.chosen.probabilities.loc[lambda table: small.reviews.loc[table.index, "part"] == "test", name]
    table = SentimentPredictor.build(small.model).predict(list(small.reviews.loc[expected.index, "text"]))
    np.testing.assert_allclose(table["probability"], expected, atol=1e-4)
    assert set(table["note"]) == {""}


def test_each_text_gets_a_label_and_a_probability_or_a_note(predictor):
    texts = [GOOD, None, BAD, b"\xff", "", " \n\t"]
    table = predictor.predict(texts)
    assert table["label"].tolist()[:3:2] == ["positive", "negative"]
    unreadable = [False, True, False, True, True, True]
    assert table["label"].isna().tolist() == table["probability"].isna().tolist() == unreadable
    assert table["note"].tolist() == ["", NO_TEXT, "", NOT_UTF8, NO_TEXT, NO_TEXT]
    assert table["probability"].dtype == np.float32
    np.testing.assert_allclose(table["probability"][[0, 2]], predictor.predict([GOOD, BAD])["probability"], atol=1e-5)


def test_predictions_are_in_the_order_of_the_texts_of_which_there_may_be_none(predictor):
    random = np.random.default_rng(0)
    texts = [" ".join(f"word{number}" for number in random.integers(0, 200, length)) for length in range(1, 90)]
    shuffled = random.permutation(len(texts))
    table = predictor.predict(texts)
    again = predictor.predict([texts[row] for row in shuffled])["probability"]
    np.testing.assert_allclose(again, table["probability"][shuffled], atol=1e-5)
    assert table["probability"].round(4).nunique() > 20
    pd.testing.assert_frame_equal(predictor.predict([]), table.head(0))


@pytest.mark.parametrize("name", list(AWKWARD))
def test_an_awkward_text_is_predicted_and_does_not_change_others(predictor, name):
    plain = predictor.predict([GOOD, BAD])["probability"]
    table = predictor.predict([GOOD, AWKWARD[name], BAD])
    np.testing.assert_allclose(table["probability"][[0, 2]], plain, atol=1e-5)
    assert plain[0] > 0.5 > plain[1]
    assert 0 <= table["probability"][1] <= 1
    assert table["note"][0] == table["note"][2] == ""
    if GOOD in AWKWARD[name] or name == "one word":
        assert table["probability"][1] > 0.5
    if name == "another language":
        assert table["note"][1] == UNKNOWN_WORDS


def test_weights_of_another_vocabulary_or_size_are_refused():
    model = small_model(COMBINED).model
    with pytest.raises(ModelError, match="weights do not fit the model; where: 0.module.encoder.weight"):
        SentimentPredictor.build(replace(model, vocabulary=[*model.vocabulary, "more"]))
    layer = "0.module.rnns.0.weight_hh_l0_raw"
    weights = model.classifiers[CLASSIFIER]
    narrow = {CLASSIFIER: {**weights, layer: weights[layer][:, :-1]}}
    with pytest.raises(ModelError, match="weights do not fit the model; where: 0.module.rnns.0"):
        SentimentPredictor.build(replace(model, classifiers=narrow))


def test_a_copied_model_predicts_the_same_in_another_process(predictor, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    # None is a pickle; locks are empty.
    files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    assert {path.suffix for path in files} == {
        ".safetensors",
        ".json",
        ".parquet",
    }
    program = (
        "import json, sys; from pathlib import Path; from latentflix.sentiment.predictor import SentimentPredictor; "
        "predictor = SentimentPredictor.load(Path(sys.argv[1])); "
        "print(json.dumps(predictor.predict(json.loads(sys.argv[2]))['probability'].tolist())); "
    )
    texts = [GOOD, BAD, AWKWARD["html"]]
    arguments = [sys.executable, "-c", program, str(tmp_path / "copy"), json.dumps(texts)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    expected = predictor.predict(texts)["probability"].tolist()
    assert json.loads(done.stdout.splitlines()[0]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_of_any_texts_gets_columns_of_predictions(predictor, tmp_path, form):
    texts = [GOOD, "", *(text for name, text in AWKWARD.items() if "surrogate" not in name), BAD]
    table = pd.DataFrame({"review": texts, "stars": range(len(texts))})
    source, target = tmp_path / f"in.{form}", tmp_path / f"out.{form}"
    write_file(table, source)
    assert predictor.predict_file(source, target, "review", batch_rows=3) == len(texts)
    found = read_file(target)
    assert list(found) == ["review", "stars", "label", "probability", "note"]
    assert found["stars"].tolist() == list(range(len(texts)))
    np.testing.assert_allclose(found["probability"], predictor.predict(texts)["probability"], atol=1e-5)
    assert found["probability"].isna().tolist() == [text == "" for text in texts]
    assert found["note"][1] == "no text"


def test_a_text_in_a_file_that_is_not_utf_8_gets_a_note_in_its_row(predictor, tmp_path):
    raw = b"".join(part for part in (GOOD.encode(), b"\xff\xfe", BAD.encode()))
    ends = np.cumsum([0, len(GOOD), 2, len(BAD)]).astype(np.int32)
    column = pa.StringArray.from_buffers(3, pa.py_buffer(ends), pa.py_buffer(raw))
    pq.write_table(pa.table({"text": column}), tmp_path / "in.parquet")
    predictor.predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet", columns=["label", "probability", "note"])
    assert found["label"].to_pylist() == ["positive", None, "negative"]
    assert found["probability"].null_count == 1
    assert found["note"].to_pylist() == ["", "not UTF-8", ""]


@pytest.mark.parametrize("length", [0, 100, -100])
def test_a_missing_model_and_a_truncated_file_are_refused(folder, tmp_path, length):
    with pytest.raises(ArtifactError, match="no model of sentiment.*run python -m flows.sentiment"):
        SentimentPredictor.load(tmp_path)
    shutil.copytree(folder, tmp_path / "cut")
    path = next(tmp_path.glob("cut/sentiment/*/model_classifiers_classifier.safetensors"))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ArtifactError, match="altered by hand; where: .*model_classifiers_classifier.safetensors"):
        SentimentPredictor.load(tmp_path / "cut")
