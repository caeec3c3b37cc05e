"""How pages and commands write numbers, and what they call an item; nothing heavy is imported here."""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

PAGE = "index.html"
# Control characters, among them those that steer a terminal; halves of a surrogate pair, which no file can hold; and
# the marks that turn the direction of what follows them (Unicode's property Bidi_Control).
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_LONGEST_TEXT, _LONGEST_WORD = 20_000, 500
_LONG_WORD = re.compile(rf"(\S{{{_LONGEST_WORD}}})\S+")
# What each reader reads.
_READERS = {
    "stacked": "all readers of words together (the judge)",
    "words": "words and pairs",
    "topics": "topics",
    "sentences": "sentence vectors",
    "network": "language model",
    "metadata": "{yardstick}; no words",
}


class Nouns(NamedTuple):
    """What pages and commands call things.

    Attributes:
        item, items: what is recommended.
        text, texts: what is written about it.
        category, categories: what it is filed under.
        origin: what the recommender learned its factors from; empty if they were given.
        metadata: what is known of an item before anybody has written about it or rated it.
        yardstick: the same and how it was rated.
    """

    item: str = "item"
    items: str = "items"
    text: str = "review"
    texts: str = "reviews"
    category: str = "genre"
    categories: str = "genres"
    origin: str = "ratings"
    metadata: str = "genres, year and popularity"
    yardstick: str = "genres, year and ratings"


NEUTRAL = Nouns()
_NAMED = ("item", "text", "category")


def read_nouns(config: Mapping[str, Any]) -> Nouns:
    """Read what things are called from the config of a report, as its manifest has it."""
    item, text, category = (config.get(f"{name}_noun") or getattr(NEUTRAL, name) for name in _NAMED)
    items, texts, categories = (
        config.get(f"{name}_nouns") or f"{noun}s" for name, noun in zip(_NAMED, (item, text, category), strict=True)
    )
    origin = config.get("origin", NEUTRAL.origin)
    metadata = yardstick = "metadata"
    if category == NEUTRAL.category:
        metadata, yardstick = NEUTRAL.metadata, f"genres, year and {origin or NEUTRAL.origin}"
    return Nouns(item, items, text, texts, category, categories, origin, metadata, yardstick)


def capitalise(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def visible(text: str) -> str:
    """The text without control characters and marks of direction; a very long text or word is cut."""
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
    return _LONG_WORD.sub(r"\1…", _INVISIBLE.sub("", shown))


def decimals(number: float | None, places: int = 2) -> str:
    """The number with so many decimals; a dash for None and NaN."""
    return "–" if number is None or math.isnan(number) else f"{number:z.{places}f}"


def describe_reader(reader: str, nouns: Nouns = NEUTRAL) -> str:
    """What a reader reads, for people who do not know its name."""
    return _READERS.get(reader, reader).format_map(nouns._asdict())


def figure(value: Any) -> str:
    """The value as text, a float in four digits; a dash for None and NaN."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return "–" if value is None else str(value)
