import sys
from unittest import mock

import httpx
import huggingface_hub
import numpy as np
import pytest

from latentflix.artifacts import Handle, Store
from latentflix.errors import DataError, DependencyError
from latentflix.keys import artifact_key
from latentflix.text.cleaning import text_id
from latentflix.text.sentence_embeddings import (
    EmbeddingConfig,
    batches,
    embed_texts,
    embed_unread,
    known_embeddings,
    load_encoder,
    split_passages,
    strategy_configs,
    with_revision,
)
from tests.support.factories.genres import FILLER, WordEncoder, embed

TOKENS = np.arange(100)
LONG = " ".join(FILLER)


def test_chunks_are_equal_and_leave_nothing_out_and_other_strategies_make_one_passage_of_full_length():
    chunks = split_passages(TOKENS, "chunks", 30)
    assert [len(part) for part in chunks] == [25, 25, 25, 25]
    assert np.concatenate(chunks).tolist() == TOKENS.tolist()
    assert split_passages(TOKENS, "head", 31)[0].tolist() == list(range(31))
    assert split_passages(TOKENS, "head_tail", 31)[0].tolist() == [*range(16), *range(85, 100)]
    (sampled,) = split_passages(np.arange(1000), "sampled", 96)
    assert sampled.tolist() == [*range(32), *range(484, 516), *range(968, 1000)]


@pytest.mark.parametrize("strategy", ["head", "head_tail", "sampled", "chunks"])
def test_a_text_that_is_not_too_long_is_read_whole(strategy):
    (passage,) = split_passages(TOKENS, strategy, 100)
    assert passage.tolist() == TOKENS.tolist()


def test_batches_hold_each_passage_once_and_no_more_tokens_than_allowed_unless_one_is_longer():
    lengths = np.random.default_rng(0).integers(1, 50, 300)
    made = list(batches(lengths, 200))
    assert sorted(np.concatenate(made)) == list(range(300))
    assert all(len(batch) * lengths[batch].max() <= 200 for batch in made)
    assert [lengths[batch].max() for batch in made] == sorted((lengths[batch].max() for batch in made), reverse=True)
    assert [batch.tolist() for batch in batches(np.array([5, 500]), 100)] == [[1], [0]]


def test_vectors_do_not_depend_on_the_other_texts():
    texts = [LONG, "word1", "sheriff ghost", "", "word2 word3 word4"]
    _, together = embed(texts, chunk_tokens=16)
    for row, text in enumerate(texts):
        _, alone = embed([text], chunk_tokens=16)
        np.testing.assert_allclose(together.features()[row], alone.features()[0], atol=1e-6)
    assert together.chunks.tolist() == [5, 1, 1, 1, 1]


def test_only_texts_without_a_vector_are_read(tmp_path):
    store, config = Store(tmp_path), EmbeddingConfig(chunk_tokens=16)
    first = embed_unread(["word1", LONG, "word1"], WordEncoder, config, known_embeddings(store, config))
    assert first.text_ids.tolist() == [text_id("word1"), text_id(LONG), text_id("word1")]
    store.ensure(Handle(stage="embeddings", key="one"), {}, config, lambda artifact: artifact.write(first))

    encoder = WordEncoder()
    known = known_embeddings(store, config)
    again = embed_unread(["word2", LONG], lambda: encoder, config, known)
    assert len(encoder.read) == 1
    np.testing.assert_allclose(again.features(), embed(["word2", LONG], chunk_tokens=16)[1].features(), atol=1e-6)
    np.testing.assert_array_equal(embed_unread([LONG], pytest.fail, config, known).mean, first.mean[1:2])
    assert known_embeddings(store, EmbeddingConfig(chunk_tokens=17)) == []
    assert len(known_embeddings(store, EmbeddingConfig(chunk_tokens=16, batch_tokens=99))) == 1


def test_a_broken_artifact_of_vectors_is_no_source_of_vectors(tmp_path):
    store, config = Store(tmp_path), EmbeddingConfig()
    vectors = embed_unread(["word1"], WordEncoder, config, [])
    handle = store.ensure(Handle(stage="embeddings", key="one"), {}, config, lambda artifact: artifact.write(vectors))
    (store.path(handle) / "text_ids.parquet").unlink()
    assert known_embeddings(store, config) == []


