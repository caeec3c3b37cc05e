"""Texts to tokens to ids, exactly as fastai makes them, at a fraction of the time.

fastai tokenises by a chain of text rules, spaCy's English tokenizer and a post-rule. spaCy splits a text at
white space first and every chunk by itself, so each distinct chunk needs spaCy once.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, reduce
from typing import cast

import numpy as np
import spacy
from fastai.text.core import PAD, UNK, defaults, replace_space
from spacy.symbols import ORTH
from spacy.tokenizer import Tokenizer

_CHUNK = re.compile(r"\S+|\s+")


@cache
def _english() -> Tokenizer:
    tokenizer = cast("Tokenizer", spacy.blank("en").tokenizer)
    for token in defaults.text_spec_tok:
        tokenizer.add_special_case(token, [{ORTH: token}])
    return tokenizer


@cache
def _split_chunk(chunk: str) -> tuple[str, ...]:
    return tuple(replace_space(token.text) for token in _english()(chunk))


def tokenize(text: str) -> list[str]:
    """The tokens of a text, as fastai's `Tokenizer` with its default rules and spaCy gives them.

    Source: fastai `text.core`; the order of white-space and word chunks follows spaCy's `Tokenizer.__call__`.
    """
    ruled = reduce(lambda so_far, rule: rule(so_far), defaults.text_proc_rules, text)
    tokens: list[str] = []
    for chunk in _CHUNK.findall(ruled):
        if chunk.isspace():
            # The one blank after a word belongs to the word; what is left of the run is a token of its own.
            chunk = chunk.removeprefix(" ") if tokens else chunk
        if chunk:
            tokens.extend(_split_chunk(chunk))
    return tokens


def build_vocabulary(tokenized: Iterable[Sequence[str]], size: int, min_frequency: int) -> list[str]:
    """The tokens that get an id: fastai's special tokens first, then the most frequent ones.

    Returns at most `size` tokens, each seen at least `min_frequency` times; the position is the id.
    Source: fastai `text.data.make_vocab`, without its padding to a multiple of eight.
    """
    counts = Counter(token for tokens in tokenized for token in tokens)
    special = list(defaults.text_spec_tok)
    frequent = [token for token, count in counts.most_common() if count >= min_frequency]
    return (special + [token for token in frequent if token not in special])[:size]


def numericalize(tokens: Sequence[str], ids: dict[str, int]) -> np.ndarray:
    """The ids of the tokens, int64, one each; a token without an id becomes `xxunk`."""
    unknown = ids[UNK]
    return np.fromiter((ids.get(token, unknown) for token in tokens), dtype=np.int64, count=len(tokens))


def padding_id(vocabulary: Sequence[str]) -> int:
    """The id of the padding token."""
    return vocabulary.index(PAD)
