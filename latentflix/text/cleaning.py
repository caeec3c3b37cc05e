"""What a review says, without what a page does: markup, scripts and control characters taken out for the models."""

import re
import warnings

import numpy as np
from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning

from latentflix.data.tables import MaybeText

# What may name a pole: names of people begin with a capital, and do not say what a factor means.
WORD_PATTERN = r"\b[a-z]{3,}\b"
# All of ASCII but tab, line feed and carriage return; in old texts those beyond stand for dashes and quotes.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def plain_text(text: str) -> str:
    """The words of a text that may be HTML: no tags, no scripts or styles, no control characters, entities resolved.

    A line break stays one. What is no markup stays as it is, as in "I <3 it".
    """
    text = _BREAK.sub("\n", _CONTROLS.sub(" ", text))
    if "<" in text or "&" in text:
        with warnings.catch_warnings():
            # A review may look like a file name to a parser of pages.
            warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
            page = BeautifulSoup(text, "html.parser")
        for element in page(["script", "style"]):
            element.decompose()
        # Once more: an entity may stand for such a character.
        text = _CONTROLS.sub(" ", page.get_text(" "))
    return text.strip()


NO_TEXT, NOT_UTF8 = "no text", "not UTF-8"
UNKNOWN_WORDS = "the model does not know most of the words: is it another language?"
# Of the tokens of a text, the share that may be unknown before it is said.
_MOSTLY = 0.5


def note_fault(text: MaybeText) -> str:
    """Why a text cannot be read; empty if it can."""
    if isinstance(text, bytes):
        return NOT_UTF8
    return "" if text and text.strip() else NO_TEXT


def note_unknown(ids: np.ndarray, unknown: int) -> str:
    """A warning if most of a text's tokens are `unknown`, the id of the unknown token; else empty."""
    return UNKNOWN_WORDS if (ids == unknown).mean() > _MOSTLY else ""
