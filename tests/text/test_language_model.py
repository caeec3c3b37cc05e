import re

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.text.core import defaults
from pydantic import ValidationError

from latentflix.artifacts import Handle
from latentflix.errors import ModelError, TrainingError
from latentflix.text import checkpoints
from latentflix.text.checkpoints import write_checkpoint
from latentflix.text.classifier import FineTuningConfig
from latentflix.text.language_model import (
    LanguageModel,
    LanguageModelConfig,
    direction_configs,
    encoder_sizes,
    load_pretrained,
    load_weights,
    model_weights,
    train_language_model,
)
from tests.support.factories.corpus import SIZES, TINY, WORD_CYCLE, fastai_model, make_corpus, repeating_texts


def fit(texts, config=TINY, *more, **changes):
    corpus = make_corpus(texts)
    trained = train_language_model(corpus, np.arange(len(texts)), config.model_copy(update=changes), *more)
    return trained.model, trained.history


def outputs(model, n_tokens):
    model.eval()
    model.reset()
    with torch.no_grad():
        return model(torch.arange(40).view(2, 20) % n_tokens)[0]


@pytest.fixture(scope="module")
def trained():
    return fit(repeating_texts())


def test_a_repeating_corpus_is_learned_and_its_vocabulary_begins_with_fastais_special_tokens(trained):
    model, history = trained
    assert set(WORD_CYCLE) <= set(model.vocabulary)
    assert model.vocabulary[: len(defaults.text_spec_tok)] == defaults.text_spec_tok
    assert len(set(model.vocabulary)) == len(model.vocabulary) == len(model.weights["0.encoder.weight"])
    assert history["perplexity"].iloc[-1] < 2 < 0.2 * len(model.vocabulary)
    np.testing.assert_allclose(history["perplexity"], np.exp(history["valid_loss"]), rtol=1e-4)
    assert history["accuracy"].iloc[-1] > 0.85


def test_same_seed_gives_the_same_weights():
    one, again, other = (fit(repeating_texts(), epochs=1, seed=seed)[0] for seed in (1, 1, 2))
    assert one.vocabulary == again.vocabulary
    np.testing.assert_equal(one.weights, again.weights)
    assert not np.allclose(one.weights["0.encoder.weight"].sum(), other.weights["0.encoder.weight"].sum())


def test_no_more_tokens_are_read_than_allowed():
    _, history = fit(repeating_texts(n_texts=200, length=40), epochs=1, max_tokens=1000, valid_share=0.05)
    assert 900 < history["tokens"].iloc[0] / 0.95 <= 1100


def test_only_frequent_words_get_an_id_and_history_has_a_row_for_every_epoch_frozen_or_not():
    texts = [*repeating_texts(), "hapax legomenon", "hapax"]
    model, history = fit(texts, min_frequency=2, frozen_epochs=1, epochs=2)
    assert "hapax" in model.vocabulary
    assert "legomenon" not in model.vocabulary
    assert list(history.columns) == ["train_loss", "valid_loss", "accuracy", "perplexity", "tokens"]
    assert len(history) == 3


def test_weights_come_back_from_disk_as_they_were(store):
    model, other = fastai_model(50, seed=1), fastai_model(50, seed=2)
    handle = Handle(stage="language_model", key="0")
    with store.new(handle, {}, TINY) as artifact:
        artifact.write_arrays("weights", model_weights(model))
    assert not torch.allclose(outputs(model, 50), outputs(other, 50))
    load_weights(other, store.read_arrays(handle, "weights"))
    assert torch.equal(outputs(model, 50), outputs(other, 50))


def test_a_tied_weight_is_saved_once():
    names = list(model_weights(fastai_model(50)))
    assert "0.encoder.weight" in names
    assert not {"1.decoder.weight", "0.encoder_dp.emb.weight"} & set(names)


def test_a_missing_weight_and_one_of_another_shape_are_named():
    weights = model_weights(fastai_model(50))
    weights.pop("0.rnns.1.weight_hh_l0_raw")
    with pytest.raises(ModelError, match=re.escape("where: 0.rnns.1.weight_hh_l0_raw; found: no such weight")):
        load_weights(fastai_model(50), weights)
    with pytest.raises(ModelError, match=re.escape("0.encoder.weight; found: (51, 8); expected: (50, 8)")):
        load_weights(fastai_model(50), model_weights(fastai_model(51)))


@pytest.mark.parametrize("sizes", [SIZES, {"emb_sz": 9, "n_hid": 10, "n_layers": 3}])
def test_sizes_are_read_from_the_weights(sizes):
    assert encoder_sizes(model_weights(fastai_model(20, **sizes))) == sizes


def test_weights_without_an_encoder_are_refused():
    with pytest.raises(ModelError, match="found: a, b"):
        encoder_sizes({"a": np.zeros((2, 2)), "b": np.zeros(2)})


def pretrained_model(vocabulary):
    weights = fastai_model(len(vocabulary), seed=4).state_dict()
    return LanguageModel({name: tensor.clone() for name, tensor in weights.items()}, vocabulary)


