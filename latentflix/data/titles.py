"""Which IMDb title a film of MovieLens is, by its title and year, which is now and then wrong by one.

A title is written "Cité des enfants perdus, La (City of Lost Children, The) (1995)"; (V) marks a video.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import pandas as pd

Method = Literal["known", "title", "other name", "title, year off by one", "other name, year off by one"]
# How sure a match is: an order, not a probability.
CONFIDENCE: dict[Method, float] = {
    "known": 1.0,
    "title": 0.95,
    "other name": 0.85,
    "title, year off by one": 0.75,
    "other name, year off by one": 0.65,
}
_STEPS: tuple[tuple[Method, bool, tuple[int, ...]], ...] = (
    ("title", False, (0,)),
    ("other name", True, (0,)),
    ("title, year off by one", False, (-1, 1)),
    ("other name, year off by one", True, (-1, 1)),
)

_YEAR = re.compile(r"\((\d{4})\)\s*(?:\(V\)\s*)?$")
_VIDEO = "(V)"
_OTHER_NAME = re.compile(r"\(((?:[^()]|\([^()]*\))*)\)")
_AKA = re.compile(r"^(?:a\.?k\.?a\.?)\s+", re.IGNORECASE)
ARTICLES = (
    *("the", "a", "an", "les", "la", "le", "l'", "un", "une", "il", "lo", "i", "gli", "der", "die", "das", "ein"),
    *("eine", "el", "los", "las", "o", "os", "as", "den", "det", "de", "het"),
)
_ARTICLE = re.compile(rf"^(.+), ({'|'.join(ARTICLES)})$", re.IGNORECASE)


@dataclass(frozen=True)
class Resolved:
    """The films by outcome: found, fitting several titles, so that none was chosen, and the others.

    links: item_id, title, tconst, method, catalog, confidence. ambiguous: item_id, title, candidates (ids, by blanks).
    unknown: item_id, title.
    """

    links: pd.DataFrame
    ambiguous: pd.DataFrame
    unknown: pd.DataFrame


class Catalog:
    """Titles by name and year."""

    def __init__(self, name: str, titles: Iterable[tuple[str, int, str]]) -> None:
        """titles: a name in any spelling, the year and the IMDb id."""
        self.name = name
        self._tconsts: Mapping[tuple[str, int], set[str]] = defaultdict(set)
        for title, year, tconst in titles:
            self._tconsts[plain_name(title), year].add(tconst)

    def find(self, names: Sequence[str], year: int) -> tuple[Method, set[str]] | None:
        """The titles that the surest successful method finds for a film, if any does."""
        for method, by_other_name, offsets in _STEPS:
            keys = product(map(plain_name, names[1:] if by_other_name else names[:1]), (year + off for off in offsets))
            if found := {tconst for key in keys for tconst in self._tconsts.get(key, ())}:
                return method, found
        return None


def split_title(title: str) -> tuple[list[str], int | None]:
    """Split a MovieLens title into its names, its own one first, and the year if it has one."""
    rest = title.strip()
    year = _YEAR.search(rest)
    rest = " ".join(map(str.strip, (rest[: year.start()] if year else rest).split(_VIDEO))).strip()
    others = [_AKA.sub("", name.strip()) for name in _OTHER_NAME.findall(rest)]
    own = _OTHER_NAME.sub(" ", rest)
    names = [_restore_article(" ".join(name.split())) for name in (own, *others)]
    # Parentheses may also be part of the name: "Dangerous Minds (Part 2)".
    names.append(_restore_article(rest))
    return list(dict.fromkeys(name for name in names if name)), int(year[1]) if year else None


def is_same_film(title: str, other: str) -> bool:
    """Whether two MovieLens titles share a name, and their years are known and at most one apart."""
    (names, year), (other_names, other_year) = split_title(title), split_title(other)
    if year is None or other_year is None or abs(year - other_year) > 1:
        return False
    return not {plain_name(name) for name in names}.isdisjoint(plain_name(name) for name in other_names)


def plain_name(name: str) -> str:
    """A name for comparison: no accents, case or punctuation, "&" as "and", a moved article back in its place."""
    letters = unicodedata.normalize("NFKD", _restore_article(name.strip()).replace("&", " and "))
    folded = "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()
    return " ".join(re.sub(r"[^\w\s]", " ", folded.replace("'", "").replace("’", "")).split())


def _restore_article(name: str) -> str:
    moved = _ARTICLE.match(name)
    if not moved:
        return name
    return f"{moved[2]}{moved[1]}" if moved[2].endswith("'") else f"{moved[2]} {moved[1]}"


def resolve_titles(films: pd.DataFrame, catalogs: Sequence[Catalog]) -> Resolved:
    """Look up which IMDb title each film is, in one catalog after another until one knows it.

    films: index item_id, `title`, and `tconst` (nullable) if it is known already. A film that fits several titles of
    a catalog is ambiguous and not looked up any further.
    """
    links, ambiguous, unknown = [], [], []
    known = films.reindex(columns=["tconst"])["tconst"]
    for item_id, title in films["title"].items():
        if isinstance(known[item_id], str):
            links.append((item_id, title, known[item_id], "known", "ratings", CONFIDENCE["known"]))
            continue
        names, year = split_title(title)
        answers = ((catalog.name, catalog.find(names, year)) for catalog in catalogs if year is not None)
        name, found = next((answer for answer in answers if answer[1]), ("", None))
        if not found:
            unknown.append((item_id, title))
        elif len(found[1]) > 1:
            ambiguous.append((item_id, title, " ".join(sorted(found[1]))))
        else:
            links.append((item_id, title, *found[1], found[0], name, CONFIDENCE[found[0]]))
    return Resolved(
        pd.DataFrame(links, columns=["item_id", "title", "tconst", "method", "catalog", "confidence"]),
        pd.DataFrame(ambiguous, columns=["item_id", "title", "candidates"]),
        pd.DataFrame(unknown, columns=["item_id", "title"]),
    )
