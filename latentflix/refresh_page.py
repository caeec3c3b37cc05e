"""What a refresh says at its end: in one sentence, as rows of a table, and which histograms have moved."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from latentflix.markdown import table

_SHOWN = 50


def refresh_sentence(counts: pd.DataFrame, films: int, due: int, version: int) -> str:
    """What came of a refresh, in one line. counts: as `summarise` gives them."""
    total = counts.sum()
    return (
        f"{due:,} of {films:,} films were due; {total['new']:,} new reviews, {total['changed']:,} changed, "
        f"{total['unchanged']:,} unchanged, {total['repeated']:,} left out as repeated; {total['blocked']:,} films "
        f"blocked, {total['error']:,} in error; the review store is at version {version}"
    )


def refresh_rows(
    counts: pd.DataFrame, unusable: Mapping[str, str], obstacles: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of a table, one a source, with what stood in its way."""
    rows = [{**row, "note": obstacles.get(row["source"], "")} for row in counts.reset_index().to_dict("records")]
    return rows + [{"source": source, "note": f"cannot work here: {reason}"} for source, reason in unusable.items()]


def shifts_markdown(shifts: pd.DataFrame, ambiguous: pd.DataFrame) -> str:
    """The films whose histogram moved, as Markdown, and the titles that fit several films. shifts: with `title`."""
    moved = shifts[shifts["moved"]]
    lines = [f"## {len(moved):,} of {len(shifts):,} histograms with new reviews have moved", ""]
    if len(moved):
        lines += table(
            ("film", "reviews", "new", "moved by", "gained", "lost"),
            [
                (film.title, film.reviews, film.new_reviews, _share(film.distance), film.gained, film.lost)
                for film in moved.head(_SHOWN).itertuples()
            ],
        )
    if len(ambiguous):
        lines += ["", f"## {len(ambiguous):,} titles fit several IMDb titles, so none was taken", ""]
        lines += table(
            ("film", "candidates"), list(ambiguous[["title", "candidates"]].head(_SHOWN).itertuples(index=False))
        )
    return "\n".join(lines) + "\n"


def _share(distance: float) -> str:
    return "first reviews" if pd.isna(distance) else f"{distance:.0%}"
