"""Plain text: what is removed from a text before a model reads it, what identifies it, and why it cannot be read."""

import hashlib
import re

from latentflix.data.tables import MaybeText
from latentflix.text.markup import html_to_text

# Words of three letters or more; "don't" would otherwise leave a word "don".
WORD_PATTERN = r"\b[^\W\d_]{3,}\b(?!['’]t\b)"
NO_TEXT, NOT_UTF8 = "no text", "not UTF-8"
UNKNOWN_WORDS = "the model does not know most of the words: is it another language?"

# All of ASCII but tab, line feed and carriage return; in old texts those beyond stand for dashes and quotes.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain_text(text: str) -> str:
    """Remove tags, scripts, styles and control characters from a text that may be HTML, and resolve its entities.

    A line break becomes a newline. What is not markup stays as it is, as in "I <3 it".
    """
    text = _BREAK.sub("\n", _CONTROLS.sub(" ", text))
    if "<" in text or "&" in text:
        # Once more: an entity may stand for such a character.
        text = _CONTROLS.sub(" ", html_to_text(text))
    return text.strip()


def replace_surrogates(text: str) -> str:
    """Replace each half of a surrogate pair, which cannot be encoded, by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def text_id(text: str) -> str:
    """What identifies a text: the SHA-256 of its UTF-8 bytes, surrogates replaced."""
    return hashlib.sha256(replace_surrogates(text).encode()).hexdigest()


def note_unreadable(text: MaybeText) -> str:
    """Why a text cannot be read; empty if it can."""
    if isinstance(text, bytes):
        return NOT_UTF8
    return "" if text and text.strip() else NO_TEXT


def note_unknown(share: float) -> str:
    """A warning if a model does not know most of a text's tokens, of which `share` are unknown; else empty."""
    return UNKNOWN_WORDS if share > 0.5 else ""
