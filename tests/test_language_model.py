import re

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.text.core import defaults
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config
from fastai.text.models.core import get_language_model
from pydantic import ValidationError

from latentflix.artifacts import Handle, Store
from latentflix.classifier import ClassifierConfig
from latentflix.errors import InvalidWeights, TooFewFilms
from latentflix.language_model import (
    LanguageModelConfig,
    TokenStream,
    encoder_sizes,
    load_pretrained,
    load_weights,
    model_weights,
    train_language_model,
)
from latentflix.pretrained import PretrainedModel

SIZES = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}
TINY = LanguageModelConfig(
    embedding_size=24,
    hidden_size=32,
    n_layers=1,
    dropout=0.01,
    max_tokens=4000,
    min_frequency=1,
    batch_size=8,
    sequence_length=20,
    epochs=6,
    learning_rate=2e-2,
    valid_share=0.1,
)
CYCLE = ["bread", "milk", "stone", "river", "cloud", "horse", "table", "green", "piano", "seven", "apple", "chair"]


def repeating_texts(n_texts=100, length=36):
    return [" ".join(CYCLE[(start + step) % len(CYCLE)] for step in range(length)) for start in range(n_texts)]


def fastai_model(n_tokens, seed=0, **sizes):
    torch.manual_seed(seed)
    return get_language_model(AWD_LSTM, n_tokens, {**awd_lstm_lm_config, **SIZES, **sizes})


def outputs(model, n_tokens):
    model.eval()
    model.reset()
    with torch.no_grad():
        return model(torch.arange(40).view(2, 20) % n_tokens)[0]


def read_stream(texts, batch_size, sequence_length, shuffle=None):
    stream = TokenStream(texts, batch_size, sequence_length, shuffle)
    batches = list(stream)
    assert len(batches) == len(stream)
    return [torch.cat(parts, dim=1) for parts in zip(*batches, strict=True)]


@pytest.fixture(scope="module")
def trained():
    return train_language_model(repeating_texts(), TINY)