def test_pretrained_rows_are_matched_by_token_and_do_not_change():
    pretrained = pretrained_model(["xxunk", "xxpad", "the", "film", "war", "love"])
    vocabulary = ["xxunk", "xxpad", "love", "starship", "the"]
    model = fastai_model(len(vocabulary), seed=5)
    before = {name: tensor.clone() for name, tensor in pretrained.weights.items()}
    load_pretrained(model, pretrained, vocabulary)
    rows, bias = model[0].encoder.weight.detach(), model[1].decoder.bias.detach()
    for token in ("xxunk", "love", "the"):
        source, target = pretrained.vocabulary.index(token), vocabulary.index(token)
        assert torch.equal(rows[target], before["0.encoder.weight"][source])
        assert bias[target] == before["1.decoder.bias"][source]
    torch.testing.assert_close(rows[3], before["0.encoder.weight"].mean(0))
    torch.testing.assert_close(bias[3], before["1.decoder.bias"].mean())
    assert model[1].decoder.weight is model[0].encoder.weight
    assert pretrained.weights.keys() == before.keys()
    assert all(torch.equal(pretrained.weights[name], before[name]) for name in before)


def test_training_from_the_same_corpus_pretrained_starts_better(trained):
    model, history = trained
    pretrained = LanguageModel({name: torch.tensor(weight) for name, weight in model.weights.items()}, model.vocabulary)
    _, continued = fit(repeating_texts(), TINY, pretrained, epochs=1, learning_rate=1e-4)
    assert continued["valid_loss"].iloc[0] < 1.2 * history["valid_loss"].iloc[-1] < 0.3 * history["valid_loss"].iloc[0]


@pytest.mark.parametrize(("direction", "n_sentences"), [("forward", 2), ("backward", 0)])
def test_trained_weights_predict_the_next_or_the_previous_token(direction, n_sentences):
    corpus = make_corpus(repeating_texts())
    config = TINY.model_copy(update={"direction": direction, "sentences": 2, "sentence_words": 5})
    trained = train_language_model(corpus, np.arange(len(corpus.text_ids)), config)
    model = trained.model
    loaded = fastai_model(len(model.vocabulary), emb_sz=24, n_hid=32, n_layers=1)
    load_weights(loaded, model.weights)
    words = WORD_CYCLE if direction == "forward" else WORD_CYCLE[::-1]
    ids = [model.vocabulary.index(word) for word in words * 3]
    loaded.eval()
    with torch.no_grad():
        predicted = loaded(torch.tensor([ids[:-1]]))[0].argmax(-1)[0]
    assert (predicted[5:] == torch.tensor(ids[6:])).float().mean() > 0.9
    assert len(trained.sentences) == n_sentences


def test_each_direction_has_a_config():
    configs = direction_configs(LanguageModelConfig(bidirectional=True, epochs=7))
    assert [(config.direction, config.bidirectional, config.epochs) for config in configs] == [
        ("forward", False, 7),
        ("backward", False, 7),
    ]
    assert direction_configs(TINY) == [TINY]


def test_only_the_given_rows_are_read():
    texts = [*repeating_texts(20), *["unheard words of another film"] * 20]
    corpus = make_corpus(texts)
    one, other = (
        train_language_model(corpus, rows, TINY.model_copy(update={"epochs": 1})).history["tokens"].iloc[0]
        for rows in (np.arange(20), np.arange(40))
    )
    assert (one, other) == (18 * 37, 18 * 37 + 18 * 6)


def test_an_infinite_loss_is_reported():
    with pytest.raises(TrainingError, match="language model, forward is NaN or infinite; where: step"):
        fit(repeating_texts(), learning_rate=1e30)


def test_rates_and_sentences_do_not_change_the_model():
    config = TINY.model_copy(update={"rate_steps": 40, "sentences": 2, "sentence_words": 5, "epochs": 2})
    plain, _ = fit(repeating_texts(), config, rate_steps=0)
    trained = train_language_model(make_corpus(repeating_texts()), np.arange(100), config)
    assert 1e-7 < trained.rates.suggested < 10
    assert len(trained.sentences) == 2
    np.testing.assert_equal(plain.weights, trained.model.weights)


class Killed(Exception):
    """Stands for the end of a process."""


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_killed_training_continues_to_the_same_weights(tmp_path, monkeypatch, killed_after):
    config = TINY.model_copy(update={"frozen_epochs": 2, "epochs": 2})
    whole, whole_history = fit(repeating_texts(), config)

    def kill(folder, learner, history):
        write_checkpoint(folder, learner, history)
        if len(history) == killed_after:
            raise Killed("after an epoch")

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(checkpoints, "write_checkpoint", kill)
        fit(repeating_texts(), config, None, tmp_path)
    steps = []
    monkeypatch.setattr(checkpoints, "write_checkpoint", lambda *arguments: steps.append(len(arguments[2])))
    model, history = fit(repeating_texts(), config, None, tmp_path)
    assert steps == list(range(killed_after + 1, 5))
    np.testing.assert_equal(whole.weights, model.weights)
    pd.testing.assert_frame_equal(history, whole_history)


def test_a_training_with_a_truncated_checkpoint_starts_again(tmp_path, caplog):
    whole, _ = fit(repeating_texts(), TINY, None, tmp_path, epochs=2)
    path = tmp_path / "training.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    again, _ = fit(repeating_texts(), TINY, None, tmp_path, epochs=2)
    assert "training.safetensors cannot be read" in caplog.text
    assert (tmp_path / "training.broken").is_file()
    np.testing.assert_equal(whole.weights, again.weights)


def test_pretrained_weights_of_other_sizes_are_refused():
    with pytest.raises(ModelError, match=re.escape("where: 0.encoder.weight; found: (")):
        fit(repeating_texts(), TINY, pretrained_model(["xxunk", "xxpad", "bread"]))


@pytest.mark.parametrize("config", [LanguageModelConfig, FineTuningConfig])
def test_a_dropout_of_zero_is_refused_because_fastai_cannot_train_with_it(config):
    with pytest.raises(ValidationError, match="dropout"):
        config(dropout=0)
