import pytest
import torch

from latentflix.text.generation import detokenize, generate_texts
from tests.support.factories.corpus import fastai_model

VOCABULARY = ["xxunk", "xxpad", "xxbos", "the", "film", "was", "good", "bad"]


@pytest.fixture
def model():
    model = fastai_model(len(VOCABULARY))
    # Sure of itself, but never of the same token twice in the same place.
    model[1].decoder.weight.data *= 60
    return model


def generate(model, temperature, n_texts=4, n_words=12):
    return generate_texts(model, VOCABULARY, "the film", n_words, temperature, n_texts)


def test_a_text_is_the_prompt_and_as_many_words_as_asked(model):
    for sentence in generate(model, 1.0):
        words = sentence.split()
        assert words[:2] == ["the", "film"]
        assert len([word for word in words if word != "xxbos"]) <= 14
    assert generate(model, 1.0, n_texts=0) == []


def test_an_unknown_prompt_is_shown_as_it_was_given(model):
    (sentence,) = generate_texts(model, VOCABULARY, "The BBC's film", 3, 1.0, 1)
    assert sentence.startswith("The BBC's film ")


def test_unknown_tokens_are_never_generated(model):
    model[1].decoder.bias.data[:2] = 100.0
    assert not {"xxunk", "xxpad"} & {word for sentence in generate(model, 1.0, n_texts=20) for word in sentence.split()}


def test_low_temperatures_generate_the_likeliest_text(model):
    """Near zero all texts are the likeliest, which the model also predicts if it reads everything again."""
    cold = set(generate(model, 1e-4))
    assert len(cold) == 1
    assert len(set(generate(model, 2.0, n_texts=20))) > 5
    ids = [VOCABULARY.index(token) for token in ("xxbos", "the", "film")]
    model.eval()
    for _ in range(12):
        model.reset()
        with torch.no_grad():
            scores = model(torch.tensor([ids]))[0][0, -1]
        scores[:2] = -torch.inf
        ids.append(int(scores.argmax()))
    assert cold == {detokenize([VOCABULARY[number] for number in ids])}


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("xxbos xxmaj the xxup bbc film", "The BBC film"),
        ("good xxrep 3 ! and xxwrep 2 very bad", "good !!! and very very bad"),
        ("xxrep no ! end", "! end"),
        ("the film xxmaj", "the film "),
        ("xxrep 999 a b", "a b"),
    ],
)
def test_special_tokens_are_applied(tokens, text):
    assert detokenize(tokens.split()) == text