@pytest.mark.parametrize(("batch_size", "sequence_length"), [(1, 5), (3, 4), (4, 100), (7, 2)])
def test_stream_reads_every_token_once_beside_the_one_that_follows(batch_size, sequence_length):
    texts = [np.arange(0, 20), np.arange(20, 23), np.arange(23, 50)]
    tokens, following = read_stream(texts, batch_size, sequence_length)
    assert tokens.shape[0] == batch_size
    assert tokens.flatten().tolist() == list(range(49 // batch_size * batch_size))
    assert torch.equal(following, tokens + 1)


def test_stretches_side_by_side_continue_from_batch_to_batch():
    batches = list(TokenStream([np.arange(25)], 2, 5))
    assert [tokens.tolist() for tokens, _ in batches] == [
        [[0, 1, 2, 3, 4], [12, 13, 14, 15, 16]],
        [[5, 6, 7, 8, 9], [17, 18, 19, 20, 21]],
        [[10, 11], [22, 23]],
    ]


def test_shuffled_texts_stay_whole_and_change_their_order():
    texts = [np.arange(start, start + 5) for start in range(0, 100, 5)]
    stream = TokenStream(texts, 1, 1000, np.random.default_rng(0))
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
    with pytest.raises(TooFewFilms, match="found: 1 tokens in 1 texts"):
        TokenStream([np.arange(1)], 64, 72)


def test_a_repeating_corpus_is_learned(trained):
    model, history = trained
    assert set(CYCLE) <= set(model.vocabulary)
    assert history["perplexity"].iloc[-1] < 2 < 0.2 * len(model.vocabulary)
    np.testing.assert_allclose(history["perplexity"], np.exp(history["valid_loss"]), rtol=1e-4)
    assert history["accuracy"].iloc[-1] > 0.85


def test_vocabulary_begins_with_fastais_special_tokens(trained):
    model, _ = trained
    assert model.vocabulary[: len(defaults.text_spec_tok)] == defaults.text_spec_tok
    assert len(set(model.vocabulary)) == len(model.vocabulary) == len(model.weights["0.encoder.weight"])


def test_same_seed_gives_the_same_weights():
    config = TINY.model_copy(update={"epochs": 1})
    one, again, other = (
        train_language_model(repeating_texts(), config.model_copy(update={"seed": seed}))[0] for seed in (1, 1, 2)
    )
    assert one.vocabulary == again.vocabulary
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(weight, again.weights[name])
    assert not np.allclose(one.weights["0.encoder.weight"].sum(), other.weights["0.encoder.weight"].sum())


def test_no_more_tokens_are_read_than_allowed():
    config = TINY.model_copy(update={"epochs": 1, "max_tokens": 1000, "valid_share": 0.05})
    _, history = train_language_model(repeating_texts(n_texts=200, length=40), config)
    read = history["tokens"].iloc[0] / 0.95
    assert 900 < read <= 1100


def test_only_frequent_words_of_the_vocabulary_get_an_id():
    texts = [*repeating_texts(), "hapax legomenon", "hapax"]
    model, _ = train_language_model(texts, TINY.model_copy(update={"epochs": 1, "min_frequency": 2}))
    assert "hapax" in model.vocabulary
    assert "legomenon" not in model.vocabulary


def test_history_has_a_row_for_every_epoch_frozen_or_not():
    _, history = train_language_model(repeating_texts(), TINY.model_copy(update={"frozen_epochs": 1, "epochs": 2}))
    assert list(history.columns) == ["train_loss", "valid_loss", "accuracy", "perplexity", "tokens"]
    assert len(history) == 3


def test_weights_come_back_from_disk_as_they_were(tmp_path):
    model, other = fastai_model(50, seed=1), fastai_model(50, seed=2)
    store, handle = Store(tmp_path), Handle(stage="language_model", key="0")
    with store.new(handle, [], TINY) as artifact:
        artifact.write_arrays("weights", model_weights(model))
    assert not torch.allclose(outputs(model, 50), outputs(other, 50))
    load_weights(other, store.read_arrays(handle, "weights"))
    assert torch.equal(outputs(model, 50), outputs(other, 50))


def test_trained_weights_say_the_next_token(trained):
    model, _ = trained
    loaded = fastai_model(len(model.vocabulary), emb_sz=24, n_hid=32, n_layers=1)
    load_weights(loaded, model.weights)
    ids = [model.vocabulary.index(word) for word in CYCLE * 3]
    loaded.eval()
    with torch.no_grad():
        said = loaded(torch.tensor([ids[:-1]]))[0].argmax(-1)[0]
    assert (said[5:] == torch.tensor(ids[6:])).float().mean() > 0.9


def test_a_tied_weight_is_kept_once():
    names = list(model_weights(fastai_model(50)))
    assert "0.encoder.weight" in names
    assert not {"1.decoder.weight", "0.encoder_dp.emb.weight"} & set(names)


def test_a_missing_weight_is_named():
    weights = model_weights(fastai_model(50))
    weights.pop("0.rnns.1.weight_hh_l0_raw")
    with pytest.raises(InvalidWeights, match=re.escape("where: 0.rnns.1.weight_hh_l0_raw; found: no such weight")):
        load_weights(fastai_model(50), weights)


def test_the_first_weight_of_another_shape_is_named():
    with pytest.raises(InvalidWeights, match=re.escape("0.encoder.weight; found: (51, 8); expected: (50, 8)")):
        load_weights(fastai_model(50), model_weights(fastai_model(51)))


@pytest.mark.parametrize("sizes", [SIZES, {"emb_sz": 9, "n_hid": 10, "n_layers": 3}])
def test_sizes_are_read_from_the_weights(sizes):
    assert encoder_sizes(model_weights(fastai_model(20, **sizes))) == sizes


def test_weights_without_an_encoder_are_refused():
    with pytest.raises(InvalidWeights, match="found: a, b"):
        encoder_sizes({"a": np.zeros((2, 2)), "b": np.zeros(2)})


def pretrained_model(vocabulary):
    weights = fastai_model(len(vocabulary), seed=4).state_dict()
    return PretrainedModel({name: tensor.clone() for name, tensor in weights.items()}, vocabulary)


def test_pretrained_rows_are_matched_by_token():
    pretrained = pretrained_model(["xxunk", "xxpad", "the", "film", "war", "love"])
    vocabulary = ["xxunk", "xxpad", "love", "starship", "the"]
    model = fastai_model(len(vocabulary), seed=5)
    old, old_bias = pretrained.weights["0.encoder.weight"].clone(), pretrained.weights["1.decoder.bias"].clone()
    load_pretrained(model, pretrained, vocabulary)
    rows, bias = model[0].encoder.weight.detach(), model[1].decoder.bias.detach()
    for token in ("xxunk", "love", "the"):
        there, here = pretrained.vocabulary.index(token), vocabulary.index(token)
        assert torch.equal(rows[here], old[there])
        assert bias[here] == old_bias[there]
    torch.testing.assert_close(rows[3], old.mean(0))
    torch.testing.assert_close(bias[3], old_bias.mean())
    assert model[1].decoder.weight is model[0].encoder.weight


def test_loading_pretrained_weights_leaves_them_as_they_are():
    pretrained = pretrained_model(["xxunk", "xxpad", "the", "film"])
    before = {name: tensor.clone() for name, tensor in pretrained.weights.items()}
    load_pretrained(fastai_model(3), pretrained, ["xxunk", "xxpad", "film"])
    assert pretrained.weights.keys() == before.keys()
    assert all(torch.equal(pretrained.weights[name], before[name]) for name in before)


def test_training_from_the_same_corpus_pretrained_starts_better(trained):
    model, history = trained
    pretrained = PretrainedModel(
        {name: torch.tensor(weight) for name, weight in model.weights.items()}, model.vocabulary
    )
    config = TINY.model_copy(update={"epochs": 1, "learning_rate": 1e-4})
    _, continued = train_language_model(repeating_texts(), config, pretrained)
    assert continued["valid_loss"].iloc[0] < 1.2 * history["valid_loss"].iloc[-1] < 0.3 * history["valid_loss"].iloc[0]


def test_pretrained_weights_of_other_sizes_are_refused():
    with pytest.raises(InvalidWeights, match=re.escape("where: 0.encoder.weight; found: (")):
        train_language_model(repeating_texts(), TINY, pretrained_model(["xxunk", "xxpad", "bread"]))


def test_the_seed_chooses_the_texts():
    config = TINY.model_copy(update={"epochs": 1, "max_tokens": 1000})
    texts = [
        f"alone{chr(97 + number % 26)}{chr(97 + number // 26)} {text}" for number, text in enumerate(repeating_texts())
    ]
    vocabularies = [
        set(train_language_model(texts, config.model_copy(update={"seed": seed}))[0].vocabulary) for seed in (0, 1)
    ]
    assert vocabularies[0] != vocabularies[1]
    assert pd.Series(sorted(vocabularies[0])).str.startswith("alone").sum() > 10


@pytest.mark.parametrize("config", [LanguageModelConfig, ClassifierConfig])
def test_a_dropout_of_nothing_is_refused_for_fastai_cannot_train_with_it(config):
    with pytest.raises(ValidationError, match="dropout"):
        config(dropout=0)
