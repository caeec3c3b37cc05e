import sys

import numpy as np
import pytest

from latentflix.errors import DataError, DependencyError
from latentflix.text.sentence_embeddings import (
    EmbeddingConfig,
    batches,
    cut,
    embed_texts,
    load_encoder,
    strategy_configs,
)
from tests.support.factories.genres import FILLER, WordEncoder, embed

TOKENS = np.arange(100)
LONG = " ".join(FILLER)


@pytest.fixture(scope="module")
def minilm():
    return load_encoder(EmbeddingConfig())


def test_slices_are_equal_and_leave_nothing_out():
    slices = cut(TOKENS, "slices", 30)
    assert [len(part) for part in slices] == [25, 25, 25, 25]
    assert np.concatenate(slices).tolist() == TOKENS.tolist()


def test_start_and_ends_and_mixed_are_one_passage_of_full_length():
    assert cut(TOKENS, "start", 31)[0].tolist() == list(range(31))
    assert cut(TOKENS, "ends", 31)[0].tolist() == [*range(16), *range(85, 100)]
    (mixed,) = cut(np.arange(1000), "mixed", 96)
    assert mixed.tolist() == [*range(32), *range(484, 516), *range(968, 1000)]


@pytest.mark.parametrize("reading", ["start", "ends", "mixed", "slices"])
def test_a_text_that_is_not_too_long_is_read_whole(reading):
    (passage,) = cut(TOKENS, reading, 100)
    assert passage.tolist() == TOKENS.tolist()


def test_batches_hold_each_passage_once_and_no_more_tokens_than_allowed():
    lengths = np.random.default_rng(0).integers(1, 50, 300)
    made = list(batches(lengths, 200))
    assert sorted(np.concatenate(made)) == list(range(300))
    assert all(len(batch) * lengths[batch].max() <= 200 for batch in made)
    assert [lengths[batch].max() for batch in made] == sorted((lengths[batch].max() for batch in made), reverse=True)


def test_a_passage_longer_than_a_batch_is_read_alone():
    assert [batch.tolist() for batch in batches(np.array([5, 500]), 100)] == [[1], [0]]


def test_vectors_are_those_of_each_text_whatever_is_read_beside_it():
    texts = [LONG, "word1", "sheriff ghost", "", "word2 word3 word4"]
    _, together = embed(texts, slice_tokens=16)
    for row, text in enumerate(texts):
        _, alone = embed([text], slice_tokens=16)
        np.testing.assert_allclose(together.features()[row], alone.features()[0], atol=1e-6)
    assert together.slices.tolist() == [5, 1, 1, 1, 1]


def test_mean_and_greatest_are_over_the_slices():
    _, embedded = embed([LONG], slice_tokens=16)
    words = LONG.split()
    each = [embed([" ".join(words[start : start + 12])])[1].mean[0] for start in range(0, 60, 12)]
    np.testing.assert_allclose(embedded.mean[0], np.mean(each, axis=0), atol=1e-6)
    np.testing.assert_allclose(embedded.greatest[0], np.max(each, axis=0), atol=1e-6)


def test_no_passage_is_longer_than_the_model_reads():
    encoder = WordEncoder()
    embed_texts([LONG], encoder, EmbeddingConfig(slice_tokens=500))
    assert max(width for _, width in encoder.read) == encoder.max_seq_length


def test_the_share_of_unknown_tokens_is_said():
    _, embedded = embed(["word1 слово сло", "word1", ""])
    assert embedded.unknown.tolist() == pytest.approx([2 / 3, 0, 0])


def test_each_way_of_reading_is_compared_once():
    configs = strategy_configs(EmbeddingConfig(), ("ends", "slices", "mixed"))
    assert [config.reading for config in configs] == ["slices", "ends", "mixed"]


def test_minilm_gives_the_vectors_that_its_own_library_gives(minilm):
    texts = ["A sheriff hunts an outlaw.", "word " * 600, "", "Eine Hexe verzaubert ein Dorf.", "幽霊の話"]
    ours = embed_texts(texts, minilm, EmbeddingConfig(reading="start"))
    np.testing.assert_allclose(ours.mean, minilm.encode(texts), atol=1e-5)
    assert ours.mean.shape == (5, 384)


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(DependencyError, match=r"what to do: pip install 'latentflix\[genres\]'$") as error:
        load_encoder(EmbeddingConfig())
    assert "\n" not in str(error.value)


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="sentence transformer cannot be loaded; where: .*nothing"):
        load_encoder(EmbeddingConfig(model=str(tmp_path / "nothing")))
