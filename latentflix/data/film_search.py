"""Which film is meant by a name as somebody types it."""

import re
from collections.abc import Iterator, Sequence

import pandas as pd

from latentflix.data.titles import ARTICLES, plain_name, split_title
from latentflix.errors import UnknownFilm

# Films that an error names.
_NAMED = 10
_NEAREST = 5
_YEAR_BEHIND = re.compile(r"(.+?)[\s,]+((?:18|19|20)\d\d)")


def find_film(films: pd.DataFrame, asked: str) -> int:
    """The movie id of the one film that is called so.

    films: index movie_id; `title` as MovieLens writes it, and `ratings`, how many. asked: a name, or one of the other
    names in a title, with the year or without; case, accents, punctuation and articles do not count. Where no film is
    called so, the words of a name will do. Raises UnknownFilm, naming those in question, if it is not one film.
    """
    titled = films.index[films["title"] == asked.strip()]
    if len(titled) == 1:
        return int(titled[0])
    names = _all_names(films)
    readings = [split_title(asked)]
    if year_behind := _YEAR_BEHIND.fullmatch(asked.strip()):
        # After all else, for some names do end with a year.
        readings.append((split_title(year_behind[1])[0], int(year_behind[2])))
    near: list[int] = []
    for asked_names, year in readings:
        for called in _called(names, [plain_name(name) for name in asked_names]):
            of_year = called if year is None else called[called["year"] == year]
            movie_ids = of_year["movie_id"].unique()
            if len(movie_ids) == 1:
                return int(movie_ids[0])
            if len(movie_ids) > 1:
                raise _ambiguous(asked, films.loc[movie_ids])
            near += called["movie_id"].tolist()
    near += _nearest(names, plain_name(" ".join(readings[-1][0])))
    nearest = films.loc[list(dict.fromkeys(near))[:_NEAREST], "title"]
    raise UnknownFilm(
        "no film is called so",
        found=asked or "an empty name",
        expected=f"one of {len(films):,} films",
        remedy=f"perhaps you mean {', '.join(nearest)}",
    )


def _all_names(films: pd.DataFrame) -> pd.DataFrame:
    """Every name of every film: movie_id, name as names are compared, year."""
    rows = []
    for movie_id, title in films["title"].items():
        names, year = split_title(title)
        rows += [(movie_id, plain_name(name), year) for name in names]
    return pd.DataFrame(rows, columns=["movie_id", "name", "year"])


def _called(names: pd.DataFrame, asked: Sequence[str]) -> Iterator[pd.DataFrame]:
    """The names that are those asked for; then but for an article; then those in which they stand, word by word."""
    yield names[names["name"].isin(asked)]
    bare = {_without_article(name) for name in asked} - {""}
    yield names[names["name"].map(_without_article).isin(bare)]
    yield names[[any(f" {name} " in f" {known} " for name in bare) for known in names["name"]]]


def _without_article(name: str) -> str:
    first, _, rest = name.partition(" ")
    return rest if rest and first in ARTICLES else name


def _nearest(names: pd.DataFrame, asked: str) -> list[int]:
    """The films with the names that need the fewest changes to be the one asked for, the nearest first."""
    from rapidfuzz import fuzz, process

    near = process.extract(asked, names["name"].tolist(), scorer=fuzz.ratio, limit=2 * _NEAREST)
    return [int(names["movie_id"].iloc[row]) for _, _, row in near]


def _ambiguous(asked: str, films: pd.DataFrame) -> UnknownFilm:
    titles = films.sort_values("ratings", ascending=False, kind="stable")["title"]
    more = f" and {len(titles) - _NAMED:,} more" if len(titles) > _NAMED else ""
    return UnknownFilm(
        "several films are called so",
        found=f"{asked}: {', '.join(titles.head(_NAMED))}{more}",
        expected="a name that only one film has, with its year if need be",
    )
