"""Phrases for both poles of a factor, taken from what a language model wrote: untrusted text."""

import json
import re
import unicodedata

from latentflix.factors.labels import POLES
from latentflix.text.cleaning import plain_text

LONGEST_PHRASE = 80
_THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL | re.IGNORECASE)
_OBJECT = re.compile(r"\{.*?(?:\}|\Z)", re.DOTALL)
_LINE = re.compile(r"""^(?:[^\S\n]|[*"'`])*([+\-\u2212])[\s*"'`]*[:=](.+)$""", re.MULTILINE)
_DECORATION = re.compile(r"[*_`#\"“”<>{}\[\]|\\]+")


def read_phrases(answer: str) -> dict[str, str]:
    """Find the phrase of each pole in an answer: JSON with the keys + and -, or lines that begin with +: and -:.

    Poles of which there is nothing are left out.
    """
    answer = _THOUGHTS.sub("", answer)
    for found in _OBJECT.findall(answer):
        try:
            value = json.loads(found)
        except (ValueError, RecursionError):
            continue
        phrases = {pole: str(value[pole]) for pole in POLES if isinstance(value.get(pole), str)}
        if phrases:
            return phrases
    lines = {pole.replace("\u2212", "-"): phrase for pole, phrase in reversed(_LINE.findall(answer))}
    return {pole: lines[pole] for pole in POLES if pole in lines}


def clean_phrase(phrase: str) -> tuple[str, str]:
    """Clean a phrase to plain text on one line. Returns it and a note, why it cannot be used, else empty."""
    text = plain_text(phrase)
    # Formatting characters can turn the direction of text; a surrogate cannot be written.
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    cleaned = " ".join(_DECORATION.sub(" ", visible).split()).strip(" ,;:.")
    if not cleaned:
        return "", "the answer has an empty phrase"
    if len(cleaned) > LONGEST_PHRASE:
        return "", f"the phrase is longer than {LONGEST_PHRASE} characters"
    return cleaned, ""
