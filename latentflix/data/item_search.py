"""Which item is meant by a name as somebody types it."""

import re
from collections.abc import Iterator, Sequence

import pandas as pd

from latentflix.data.titles import ARTICLES, plain_name, split_title
from latentflix.errors import NotFound

# Items that an error names.
_NAMED = 10
_NEAREST = 5
_YEAR_AT_END = re.compile(r"[\s,]((?:18|19|20)\d\d)\Z")


def find_item(items: pd.DataFrame, asked: str) -> int:
    """Find the id of the item with a name: its own, or one of the other names in its title.

    Case, accents, punctuation and articles do not count, and the year may be left out. If no item has exactly this
    name, the words of a name will do. items: index item_id; `title` as MovieLens writes it, and `ratings`, how many.
    Raises NotFound, naming the nearest, if no item has the name, or several have.
    """
    titled = items.index[items["title"] == asked.strip()]
    if len(titled) == 1:
        return int(titled[0])
    names = _all_names(items)
    readings = [split_title(asked)]
    if at_end := _YEAR_AT_END.search(asked.strip()):
        # Second, because some names do end with a year.
        readings.append((split_title(at_end.string[: at_end.start()].rstrip(", "))[0], int(at_end[1])))
    near: list[int] = []
    for asked_names, year in readings:
        for candidates in _candidates(names, [plain_name(name) for name in asked_names]):
            of_year = candidates if year is None else candidates[candidates["year"] == year]
            item_ids = of_year["item_id"].unique()
            if len(item_ids) == 1:
                return int(item_ids[0])
            if len(item_ids) > 1:
                titles = items.loc[item_ids].sort_values("ratings", ascending=False, kind="stable")["title"]
                more = f" and {len(titles) - _NAMED:,} more" if len(titles) > _NAMED else ""
                raise NotFound(
                    "several items have this name",
                    found=f"{asked}: {', '.join(titles.head(_NAMED))}{more}",
                    expected="a name that only one item has, with its year if need be",
                )
            near += candidates["item_id"].tolist()
    near += _nearest(names, plain_name(" ".join(readings[-1][0])))
    nearest = items.loc[list(dict.fromkeys(near))[:_NEAREST], "title"]
    raise NotFound(
        "no item has this name",
        found=asked or "an empty name",
        expected=f"one of {len(items):,} items",
        hint=f"perhaps you mean {', '.join(nearest)}",
    )


def _all_names(items: pd.DataFrame) -> pd.DataFrame:
    """Every name of every item: item_id, name in the form in which names are compared, year."""
    split = ((item_id, *split_title(title)) for item_id, title in items["title"].items())
    rows = [(item_id, plain_name(name), year) for item_id, names, year in split for name in names]
    return pd.DataFrame(rows, columns=["item_id", "name", "year"])


def _candidates(names: pd.DataFrame, asked: Sequence[str]) -> Iterator[pd.DataFrame]:
    """The names that are equal to those asked for; then equal but for an article; then those that contain them."""
    yield names[names["name"].isin(asked)]
    bare = {_without_article(name) for name in asked} - {""}
    yield names[names["name"].map(_without_article).isin(bare)]
    yield names[[any(f" {name} " in f" {known} " for name in bare) for known in names["name"]]]


def _without_article(name: str) -> str:
    first, _, rest = name.partition(" ")
    return rest if rest and first in ARTICLES else name


def _nearest(names: pd.DataFrame, asked: str) -> list[int]:
    """The items whose names need the fewest changes to become the one asked for, the nearest first."""
    from rapidfuzz import fuzz, process

    near = process.extract(asked, names["name"].tolist(), scorer=fuzz.ratio, limit=2 * _NEAREST)
    return [int(names["item_id"].iloc[row]) for _, _, row in near]
