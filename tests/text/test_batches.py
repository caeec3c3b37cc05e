import numpy as np
import pytest
import torch

from latentflix.errors import NotEnoughData
from latentflix.text.batches import WINDOW, ClassifierBatches, LanguageModelBatches, choose_texts
from latentflix.text.classifier import FineTuningConfig, build_classifier
from tests.support.factories.corpus import PADDING, SIZES, VOCABULARY, draw_reviews, make_corpus


def read_stream(texts, batch_size, sequence_length, shuffle=None):
    stream = LanguageModelBatches(texts, batch_size, sequence_length, shuffle)
    batches = list(stream)
    assert len(batches) == len(stream)
    return [torch.cat(parts, dim=1) for parts in zip(*batches, strict=True)]


@pytest.mark.parametrize(("batch_size", "sequence_length"), [(1, 5), (3, 4), (4, 100), (7, 2)])
def test_a_stream_has_every_token_once_with_the_next_one(batch_size, sequence_length):
    texts = [np.arange(0, 20), np.arange(20, 23), np.arange(23, 50)]
    tokens, following = read_stream(texts, batch_size, sequence_length)
    assert tokens.shape[0] == batch_size
    assert tokens.flatten().tolist() == list(range(49 // batch_size * batch_size))
    assert torch.equal(following, tokens + 1)


def test_parallel_streams_continue_from_batch_to_batch():
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


def test_few_tokens_make_fewer_streams_and_a_single_one_is_refused():
    tokens, following = read_stream([np.arange(7)], 64, 72)
    assert tokens.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert following.tolist() == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(NotEnoughData, match="found: 1 tokens in 1 texts"):
        LanguageModelBatches([np.arange(1)], 64, 72)


def test_texts_are_chosen_by_the_seed_until_there_are_enough_tokens():
    corpus, rows = make_corpus(["one two three"] * 100), np.arange(20, 100)
    one, again, other = (choose_texts(corpus, rows, np.random.default_rng(seed), 90).tolist() for seed in (0, 0, 1))
    assert len(one) == 23
    assert set(one) < set(rows)
    assert one == again
    assert set(one) != set(other)
    assert sorted(choose_texts(corpus, rows, np.random.default_rng(0), 10**9)) == list(rows)


@pytest.mark.parametrize("shuffle", [None, np.random.default_rng(0)])
@pytest.mark.parametrize(("n_reviews", "batch_size"), [(1, 4), (9, 4), (33, 8), (7, 100)])
def test_batches_hold_every_review_once_with_its_labels(n_reviews, batch_size, shuffle):
    lengths = np.random.default_rng(1).integers(1, 200, n_reviews)
    reviews, labels = draw_reviews(lengths), np.float32(np.arange(n_reviews)[:, None])
    batches = ClassifierBatches(reviews, labels, batch_size, PADDING, shuffle)
    seen = {}
    for tokens, rows in batches:
        assert len(tokens) == len(rows) <= batch_size
        seen |= {int(row): line[line != PADDING].tolist() for row, line in zip(rows[:, 0], tokens, strict=True)}
    assert seen == {row: review.tolist() for row, review in enumerate(reviews)}
    assert len(list(batches)) == len(batches) == -(-n_reviews // batch_size)


def test_reviews_are_padded_by_whole_windows_and_sorted_by_length():
    reviews = draw_reviews([10, 500, 72, 73, 150, 300])
    ((tokens, labels),) = ClassifierBatches(reviews, np.float32(np.arange(6)[:, None]), 8, PADDING)
    assert labels[:, 0].tolist() == [1, 5, 4, 3, 2, 0]
    for line in tokens:
        inside = np.flatnonzero(line.numpy() != PADDING)
        assert inside[0] % WINDOW == 0
        assert inside[-1] - inside[0] + 1 == len(inside)
        assert tokens.shape[1] - inside[-1] <= WINDOW


@pytest.mark.parametrize("shuffle", [None, np.random.default_rng(0)])
def test_reviews_of_a_batch_are_of_similar_length_and_only_shuffled_batches_change_from_epoch_to_epoch(shuffle):
    lengths = np.random.default_rng(0).integers(1, 300, 400)
    batches = ClassifierBatches(draw_reviews(lengths), np.zeros((400, 1), np.float32), 16, PADDING, shuffle)
    one, other = batches.order(), batches.order()
    assert np.array_equal(np.concatenate(one), np.concatenate(other)) is (shuffle is None)
    for epoch in (one, other):
        assert sorted(np.concatenate(epoch)) == list(range(400))
        assert np.mean([np.ptp(lengths[rows]) for rows in epoch]) < 0.25 * np.ptp(lengths)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    "lengths",
    [
        [20, 18, 9, 3],
        [72, 72, 71, 1],
        [80, 8],
        [76, 75, 74, 72, 71, 70],
        [74, 70, 2],
        [200, 140, 128],
        [300, 290, 250, 230],
        [300, 216, 144, 72, 5, 1],
        [289, 288, 217, 145, 144, 143, 73, 71, 30],
    ],
)
def test_a_review_has_the_same_prediction_in_a_padded_batch_as_alone(lengths, shuffled):
    torch.manual_seed(0)
    model = build_classifier(len(VOCABULARY), 3, SIZES, FineTuningConfig()).eval()
    for parameter in model.parameters():
        parameter.data *= 2
    reviews, rows = draw_reviews(lengths), np.arange(len(lengths), dtype=np.float32)[:, None]

    def read(chosen, shuffle=None):
        batch = ClassifierBatches(chosen, rows[: len(chosen)], len(lengths), PADDING, shuffle)
        ((tokens, order),) = batch
        with torch.no_grad():
            return model(tokens)[0][order[:, 0].argsort()]

    alone = torch.cat([read([review]) for review in reviews])
    assert alone.std(0).min() > 1e-3
    together = read(reviews, np.random.default_rng(0) if shuffled else None)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
