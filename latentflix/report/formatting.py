"""How pages and commands write numbers, and what they call an item; nothing heavy is imported here."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

PAGE = "index.html"
# What each reader reads.
_READERS = {
    "stacked": "all readers of words together (the judge)",
    "words": "words and pairs",
    "topics": "topics",
    "sentences": "sentence vectors",
    "network": "language model",
    "metadata": "genres, year, ratings; no words",
}


class Nouns(NamedTuple):
    """What one item is called, and what several are."""

    item: str = "item"
    items: str = "items"


NEUTRAL = Nouns()


def read_nouns(config: Mapping[str, Any]) -> Nouns:
    """Read what items are called from the config of a report, as its manifest has it."""
    item = config.get("item_noun") or NEUTRAL.item
    return Nouns(item, config.get("item_nouns") or f"{item}s")


def capitalise(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def decimals(number: float | None, places: int = 2) -> str:
    """The number with so many decimals; a dash for None and NaN."""
    return "–" if number is None or math.isnan(number) else f"{number:z.{places}f}"


def describe_reader(reader: str) -> str:
    """What a reader reads, for people who do not know its name."""
    return _READERS.get(reader, reader)


def figure(value: Any) -> str:
    """The value as text, a float in four digits; a dash for None and NaN."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return "–" if value is None else str(value)
