"""Texts to tokens, exactly as fastai makes them, in a fraction of the time.

fastai's last rules and spaCy treat what is between two blanks independently, so each distinct word needs them once;
only between two punctuation marks does spaCy look across a blank, for special cases such as two apostrophes.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import chain
from operator import eq
from typing import Literal, cast

import numpy as np
import spacy
from fastai.text.core import (
    BOS,
    PAD,
    TK_MAJ,
    TK_UP,
    UNK,
    defaults,
    fix_html,
    replace_all_caps,
    replace_maj,
    replace_rep,
    replace_space,
    replace_wrep,
    rm_useless_spaces,
    spec_add_spaces,
)
from spacy.symbols import ORTH
from spacy.tokenizer import Tokenizer

from latentflix.text.cleaning import replace_surrogates

# More words than occur twice in 100,000 reviews, in about 100 MB.
CACHED_WORDS = 2**18
# The time that spaCy needs for a word may grow with the square of its length.
LONGEST_WORD = 500
_BLANK = re.compile(r"(?<=\w) (?=\S)|(?<=\S) (?=\w)")
# A line break or the like within a word is a token of its own.
_BREAK = re.compile(r"(?<=\S)([^\S ]+)(?=\S)")
# Python refuses to read such a number, which no character has.
_LONG_NUMBER = re.compile(r"&#[0-9]{4300,};?")
_MARKS = ("", TK_MAJ, TK_UP)
# Letters with hyphens between them, and a punctuation mark or two on either side.
_PLAIN = re.compile("""[("]?[a-z]+(?:-[a-z]+)*(?:'s)?[,.!?;:")]{0,3}""")
# spaCy has a special case for it too, which only makes it one token.
_POSSESSIVE = "'s"
_PIECES = re.compile(f"[a-z]+|{_POSSESSIVE}|.")

Part = Literal["first", "last"]


def tokenize(text: str) -> list[str]:
    """The tokens of a text, as fastai's `Tokenizer` with its default rules and spaCy makes them.

    Surrogates are replaced, and what has more than 500 characters without a blank is split. Source: fastai `text.core`,
    whose rules these are, in its order.
    """
    text = replace_rep(fix_html(_LONG_NUMBER.sub("\ufffd", replace_surrogates(text))))
    words = text.split()
    # The rule is slow, and applies only where a word follows itself.
    if any(map(eq, words, words[1:])):
        text = replace_wrep(text)
    text = rm_useless_spaces(spec_add_spaces(text)).strip()
    words = _BLANK.split(text)
    if max(map(len, words)) > LONGEST_WORD:
        words = [word[at : at + LONGEST_WORD] for word in words for at in range(0, len(word), LONGEST_WORD)]
    return [BOS, *chain.from_iterable(map(_split_word, words))]


@lru_cache(CACHED_WORDS)
def _split_word(word: str) -> tuple[str, ...]:
    parts = _BREAK.split(word)
    if len(parts) > 1:
        return tuple(token for part in parts for token in _split_word(part))
    cased = word if word.islower() else replace_maj(replace_all_caps(word)).lower()
    marks, _, core = cased.rpartition(" ")
    if marks in _MARKS and core.count(".") < 2 and _PLAIN.fullmatch(core):
        pieces = _PIECES.findall(core)
        if not _has_special_case(pieces):
            # spaCy splits off punctuation, splits words at hyphens, and does nothing else.
            return (marks, *pieces) if marks else tuple(pieces)
    return tuple(replace_space(token.text) for token in _english()(cased))


def _has_special_case(pieces: Sequence[str]) -> bool:
    """Whether any adjacent pieces together are a special case of spaCy, as `:)` or `that's`."""
    rules = _english().rules
    places = range(len(pieces) + 1)
    together = ("".join(pieces[start:end]) for start in places for end in places[start + 1 :])
    return any(part in rules for part in together if part != _POSSESSIVE)


@cache
def _english() -> Tokenizer:
    tokenizer = cast("Tokenizer", spacy.blank("en").tokenizer)
    # What spaCy computes for each new word, as its shape, no tokenizer needs.
    tokenizer.vocab.lex_attr_getters = {}
    for token in defaults.text_spec_tok:
        tokenizer.add_special_case(token, [{ORTH: token}])
    return tokenizer


def numericalize(tokens: Sequence[str], ids: dict[str, int]) -> np.ndarray:
    """The id of each token, int64; that of `xxunk` for an unknown token."""
    unknown = ids[UNK]
    return np.fromiter((ids.get(token, unknown) for token in tokens), dtype=np.int64, count=len(tokens))


def truncate(ids: np.ndarray, max_tokens: int, part: Part) -> np.ndarray:
    """At most `max_tokens` ids of a text: the first, or `xxbos` and the last."""
    if part == "first" or len(ids) <= max_tokens:
        return ids[:max_tokens]
    return np.concatenate([ids[:1], ids[len(ids) - max_tokens + 1 :]])


def padding_id(vocabulary: Sequence[str]) -> int:
    """The id of the padding token."""
    return vocabulary.index(PAD)
