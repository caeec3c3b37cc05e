import errno
import hashlib
import io
import os
import pickle
import zipfile
from dataclasses import replace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch

from latentflix.artifacts import Store
from latentflix.data.download import FASTAI_CHECK
from latentflix.errors import DataError
from latentflix.text import pretrained
from latentflix.text.cleaning import text_id
from latentflix.text.language_model import LanguageModelConfig
from latentflix.text.pretrained import WIKITEXT_103, PretrainedConfig, load_wikitext, read_archive
from latentflix.text.token_corpus import TokenCorpusConfig
from tasks import text as tasks
from tests.support.factories.artifacts import put
from tests.support.factories.corpus import SIZES, fastai_model
from tests.support.files import write_tar

VOCABULARY = ["xxunk", "xxpad", "xxbos", "the", "film", "Amélie", "was", "good", "bad", "."]


WEIGHTS = fastai_model(len(VOCABULARY)).state_dict()


def saved(weights):
    file = io.BytesIO()
    torch.save(weights, file)
    return file.getvalue()


def write_archive(path, weights=WEIGHTS, vocabulary=VOCABULARY):
    """Write weights and vocabulary, each as it is if it is bytes, and not at all if it is None."""
    members = {
        "pth": weights if isinstance(weights, bytes | None) else saved(weights),
        "pkl": vocabulary if isinstance(vocabulary, bytes | None) else pickle.dumps(vocabulary),
    }
    return write_tar(path, {name: content for name, content in members.items() if content is not None}, "lstm_fwd.")


@pytest.fixture
def archive(tmp_path):
    return write_archive(tmp_path / "wt103-fwd.tgz")


def known_by(monkeypatch, known_hash, direction="forward"):
    published = WIKITEXT_103[direction]
    source = replace(published.files[0], known_hash=f"{FASTAI_CHECK}:{known_hash}")
    monkeypatch.setitem(pretrained.WIKITEXT_103, direction, replace(published, files=(source,)))


def fastai_check(content):
    return f"{len(content)}-{hashlib.md5(content[: 2**20]).hexdigest()}"


def test_an_archive_is_read_as_it_was_written(archive):
    model = read_archive(archive)
    assert model.vocabulary == VOCABULARY
    assert list(model.weights) == list(WEIGHTS)
    assert all(np.array_equal(model.weights[name], weight.numpy()) for name, weight in WEIGHTS.items())


def test_weights_in_a_model_entry_are_found_and_those_of_half_precision_become_single(tmp_path):
    halves = {name: weight.half() for name, weight in WEIGHTS.items()}
    found = read_archive(write_archive(tmp_path / "a.tgz", {"model": halves})).weights
    assert list(found) == list(WEIGHTS)
    assert {weight.dtype for weight in found.values()} == {np.dtype("float32")}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_vocabulary_of_any_pickle_protocol_is_read(tmp_path, protocol):
    path = write_archive(tmp_path / "a.tgz", vocabulary=pickle.dumps(VOCABULARY, protocol))
    assert read_archive(path).vocabulary == VOCABULARY


def calls(command):
    return f"cos\nsystem\n(S'{command}'\ntR.".encode()


def test_a_vocabulary_that_calls_something_is_refused_uncalled(tmp_path):
    trace = tmp_path / "trace"
    path = write_archive(tmp_path / "a.tgz", vocabulary=calls(f"touch {trace}"))
    with pytest.raises(DataError, match=r"found: os\.system in a vocabulary"):
        read_archive(path)
    assert not trace.exists()
    assert pickle.loads(calls(f"touch {trace}")) == 0  # noqa: S301
    assert trace.exists()


def test_weights_that_call_something_are_refused_uncalled(tmp_path):
    trace = tmp_path / "trace"
    evil = type("Evil", (), {"__reduce__": lambda _: (os.system, (f"touch {trace}",))})()
    with pytest.raises(DataError, match="cannot be read"):
        read_archive(write_archive(tmp_path / "a.tgz", {"0.encoder.weight": evil}))
    assert not trace.exists()


TRUNCATED = [("truncated", share) for share in (0, 0.001, 0.1, 0.5, 0.9, 0.99)]
FLIPPED = [("flipped", share) for share in (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98)]


@pytest.mark.parametrize(("damage", "share"), TRUNCATED + FLIPPED)
def test_a_truncated_archive_and_one_with_a_flipped_bit_are_refused(archive, damage, share):
    content = bytearray(archive.read_bytes())
    place = int(len(content) * share)
    content[place] ^= 4
    archive.write_bytes(content if damage == "flipped" else content[:place])
    with pytest.raises(DataError, match=rf"cannot be read; where: {archive}"):
        read_archive(archive)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"weights": None}, r"found: '\.pth'; expected: one \.pth file"),
        ({"vocabulary": None}, r"found: '\.pkl'; expected: one \.pth file"),
        *(
            ({"vocabulary": words}, r"expected: .*a list of tokens")
            for words in (b"", b"\x00", 7, pickle.dumps(None), "words", [1, 2])
        ),
        *(
            ({"weights": state}, r"expected: one \.pth file of weights")
            for state in ([1, 2], {"0.encoder.weight": "text"}, 7)
        ),
    ],
)
def test_an_archive_without_tensors_by_name_or_a_list_of_strings_is_refused(tmp_path, parts, message):
    with pytest.raises(DataError, match=message):
        read_archive(write_archive(tmp_path / "a.tgz", **parts))


