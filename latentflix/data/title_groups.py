"""Groups of items whose titles say that they belong together: sequels, remakes and other versions of one story.

What is written about one of them says something about the others, so they are held out together.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from latentflix.data.titles import ARTICLES, plain_name, split_title

# What a sequel's title ends with, and what follows the name of the first one.
_NUMERAL = re.compile(r" (?:(?:part|episode|chapter|vol|volume|no) )?(?:\d{1,2}|[ivx]{1,4}|one|two|three|four)$")
_CONTINUES = {
    *(
        "again",
        "and",
        "begins",
        "ever",
        "forever",
        "goes",
        "in",
        "lives",
        "meets",
        "return",
        "returns",
        "resurrection",
        "rides",
    ),
    *("revenge", "strikes", "versus", "vs", "ii", "iii", "iv", "v", "vi", "vii", "2", "3", "4", "5", "6", "part"),
}
_SUBTITLE = re.compile(r": | - |,? part ", re.IGNORECASE)


def group_titles(titles: pd.Series) -> pd.Series:
    """Number the groups of titles that belong together: int64, with the index of `titles`.

    Two titles belong together if a name of one equals a name of the other, numerals, subtitles and a leading article
    left out ("Godfather, The" and "Godfather: Part II, The"; two versions of "Sabrina"), or continues it by a word that
    sequels begin with ("Batman" and "Batman Returns"). It is a rule about titles: it knows nothing of sequels with a
    title of their own, and joins a few films that only share a name.
    """
    owners: dict[str, list[int]] = defaultdict(list)
    for row, title in enumerate(titles):
        for name in _stems(str(title)):
            owners[name].append(row)
    pairs = [(rows[0], row) for rows in owners.values() for row in rows]
    for name, rows in owners.items():
        pairs += [(owners[first][0], rows[0]) for first in _first_parts(name) if first in owners]
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(len(titles), len(titles)))
    return pd.Series(connected_components(links, directed=False)[1].astype(np.int64), titles.index, name="group")


def _stems(title: str) -> Iterator[str]:
    """The names of a title in plain form, as the first film of a series would have them."""
    for name in split_title(title)[0]:
        for part in (name, _SUBTITLE.split(" ".join(name.split()))[0]):
            plain = plain_name(part)
            first, _, rest = plain.partition(" ")
            plain = _NUMERAL.sub("", rest if rest and first in ARTICLES else plain)
            # "Alien" and "Aliens"; a short word is too often only a word.
            yield plain.removesuffix("s") if len(plain) > 4 else plain


def _first_parts(name: str) -> Iterator[str]:
    """What a name begins with before a word that continues it."""
    words = name.split()
    for place in range(1, len(words)):
        if words[place] in _CONTINUES:
            yield " ".join(words[:place])
            return
