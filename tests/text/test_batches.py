import numpy as np
import pytest
import torch

from latentflix.errors import NotEnoughData
from latentflix.text.batches import LanguageModelBatches, choose_texts
from tests.support.factories.corpus import make_corpus


def read_stream(texts, batch_size, sequence_length, shuffle=None):
    stream = LanguageModelBatches(texts, batch_size, sequence_length, shuffle)
    batches = list(stream)
    assert len(batches) == len(stream)
    return [torch.cat(parts, dim=1) for parts in zip(*batches, strict=True)]


@pytest.mark.parametrize(("batch_size", "sequence_length"), [(1, 5), (3, 4), (4, 100), (7, 2)])
def test_stream_reads_every_token_once_beside_the_one_that_follows(batch_size, sequence_length):
    texts = [np.arange(0, 20), np.arange(20, 23), np.arange(23, 50)]
    tokens, following = read_stream(texts, batch_size, sequence_length)
    assert tokens.shape[0] == batch_size
    assert tokens.flatten().tolist() == list(range(49 // batch_size * batch_size))
    assert torch.equal(following, tokens + 1)


def test_stretches_side_by_side_continue_from_batch_to_batch():
    batches = list(LanguageModelBatches([np.arange(25)], 2, 5))
    assert [tokens.tolist() for tokens, _ in batches] == [
        [[0, 1, 2, 3, 4], [12, 13, 14, 15, 16]],
        [[5, 6, 7, 8, 9], [17, 18, 19, 20, 21]],
        [[10, 11], [22, 23]],
    ]


def test_shuffled_texts_stay_whole_and_change_their_order():
    texts = [np.arange(start, start + 5) for start in range(0, 100, 5)]
    stream = LanguageModelBatches(texts, 1, 1000, np.random.default_rng(0))
    epochs = [np.append(tokens[0], following[0, -1]) for _ in range(2) for tokens, following in stream]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(100))
        assert (epoch.reshape(20, 5) == epoch.reshape(20, 5)[:, :1] + np.arange(5)).all()
    assert not np.array_equal(*epochs)


def test_a_stream_of_few_tokens_has_fewer_stretches():
    tokens, following = read_stream([np.arange(7)], 64, 72)
    assert tokens.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert following.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_a_corpus_of_one_token_is_refused():
    with pytest.raises(NotEnoughData, match="found: 1 tokens in 1 texts"):
        LanguageModelBatches([np.arange(1)], 64, 72)


def test_texts_are_chosen_until_there_are_tokens_enough():
    corpus = make_corpus(["one two three"] * 10)
    rows = np.arange(2, 10)
    chosen = choose_texts(corpus, rows, np.random.default_rng(0), 9)
    assert len(chosen) == 3
    assert set(chosen) <= set(rows)
    assert sorted(choose_texts(corpus, rows, np.random.default_rng(0), 10**9)) == list(rows)


def test_the_seed_chooses_the_texts():
    corpus = make_corpus([f"text {number}" for number in range(100)])
    one, again, other = (
        choose_texts(corpus, np.arange(100), np.random.default_rng(seed), 30).tolist() for seed in (0, 0, 1)
    )
    assert one == again
    assert set(one) != set(other)