@pytest.mark.parametrize("broken", [b"\x80\x02.", b"\x80\x02K\x01b.", b"garbage"], ids=["empty", "stack", "garbage"])
def test_weights_of_a_broken_pickle_are_refused(tmp_path, broken):
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(WEIGHTS))) as whole, zipfile.ZipFile(file, "w") as copy:
        for name in whole.namelist():
            copy.writestr(name, broken if name.endswith("/data.pkl") else whole.read(name))
    with pytest.raises(DataError, match="the archive of a pretrained language model cannot be read"):
        read_archive(write_archive(tmp_path / "a.tgz", file.getvalue()))


def test_a_file_that_passes_fastais_check_is_loaded(monkeypatch, archive):
    known_by(monkeypatch, fastai_check(archive.read_bytes()))
    assert load_wikitext(PretrainedConfig(data_dir=archive.parent)).vocabulary == VOCABULARY


@pytest.mark.parametrize(
    "change", [lambda content: content + b"\0", lambda content: content[:10] + b"\0" + content[11:]]
)
def test_a_file_that_fails_fastais_check_is_refused(monkeypatch, archive, change):
    content = archive.read_bytes()
    known_by(monkeypatch, fastai_check(content))
    archive.write_bytes(change(content))
    found, expected = (f"fastai {fastai_check(each)}" for each in (change(content), content))
    with pytest.raises(DataError, match=f"{archive}.*found: {found}.*expected: {expected}"):
        load_wikitext(PretrainedConfig(data_dir=archive.parent))


def test_fastais_check_covers_only_the_size_and_the_first_mebibyte(monkeypatch, tmp_path):
    content = bytes(range(256)) * 8192
    known_by(monkeypatch, fastai_check(content))
    (tmp_path / "wt103-fwd.tgz").write_bytes(content[:-1] + b"\0")
    with pytest.raises(DataError, match="the archive of a pretrained language model cannot be read"):
        load_wikitext(PretrainedConfig(data_dir=tmp_path))


@pytest.mark.parametrize(
    ("direction", "name", "check"),
    [
        ("forward", "wt103-fwd.tgz", "105067061-7d1114cd9684bf9d1ca3c9f6a54da6f9"),
        ("backward", "wt103-bwd.tgz", "105205312-20b06f5830fd5a891d21044c28d3097f"),
    ],
)
def test_the_published_models_are_pinned(direction, name, check):
    (source,) = WIKITEXT_103[direction].files
    assert source.known_hash == f"fastai:{check}"
    assert source.url == f"https://s3.amazonaws.com/fast-ai-modelzoo/{name}"


def test_a_direction_is_read_from_its_own_archive(monkeypatch, tmp_path):
    for direction, name, words in (("forward", "fwd", VOCABULARY), ("backward", "bwd", VOCABULARY[::-1])):
        path = write_archive(tmp_path / f"wt103-{name}.tgz", vocabulary=words)
        known_by(monkeypatch, fastai_check(path.read_bytes()), direction)
    found = [
        load_wikitext(PretrainedConfig(direction=direction, data_dir=tmp_path)).vocabulary
        for direction in ("forward", "backward")
    ]
    assert found == [VOCABULARY, VOCABULARY[::-1]]


def test_a_language_model_starts_from_the_weights_that_the_stage_stored(monkeypatch, archive, tmp_path):
    known_by(monkeypatch, fastai_check(archive.read_bytes()))
    store = Store(tmp_path / "artifacts")
    fetched = tasks.fetch_pretrained.run(store, {}, PretrainedConfig(data_dir=archive.parent))
    assert store.read_json(fetched, "vocabulary") == VOCABULARY

    texts = pd.DataFrame({"text": [f"the film was good . the film was bad {number}" for number in range(40)]})
    unread = pd.DataFrame({"text_id": [text_id(texts["text"][0])]})
    corpus = put(store, "datasets", "k", tables={"reviews": texts})
    reviews = put(store, "reviews", "k", tables={"unread": unread})
    tokens = tasks.tokenize.run(store, {"reviews": (corpus,)}, TokenCorpusConfig())
    config = LanguageModelConfig(
        pretrained=True,
        embedding_size=SIZES["emb_sz"],
        hidden_size=SIZES["n_hid"],
        n_layers=SIZES["n_layers"],
        vocabulary_size=100,
        rate_steps=0,
        learning_rate=1e-12,
        weight_decay=0,
    )
    inputs = {"token_corpus": (tokens,), "held_out": (reviews,), "pretrained": (fetched,)}
    trained = tasks.train.run(store, inputs, config)
    found, before = store.read_arrays(trained, "weights"), read_archive(archive).weights
    film, before_film = store.read_json(trained, "vocabulary").index("film"), VOCABULARY.index("film")
    name = "0.encoder.weight"
    assert found[name][film] == pytest.approx(before[name][before_film], abs=1e-6)
    assert found["0.rnns.1.weight_hh_l0_raw"] == pytest.approx(before["0.rnns.1.weight_hh_l0_raw"], abs=1e-6)


def test_an_archive_that_may_not_be_read_need_not_be_downloaded_again(archive, monkeypatch):
    refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr(pretrained.tarfile, "open", mock.Mock(side_effect=refused))
    with pytest.raises(DataError, match="Permission denied.*; what to do: give yourself the right to read"):
        read_archive(archive)
