import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from latentflix.artifacts import Store
from latentflix.errors import ArtifactError
from latentflix.sentiment.model import BOTH
from latentflix.sentiment.predictor import SentimentFilePredictor
from tests.sentiment.test_model import AWKWARD, BAD, GOOD
from tests.support.factories.sentiment import save, small_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    save(small_model(BOTH).model, Store(folder), "one")
    return folder


@pytest.fixture(scope="module")
def teller(folder):
    return SentimentFilePredictor.open(folder)


def test_each_text_gets_a_label_and_a_probability_or_a_note(teller):
    told = teller.tell([GOOD, None, BAD, b"\xff"])
    assert told["label"].tolist()[::2] == ["positive", "negative"]
    assert told["label"].isna().tolist() == [False, True, False, True]
    assert told["probability"].isna().tolist() == [False, True, False, True]
    assert told["note"].tolist() == ["", "no text", "", "not UTF-8"]
    assert told["probability"].dtype == np.float32


def test_a_copied_model_says_the_same_in_another_process(teller, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    program = (
        "import json, sys; from pathlib import Path; from latentflix.sentiment.predictor import SentimentFilePredictor; "
        "teller = SentimentFilePredictor.open(Path(sys.argv[1])); "
        "print(json.dumps(teller.tell(json.loads(sys.argv[2]))['probability'].tolist())); "
    )
    texts = [GOOD, BAD, AWKWARD["html"]]
    arguments = [sys.executable, "-c", program, str(tmp_path / "copy"), json.dumps(texts)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[0]) == pytest.approx(
        teller.tell(texts)["probability"].tolist(), abs=1e-6
    )


def test_no_file_of_a_kept_model_is_a_pickle(folder):
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".safetensors", ".json"}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_goes_from_file_to_file_whatever_the_texts(teller, tmp_path, form):
    texts = [GOOD, "", *(text for name, text in AWKWARD.items() if "surrogate" not in name), BAD]
    table = pd.DataFrame({"review": texts, "stars": range(len(texts))})
    source, target = tmp_path / f"in.{form}", tmp_path / f"out.{form}"
    table.to_csv(source, index=False) if form == "csv" else table.to_parquet(source, index=False)
    assert teller.tell_file(source, target, "review", batch_rows=3) == len(texts)
    told = pd.read_csv(target) if form == "csv" else pd.read_parquet(target)
    assert list(told) == ["review", "stars", "label", "probability", "note"]
    assert told["stars"].tolist() == list(range(len(texts)))
    alone = teller.tell(texts)
    np.testing.assert_allclose(told["probability"], alone["probability"], atol=1e-5)
    assert told["probability"].isna().tolist() == [text == "" for text in texts]
    assert told["note"][1] == "no text"


def test_a_table_with_a_text_that_is_not_utf_8_gets_a_note_in_its_row(teller, tmp_path):
    raw = b"".join(part for part in (GOOD.encode(), b"\xff\xfe", BAD.encode()))
    ends = np.cumsum([0, len(GOOD), 2, len(BAD)]).astype(np.int32)
    column = pa.StringArray.from_buffers(3, pa.py_buffer(ends), pa.py_buffer(raw))
    pq.write_table(pa.table({"text": column}), tmp_path / "in.parquet")
    teller.tell_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    told = pq.read_table(tmp_path / "out.parquet", columns=["label", "probability", "note"])
    assert told["label"].to_pylist() == ["positive", None, "negative"]
    assert told["probability"].null_count == 1
    assert told["note"].to_pylist() == ["", "not UTF-8", ""]


@pytest.mark.parametrize("length", [0, 100, -100])
def test_a_file_cut_short_is_refused(folder, tmp_path, length):
    shutil.copytree(folder, tmp_path / "cut")
    path = next(tmp_path.glob("cut/sentiment/*/model.safetensors"))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ArtifactError, match="altered by hand; where: .*model.safetensors"):
        SentimentFilePredictor.open(tmp_path / "cut")


def test_without_a_model_one_line_says_how_to_make_one(tmp_path):
    with pytest.raises(ArtifactError, match="no model of sentiment.*run python -m flows.sentiment"):
        SentimentFilePredictor.open(tmp_path)
