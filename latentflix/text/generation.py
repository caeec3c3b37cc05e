"""Texts that a language model writes from a prompt."""

from collections.abc import Sequence

import torch
from fastai.text.core import BOS, PAD, TK_MAJ, TK_REP, TK_UP, TK_WREP, UNK
from fastai.text.models.core import SequentialRNN

from latentflix.text.tokenizer import numericalize, tokenize


def generate_texts(
    model: SequentialRNN, vocabulary: Sequence[str], prompt: str, n_words: int, temperature: float, n_texts: int
) -> list[str]:
    """Sample continuations of a prompt, `n_words` tokens each, never `xxunk`. Source: fastai `LMLearner.predict`."""
    if not n_texts:
        return []
    device = next(model.parameters()).device
    start = numericalize(tokenize(prompt), {token: number for number, token in enumerate(vocabulary)})
    read = torch.from_numpy(start).to(device).expand(n_texts, -1)
    never = [vocabulary.index(token) for token in (UNK, PAD)]
    sampled = []
    model.eval()
    model.reset()
    with torch.inference_mode():
        for _ in range(n_words):
            # The model remembers what it has read, so only new tokens are read.
            scores = model(read)[0][:, -1].float() / temperature
            scores[:, never] = -torch.inf
            read = torch.multinomial(scores.softmax(-1), 1)
            sampled.append(read)
    model.reset()
    # The prompt is shown as it was given, even if the model does not know its words.
    continuations = torch.cat(sampled, dim=1).tolist()
    return [f"{prompt} {detokenize([vocabulary[number] for number in row])}" for row in continuations]


def detokenize(tokens: Sequence[str]) -> str:
    """Join tokens to a text, with special tokens applied: `xxmaj film` is Film, `xxrep 3 !` is !!!."""
    words: list[str] = []
    rest = iter(tokens)
    for token in rest:
        if token == TK_MAJ:
            words.append(next(rest, "").capitalize())
        elif token == TK_UP:
            words.append(next(rest, "").upper())
        elif token in (TK_REP, TK_WREP):
            count, repeated = next(rest, ""), next(rest, "")
            times = int(count) if count.isdecimal() and len(count) < 3 else 1
            words.append(("" if token == TK_REP else " ").join([repeated] * times))
        elif token not in (BOS, PAD):
            words.append(token)
    return " ".join(words)
