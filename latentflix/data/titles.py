"""Which IMDb title a MovieLens film is, by its title and year.

MovieLens writes "African Queen, The (1951)", puts other names in parentheses, "Cité des enfants perdus, La (City of
Lost Children, The) (1995)", marks videos with (V), and now and then errs by a year.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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

_YEAR = re.compile(r"\s*\((\d{4})\)\s*(?:\(V\)\s*)?$")
_VIDEO = re.compile(r"\s*\(V\)\s*")
_OTHER_NAME = re.compile(r"\(((?:[^()]|\([^()]*\))*)\)")
_AKA = re.compile(r"^(?:a\.?k\.?a\.?)\s+", re.IGNORECASE)
ARTICLES = (
    *("the", "a", "an", "les", "la", "le", "l'", "un", "une", "il", "lo", "i", "gli", "der", "die", "das", "ein"),
    *("eine", "el", "los", "las", "o", "os", "as", "den", "det", "de", "het"),
)
_ARTICLE = re.compile(rf"^(.+), ({'|'.join(ARTICLES)})$", re.IGNORECASE)


@dataclass(frozen=True)
class Resolved:
    """links: item_id, title, tconst, method, catalog, confidence, one row a film that was found.

    ambiguous: item_id, title, candidates (ids, a blank between them): several titles fit, so none was taken.
    unknown: item_id, title.
    """

    links: pd.DataFrame
    ambiguous: pd.DataFrame
    unknown: pd.DataFrame


class Catalog:
    """Titles by name and year."""

    def __init__(self, name: str, titles: Iterable[tuple[str, int, str]]) -> None:
        """titles: a name as anybody may write it, the year and the IMDb id."""
        self.name = name
        self._tconsts: Mapping[tuple[str, int], set[str]] = defaultdict(set)
        for title, year, tconst in titles:
            self._tconsts[plain_name(title), year].add(tconst)

    def find(self, names: Sequence[str], year: int) -> tuple[Method, set[str]] | None:
        """How a film was found and as which titles: those of the surest way that finds any; None if none does."""
        for method, by_other_name, offsets in _STEPS:
            asked = names[1:] if by_other_name else names[:1]
            found = {
                tconst
                for name in asked
                for offset in offsets
                for tconst in self._tconsts.get((plain_name(name), year + offset), ())
            }
            if found:
                return method, found
        return None


def split_title(title: str) -> tuple[list[str], int | None]:
    """The names in a MovieLens title, the first of them its own, and the year if it has one."""
    rest = title.strip()
    year = _YEAR.search(rest)
    rest = _VIDEO.sub(" ", rest[: year.start()] if year else rest).strip()
    others = [_AKA.sub("", name.strip()) for name in _OTHER_NAME.findall(rest)]
    own = _OTHER_NAME.sub(" ", rest)
    names = [_restore_article(" ".join(name.split())) for name in (own, *others)]
    # Some names are in parentheses as a whole, and some titles do go on with them: "Dangerous Minds (Part 2)".
    names.append(_restore_article(rest))
    return list(dict.fromkeys(name for name in names if name)), int(year[1]) if year else None


def plain_name(name: str) -> str:
    """A name as it is compared: without accents, case and punctuation, "&" as "and", a moved article moved back."""
    letters = unicodedata.normalize("NFKD", _restore_article(name.strip()).replace("&", " and "))
    folded = "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()
    return " ".join(re.sub(r"[^\w\s]", " ", folded.replace("'", "").replace("’", "")).split())


def _restore_article(name: str) -> str:
    moved = _ARTICLE.match(name)
    if not moved:
        return name
    return f"{moved[2]}{moved[1]}" if moved[2].endswith("'") else f"{moved[2]} {moved[1]}"


def resolve_titles(films: pd.DataFrame, catalogs: Sequence[Catalog]) -> Resolved:
    """Which IMDb title each film is, looked up in one catalog after the other until one knows it.

    films: index item_id, `title`, and `tconst` (nullable) where it is known already. A film that fits several titles
    of a catalog is ambiguous: it is not looked up any further, and none is taken.
    """
    links, ambiguous, unknown = [], [], []
    known = films.reindex(columns=["tconst"])["tconst"]
    for item_id, title in films["title"].items():
        if isinstance(known[item_id], str):
            links.append((item_id, title, known[item_id], "known", "ratings", CONFIDENCE["known"]))
            continue
        catalog, found = _look_up(title, catalogs)
        if not found:
            unknown.append((item_id, title))
        elif len(found[1]) > 1:
            ambiguous.append((item_id, title, " ".join(sorted(found[1]))))
        else:
            links.append((item_id, title, *found[1], found[0], catalog, CONFIDENCE[found[0]]))
    return Resolved(
        pd.DataFrame(links, columns=["item_id", "title", "tconst", "method", "catalog", "confidence"]),
        pd.DataFrame(ambiguous, columns=["item_id", "title", "candidates"]),
        pd.DataFrame(unknown, columns=["item_id", "title"]),
    )


def _look_up(title: str, catalogs: Sequence[Catalog]) -> tuple[str, tuple[Method, set[str]] | None]:
    names, year = split_title(title)
    if year is None or not names:
        return "", None
    for catalog in catalogs:
        found = catalog.find(names, year)
        if found:
            return catalog.name, found
    return "", None
