"""Texts to tokens, exactly as fastai makes them, at a fraction of the time.

fastai tokenises by a chain of text rules, spaCy's English tokenizer and a post-rule. The last rules and spaCy look at
what stands between two blanks by itself, so each distinct word needs them once. Only where a sign stands on either side
of a blank does spaCy look across it: its special cases, as two apostrophes, are sought in the tokens of a whole text.
"""

import hashlib
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

# Words that are remembered: more than are seen twice in 100,000 reviews, in about 100 MB.
REMEMBERED_WORDS = 2**18
# The time that spaCy takes for a word may grow with the square of its length.
LONGEST_WORD = 500
_BLANK = re.compile(r"(?<=\w) (?=\S)|(?<=\S) (?=\w)")
# What ends a line or so within a word is a token of its own.
_BREAK = re.compile(r"(?<=\S)([^\S ]+)(?=\S)")
_MARKS = ("", TK_MAJ, TK_UP)
# Letters with hyphens between them, and a sign or two on either side.
_PLAIN = re.compile("""[("]?[a-z]+(?:-[a-z]+)*(?:'s)?[,.!?;:")]{0,3}""")
# It has a rule as well, which says that it is a token.
_POSSESSIVE = "'s"
_PIECES = re.compile(f"[a-z]+|{_POSSESSIVE}|.")
_SURROGATE = re.compile("[\ud800-\udfff]")

Part = Literal["first", "last"]


def replace_surrogates(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which no encoding and no tokenizer takes."""
    return _SURROGATE.sub("\ufffd", text)


def text_id(text: str) -> str:
    """What names a text: the SHA-256 of the UTF-8 bytes of it mended."""
    return hashlib.sha256(replace_surrogates(text).encode()).hexdigest()


def tokenize(text: str) -> list[str]:
    """The tokens of a text, as fastai's `Tokenizer` with its default rules and spaCy gives them.

    A text is mended first, as `replace_surrogates` does; what has more than 500 characters and no blank is cut. Source: fastai
    `text.core`, whose rules these are, in its order.
    """
    text = replace_rep(fix_html(replace_surrogates(text)))
    words = text.split()
    # The rule's search is long, and a word that stands there three times has itself for a neighbour.
    if any(map(eq, words, words[1:])):
        text = replace_wrep(text)
    text = rm_useless_spaces(spec_add_spaces(text)).strip()
    words = _BLANK.split(text)
    if max(map(len, words)) > LONGEST_WORD:
        words = [word[at : at + LONGEST_WORD] for word in words for at in range(0, len(word), LONGEST_WORD)]
    return [BOS, *chain.from_iterable(map(_split_word, words))]


@lru_cache(REMEMBERED_WORDS)
def _split_word(word: str) -> tuple[str, ...]:
    parts = _BREAK.split(word)
    if len(parts) > 1:
        return tuple(token for part in parts for token in _split_word(part))
    cased = word if word.islower() else replace_maj(replace_all_caps(word)).lower()
    marks, _, core = cased.rpartition(" ")
    if marks in _MARKS and core.count(".") < 2 and _PLAIN.fullmatch(core):
        pieces = _PIECES.findall(core)
        if not _holds_special_case(pieces):
            # So spaCy parts the signs from the letters and the letters at their hyphens, and no more.
            return (marks, *pieces) if marks else tuple(pieces)
    return tuple(replace_space(token.text) for token in _english()(cased))


def _holds_special_case(pieces: Sequence[str]) -> bool:
    """Whether any pieces that stand side by side are together what spaCy has a rule for, as `:)` or `that's`."""
    rules = _english().rules
    places = range(len(pieces) + 1)
    together = ("".join(pieces[start:end]) for start in places for end in places[start + 1 :])
    return any(part in rules for part in together if part != _POSSESSIVE)


@cache
def _english() -> Tokenizer:
    tokenizer = cast("Tokenizer", spacy.blank("en").tokenizer)
    # What spaCy works out of each new word, as its shape, no tokenizer asks for.
    tokenizer.vocab.lex_attr_getters = {}
    for token in defaults.text_spec_tok:
        tokenizer.add_special_case(token, [{ORTH: token}])
    return tokenizer


def numericalize(tokens: Sequence[str], ids: dict[str, int]) -> np.ndarray:
    """The ids of the tokens, int64, one each; a token without an id becomes `xxunk`."""
    unknown = ids[UNK]
    return np.fromiter((ids.get(token, unknown) for token in tokens), dtype=np.int64, count=len(tokens))


def truncate(ids: np.ndarray, max_tokens: int, part: Part) -> np.ndarray:
    """The ids of a text, at most so many of them: the first, or `xxbos` and the last."""
    if part == "first" or len(ids) <= max_tokens:
        return ids[:max_tokens]
    return np.concatenate([ids[:1], ids[len(ids) - max_tokens + 1 :]])


def padding_id(vocabulary: Sequence[str]) -> int:
    """The id of the padding token."""
    return vocabulary.index(PAD)
