"""What a language model says when it is let go on from a prompt."""

from collections.abc import Sequence

import torch
from fastai.text.core import BOS, PAD, TK_MAJ, TK_REP, TK_UP, TK_WREP, UNK
from fastai.text.models.core import SequentialRNN

from latentflix.text.tokenizer import numericalize, tokenize


def generate_texts(
    model: SequentialRNN, vocabulary: Sequence[str], prompt: str, n_words: int, temperature: float, n_sentences: int
) -> list[str]:
    """The prompt and `n_words` tokens more, as many times as asked, drawn from what the model holds likely.

    model: fastai's AWD-LSTM language model. temperature: below 1 the likely becomes likelier. Source: fastai
    `LMLearner.predict`, which never says `xxunk` either.
    """
    if not n_sentences:
        return []
    device = next(model.parameters()).device
    start = numericalize(tokenize(prompt), {token: number for number, token in enumerate(vocabulary)})
    read = torch.from_numpy(start).to(device).expand(n_sentences, -1)
    never = [vocabulary.index(token) for token in (UNK, PAD)]
    said = []
    model.eval()
    model.reset()
    with torch.inference_mode():
        for _ in range(n_words):
            # The model remembers what it has read, so only what is new is read.
            scores = model(read)[0][:, -1].float() / temperature
            scores[:, never] = -torch.inf
            read = torch.multinomial(scores.softmax(-1), 1)
            said.append(read)
    model.reset()
    # The prompt stands there as it was given, also where the model does not know a word of it.
    continuations = torch.cat(said, dim=1).tolist()
    return [f"{prompt} {readable([vocabulary[number] for number in row])}" for row in continuations]


def readable(tokens: Sequence[str]) -> str:
    """Tokens as text, their special tokens carried out: `xxmaj item` is Film, `xxrep 3 !` is !!!."""
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
