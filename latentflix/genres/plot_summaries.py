"""Plot summaries with their genres, cleaned, and split into train, valid and test."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit
from pydantic import model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.errors import DataError

logger = logging.getLogger(__name__)


class PlotSummaryConfig(StageConfig):
    """How genres are read, which of them count, and how plots are split."""

    genre_separator: str = setting(",", "what separates the genres of a film; a genre may be quoted")
    min_films: int = setting(50, "films a genre must have; rarer genres are listed and left out", ge=5)
    valid_share: float = setting(0.16, "share of the plots on which settings and thresholds are chosen", gt=0, lt=0.5)
    test_share: float = setting(0.2, "share of the plots that are only scored", gt=0, lt=0.5)
    seed: int = setting(0, "seed of the split", ge=0)

    @model_validator(mode="after")
    def _check_separator(self) -> Self:
        if not self.genre_separator.strip():
            raise ValueError("genres must be separated by something other than blanks")
        return self


@dataclass(frozen=True)
class PlotSummaries:
    """Plots to learn from, and what was left out.

    Attributes:
        plot_summaries: index plot_id; title and year (nullable), plot, part (train, valid, test).
        has_genre: same index, a bool column for each genre, the most frequent first.
        left_out: plot_id, reason.
        rare: index genre; films.
    """

    plot_summaries: pd.DataFrame
    has_genre: pd.DataFrame
    left_out: pd.DataFrame
    rare: pd.DataFrame

    def summary(self) -> dict[str, Any]:
        """Count plots, genres, and what was left out."""
        return {
            "plots": len(self.plot_summaries),
            "genres": len(self.has_genre.columns),
            "left_out": len(self.left_out),
            "rare_genres": len(self.rare),
            "parts": self.plot_summaries["part"].value_counts().to_dict(),
        }


def prepare_plots(table: pd.DataFrame, config: PlotSummaryConfig) -> PlotSummaries:
    """Clean the plots and their genres, leave out what cannot be used, and split the rest into three parts.

    A plot whose genres are all rare stays: it is a negative for the others. Raises DataError if fewer than two genres
    have enough films.

    table: plot_id, plot, genres (a text or a list), and title and year if they are known.
    """
    table = table.reindex(columns=["plot_id", "title", "year", "plot", "genres"]).set_index("plot_id")
    table["plot"] = table["plot"].fillna("").astype("str").str.strip()
    genres = pd.Series(unify_spelling([split_genres(raw, config.genre_separator) for raw in table["genres"]]))
    reasons = pd.Series(None, table.index, dtype=object)
    reasons[genres.str.len().to_numpy() == 0] = "no genre"
    reasons[table["plot"].duplicated().to_numpy()] = "same plot as an earlier row"
    reasons[(table["plot"] == "").to_numpy()] = "no plot"
    kept = reasons.isna().to_numpy()
    genres = genres[kept]
    films = Counter(genre for names in genres for genre in names)
    frequent = [genre for genre, count in films.most_common() if count >= config.min_films]
    rare = [(genre, count) for genre, count in films.most_common() if count < config.min_films]
    if len(frequent) < 2:
        raise DataError(
            "there are too few genres to distinguish",
            where=f"{kept.sum():,} plots with a genre",
            found=", ".join(f"{genre}: {count} films" for genre, count in films.most_common(5)) or "no genre",
            expected=f"two genres or more with at least {config.min_films} films",
            hint="lower --plot-summaries.min-films, or check --plot-summaries.genre-separator",
        )
    rows = [[genre in names for genre in frequent] for names in genres]
    has_genre = pd.DataFrame(rows, table.index[kept], frequent)
    plots = table.loc[kept, ["title", "year", "plot"]].astype({"title": "str"})
    plots["part"] = stratified_split(has_genre.to_numpy(), config)
    left_out = reasons[~kept].rename("reason").reset_index()
    logger.info(
        "%d plots, %d genres; left out: %d rows and %d genres that fewer than %d films have",
        *(len(plots), len(frequent), len(left_out), len(rare), config.min_films),
    )
    return PlotSummaries(plots, has_genre, left_out, pd.DataFrame(rare, columns=["genre", "films"]).set_index("genre"))


def split_genres(raw: Any, separator: str) -> list[str]:
    """The genres in a text or a list, in their order, without quotes and blanks around them and without duplicates."""
    if isinstance(raw, str):
        apart = re.escape(separator)
        # Within quotes the separator is part of the name.
        pieces: Iterable[Any] = re.findall(rf'{apart}|(\s*"[^"]*"\s*(?={apart}|$)|(?:(?!{apart}).)+)', raw, re.DOTALL)
    else:
        pieces = raw if isinstance(raw, Sequence | np.ndarray) else []
    names = [" ".join(str(piece).strip(" \t\n\r\"'[]").split()) for piece in pieces]
    first: dict[str, str] = {}
    for name in filter(None, names):
        first.setdefault(name.casefold(), name)
    return list(first.values())


def unify_spelling(lists: Sequence[Sequence[str]]) -> list[list[str]]:
    """Write each name in the most frequent of the spellings that differ only in case."""
    counts = Counter(name for names in lists for name in names)
    spelling: dict[str, str] = {}
    for name, _ in counts.most_common():
        spelling.setdefault(name.casefold(), name)
    return [[spelling[name.casefold()] for name in names] for names in lists]


def stratified_split(has_genre: np.ndarray, config: PlotSummaryConfig) -> np.ndarray:
    """Split plots so that the genres have the same shares in all parts: str (plots,), the part of each.

    Source: Sechidis et al. 2011, iterative stratification. has_genre: bool (plots, genres).
    """
    parts = np.full(len(has_genre), TRAIN, dtype=object)
    left = np.arange(len(has_genre))
    for part, share in ((TEST, config.test_share), (VALID, config.valid_share)):
        split = MultilabelStratifiedShuffleSplit(1, test_size=round(share * len(has_genre)), random_state=config.seed)
        stay, go = next(split.split(left, has_genre[left].astype(int)))
        parts[left[go]] = part
        left = left[stay]
    return parts
