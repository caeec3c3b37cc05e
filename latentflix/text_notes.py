"""What is said beside a text that cannot be read, or that a model hardly knows."""

import numpy as np

from latentflix.tables import MaybeText

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
