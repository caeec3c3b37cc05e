import pytest
import torch
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config
from fastai.text.models.core import get_language_model

from latentflix.text.generation import generate_texts, readable

VOCABULARY = ["xxunk", "xxpad", "xxbos", "the", "item", "was", "good", "bad"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    sizes = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}
    model = get_language_model(AWD_LSTM, len(VOCABULARY), {**awd_lstm_lm_config, **sizes})
    # Sure of itself, but never of the same token twice in the same place.
    model[1].decoder.weight.data *= 60
    return model


def said(model, temperature, n_sentences=4, n_words=12):
    return generate_texts(model, VOCABULARY, "the item", n_words, temperature, n_sentences)


def test_a_sentence_is_the_prompt_and_as_many_words_as_asked(model):
    for sentence in said(model, 1.0):
        words = sentence.split()
        assert words[:2] == ["the", "item"]
        assert len([word for word in words if word != "xxbos"]) <= 14


def test_a_prompt_stands_there_as_it_was_given_if_the_model_does_not_know_it(model):
    (sentence,) = generate_texts(model, VOCABULARY, "The BBC's item", 3, 1.0, 1)
    assert sentence.startswith("The BBC's item ")


def test_what_is_unknown_is_never_said(model):
    model[1].decoder.bias.data[:2] = 100.0
    assert not {"xxunk", "xxpad"} & {word for sentence in said(model, 1.0, n_sentences=20) for word in sentence.split()}


def test_the_colder_the_likelier(model):
    """At a temperature near nothing all say what is likeliest, which is what the model says when it reads all anew."""
    cold = set(said(model, 1e-4))
    assert len(cold) == 1
    assert len(set(said(model, 2.0, n_sentences=20))) > 5
    ids = [VOCABULARY.index(token) for token in ("xxbos", "the", "item")]
    model.eval()
    for _ in range(12):
        model.reset()
        with torch.no_grad():
            scores = model(torch.tensor([ids]))[0][0, -1]
        scores[:2] = -torch.inf
        ids.append(int(scores.argmax()))
    assert cold == {readable([VOCABULARY[number] for number in ids])}


def test_no_sentence_is_asked_for(model):
    assert said(model, 1.0, n_sentences=0) == []


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("xxbos xxmaj the xxup bbc item", "The BBC item"),
        ("good xxrep 3 ! and xxwrep 2 very bad", "good !!! and very very bad"),
        ("xxrep no ! end", "! end"),
        ("the item xxmaj", "the item "),
        ("xxrep 999 a b", "a b"),
    ],
)
def test_special_tokens_are_carried_out(tokens, text):
    assert readable(tokens.split()) == text
