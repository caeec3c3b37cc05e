"""Plot summaries of the user's own: a csv or parquet file whose columns the settings name."""

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.files import hash_file, require_file
from latentflix.data.tables import Tables, read_file, require_columns
from latentflix.errors import DataError

# Wrong cells that an error lists.
_LISTED = 10


class PlotSource(StageConfig):
    """A file of plots, and the names of its columns. Without a path, the plots are those of the data set."""

    path: Path | None = setting(None, "plots of your own, with their genres: a csv or parquet file")
    plot_column: str = setting("plot", "the column of plots")
    title_column: str | None = setting(None, "the column of titles, if there is one")
    year_column: str | None = setting(None, "the column of years of release, if there is one")
    genres_column: str | None = setting("genres", "the column of genres: all genres of a film in one text")
    one_hot: bool = setting(False, "every column that is not named here is a genre: 1 for a film that has it, else 0")

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if not self.one_hot and self.genres_column is None:
            raise ValueError("name a column of genres, or say that they are one-hot")
        return self


class PlotSourceConfig(PlotSource):
    """A file of plots, identified by its content: the same file elsewhere makes the same artifact."""

    path: Path = Field(exclude=True, description="as in PlotSource")
    sha256: str = Field(description="SHA-256 of the file")


def with_fingerprint(source: PlotSource) -> PlotSourceConfig:
    """Add the hash of its file to a source. Raises DataError if there is no such file."""
    if source.path is None:
        raise ValueError("only a source with a path can be identified")
    require_file(source.path, "--plot-source.path")
    return PlotSourceConfig(**source.model_dump(), sha256=hash_file(source.path))


def load_plot_source(config: PlotSourceConfig) -> Tables:
    """Read the file.

    Returns the table `plots`: plot_id int64, the row counting from 0; plot; genres, as in the file, or the list of the
    one-hot columns that are 1; title and year if they are named. Raises DataError if the file cannot be read or lacks a
    column, or a one-hot column holds anything but 0 and 1.
    """
    table = read_file(config.path)
    columns = ((config.plot_column, "plot"), (config.title_column, "title"), (config.year_column, "year"))
    named = {column: name for column, name in columns if column}
    one_hot = [column for column in table.columns if column not in named]
    genres = one_hot if config.one_hot else [str(config.genres_column)]
    hint = "name them with --plot-source.plot-column and the like"
    require_columns(str(config.path), table.columns, (*named, *genres), hint)
    plots = table[list(named)].rename(columns=named)
    plots.insert(0, "plot_id", np.arange(len(plots)))
    plots["genres"] = _names_of_ones(table[genres]) if config.one_hot else table[genres[0]]
    return {"plots": plots}


def _names_of_ones(table: pd.DataFrame) -> list[list[str]]:
    numbers = table.apply(pd.to_numeric, errors="coerce")
    wrong = ~numbers.isin([0, 1])
    if wrong.to_numpy().any():
        cells = list(zip(*np.nonzero(wrong.to_numpy()), strict=True))
        named = [f"row {row}, {table.columns[column]}: {table.iloc[row, column]}" for row, column in cells[:_LISTED]]
        raise DataError(
            "one-hot columns hold other values than 0 and 1",
            found="; ".join(named) + (f"; and {len(cells) - _LISTED:,} more" if len(cells) > _LISTED else ""),
            expected="1 for a film that has the genre, else 0",
            hint="correct these rows, or name a column of genres with --plot-source.genres-column",
        )
    return [list(table.columns[row]) for row in numbers.to_numpy() == 1]
