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


def read_nouns(config: Mapping[str, Any]) -> Nouns:
    """Read what things are called from the config of a report, as its manifest has it."""
    several = {
        name: noun
        for one, all_ in (("item", "items"), ("text", "texts"), ("category", "categories"))
        for noun in [config.get(f"{one}_noun") or getattr(NEUTRAL, one)]
        for name, noun in ((one, noun), (all_, config.get(f"{one}_nouns") or f"{noun}s"))
    }
    nouns = NEUTRAL._replace(**several, origin=config.get("origin", NEUTRAL.origin))
    if nouns.category == NEUTRAL.category:
        yardstick = f"genres, year and {nouns.origin}" if nouns.origin else nouns.yardstick
        return nouns._replace(yardstick=yardstick)
    return nouns._replace(metadata="metadata", yardstick="metadata")


def capitalise(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


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
