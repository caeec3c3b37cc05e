"""PlotSummaries of the user's own: a csv or parquet file whose columns the settings name."""

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pooch
from pydantic import Field, model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.tables import Tables, read_file
from latentflix.errors import DataError

# Cells that an error names.
_NAMED = 10


class PlotSource(StageConfig):
    """A file of plots, and how its columns are called. Without a path, the plots are those of the data set."""

    path: Path | None = setting(None, "plots of your own, with their genres: a csv or parquet file")
    plot_column: str = setting("plot", "the column of plots")
    title_column: str | None = setting(None, "the column of titles, if there is one")
    year_column: str | None = setting(None, "the column of years of release, if there is one")
    genres_column: str | None = setting("genres", "the column of genres, all of a film in one text")
    one_hot: bool = setting(False, "every column that is not named here is a genre, 1 where a film has it, else 0")

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if not self.one_hot and self.genres_column is None:
            raise ValueError("name a column of genres, or say that they are one-hot")
        return self


class PlotSourceConfig(PlotSource):
    """A file of plots, known by what it holds: the same file elsewhere makes no other artifact."""

    path: Path = Field(exclude=True, description="as in PlotSource")
    sha256: str = Field(description="SHA-256 of the file")


def with_fingerprint(source: PlotSource) -> PlotSourceConfig:
    """The source with the hash of its file. Raises DataError if there is no such file."""
    if source.path is None:
        raise ValueError("only a source with a path can be identified")
    if not source.path.is_file():
        raise DataError(
            "there is no such file",
            where=str(source.path),
            expected="a csv or parquet file",
            hint="name another with --plot-source.path",
        )
    return PlotSourceConfig(**source.model_dump(), sha256=pooch.file_hash(str(source.path)))


def load_plot_source(config: PlotSourceConfig) -> Tables:
    """The table `plots` of the file: plot_id int64, the row counting from 0; plot; genres; title and year if named.

    genres is as the file has it, or of one-hot columns the list of those that are 1. Raises DataError if the file
    cannot be read or lacks a column, DataError if a one-hot column holds anything but 0 and 1.
    """
    table = read_file(config.path)
    columns = ((config.plot_column, "plot"), (config.title_column, "title"), (config.year_column, "year"))
    named = {column: name for column, name in columns if column}
    if config.one_hot:
        genres = [column for column in table.columns if column not in named]
    else:
        genres = [str(config.genres_column)]
    missing = [column for column in (*named, *genres) if column not in table]
    if missing:
        raise DataError(
            "a table lacks columns",
            where=f"{config.path}: {', '.join(missing)}",
            found=", ".join(map(str, table.columns)),
            hint="name them with --plot-source.plot-column and the like",
        )
    plots = table[list(named)].rename(columns=named)
    plots.insert(0, "plot_id", np.arange(len(plots)))
    plots["genres"] = _names_of_ones(table[genres]) if config.one_hot else table[genres[0]]
    return {"plots": plots}


def _names_of_ones(table: pd.DataFrame) -> list[list[str]]:
    numbers = table.apply(pd.to_numeric, errors="coerce")
    wrong = ~numbers.isin([0, 1])
    if wrong.to_numpy().any():
        cells = list(zip(*np.nonzero(wrong.to_numpy()), strict=True))
        named = [f"row {row}, {table.columns[column]}: {table.iloc[row, column]}" for row, column in cells[:_NAMED]]
        raise DataError(
            "one-hot columns hold something else than 0 and 1",
            found="; ".join(named) + (f"; and {len(cells) - _NAMED:,} more" if len(cells) > _NAMED else ""),
            expected="1 where a film has the genre, else 0",
            hint="mend these rows, or name a column of genres with --plot-source.genres-column",
        )
    return [list(table.columns[row]) for row in numbers.to_numpy() == 1]