def test_mean_and_maximum_are_over_the_chunks():
    _, embedded = embed([LONG], chunk_tokens=16)
    words = LONG.split()
    each = [embed([" ".join(words[start : start + 12])])[1].mean[0] for start in range(0, 60, 12)]
    np.testing.assert_allclose(embedded.mean[0], np.mean(each, axis=0), atol=1e-6)
    np.testing.assert_allclose(embedded.maximum[0], np.max(each, axis=0), atol=1e-6)


def test_no_passage_is_longer_than_the_model_reads():
    encoder = WordEncoder()
    embed_texts([LONG], encoder, EmbeddingConfig(chunk_tokens=500))
    assert max(width for _, width in encoder.read) == encoder.max_seq_length


def test_the_share_of_unknown_tokens_is_counted():
    _, embedded = embed(["word1 слово сло", "word1", ""])
    assert embedded.unknown.tolist() == pytest.approx([2 / 3, 0, 0])


def test_each_strategy_is_compared_once():
    configs = strategy_configs(EmbeddingConfig(), ("head_tail", "chunks", "sampled"))
    assert [config.long_texts for config in configs] == ["chunks", "head_tail", "sampled"]


def test_vectors_of_minilm_are_those_of_sentence_transformers():
    minilm = load_encoder(EmbeddingConfig())
    texts = ["A sheriff hunts an outlaw.", "word " * 600, "", "Eine Hexe verzaubert ein Dorf.", "幽霊の話"]
    ours = embed_texts(texts, minilm, EmbeddingConfig(long_texts="head"))
    np.testing.assert_allclose(ours.mean, minilm.encode(texts), atol=1e-5)
    assert ours.mean.shape == (5, 384)


def test_without_the_package_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(DependencyError, match=r"what to do: pip install 'latentflix\[genres\]'$") as error:
        load_encoder(EmbeddingConfig())
    assert "\n" not in str(error.value)


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="sentence transformer cannot be loaded; where: .*nothing"):
        load_encoder(EmbeddingConfig(model=str(tmp_path / "nothing")))


def test_another_version_of_a_model_in_a_folder_gives_vectors_of_its_own(store, tmp_path):
    folder = tmp_path / "model"
    (folder / ".cache").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    before = with_revision(EmbeddingConfig(model=str(folder)))
    vectors = embed_unread(["word1"], WordEncoder, before, [])
    store.ensure(Handle(stage="embeddings", key="one"), {}, before, lambda artifact: artifact.write(vectors))
    (folder / ".cache" / "note").write_text("of no account")
    assert with_revision(before) == before
    assert len(known_embeddings(store, with_revision(before))) == 1

    (folder / "model.safetensors").write_bytes(b"other weights")
    after = with_revision(before)
    assert artifact_key("embeddings", {}, after, "") != artifact_key("embeddings", {}, before, "")
    assert known_embeddings(store, after) == []
    with pytest.raises(DataError, match=f"found: files with the hash {after.revision}; expected: {before.revision}"):
        load_encoder(before)


def test_a_model_on_a_hub_is_known_by_its_commit_and_offline_by_that_of_the_copy(monkeypatch, tmp_path):
    asked = mock.Mock(return_value=mock.Mock(sha="c0ffee"))
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", asked)
    config = EmbeddingConfig(model="someone/a-model")
    assert with_revision(config).revision == "c0ffee"
    asked.side_effect = httpx.ConnectError("no network")
    copy = mock.Mock(return_value=str(tmp_path / "snapshots" / "decade"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", copy)
    assert with_revision(config).revision == "decade"
    copy.side_effect = FileNotFoundError("no copy")
    with pytest.raises(DataError, match="cannot be loaded; where: someone/a-model; found: no copy"):
        with_revision(config)
    loaded = mock.Mock()
    monkeypatch.setattr("sentence_transformers.SentenceTransformer", loaded)
    load_encoder(config.model_copy(update={"revision": "c0ffee"}))
    assert loaded.call_args.kwargs["revision"] == "c0ffee"


def test_the_model_that_comes_as_a_wheel_has_one_version():
    assert with_revision(EmbeddingConfig()) == EmbeddingConfig()
