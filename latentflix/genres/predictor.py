"""Genres of any plot, predicted by the model of a genres artifact."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from latentflix.artifacts import Store
from latentflix.errors import DataError
from latentflix.genres.model import GenreModel, predict_genres
from latentflix.runs import latest_artifact
from latentflix.text.sentence_embeddings import load_encoder

STAGE, PROGRAM = "genres", "python -m flows.genres"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GenrePredictor:
    """A model of genres, and the sentence transformer with which it was trained."""

    model: GenreModel
    encoder: Any

    @classmethod
    def load(cls, artifacts_dir: Path = Path("artifacts"), data_dir: Path | None = None) -> Self:
        """Load the model of the latest genres artifact; `data_dir` is searched first for the encoder's wheel.

        Raises ArtifactError if there is no such artifact or it was altered, and what `load_encoder` raises.
        """
        store = Store(artifacts_dir)
        model = GenreModel.load(store, latest_artifact(store, STAGE, PROGRAM))
        return cls(model, load_encoder(model.embedding.model_copy(update={"data_dir": data_dir})))

    def predict(self, plot: str) -> dict[str, float]:
        """Predict the probability of every genre, the most probable first. Raises DataError if the plot has no word."""
        if not plot.strip():
            raise DataError("a plot is empty", expected="a text that says what happens in a film")
        table, (note,) = predict_genres([plot], self.model, self.encoder)
        if note:
            logger.warning("%s", note)
        ranked = table.iloc[0].sort_values(ascending=False)
        return {str(genre): float(probability) for genre, probability in ranked.items()}

    def predict_table(self, table: pd.DataFrame, plot_column: str = "plot") -> pd.DataFrame:
        """Add a float32 column for each genre to a table of plots, and `note`, which says what is wrong with a plot.

        Raises DataError if there is no column of plots, or one that would be overwritten.
        """
        if plot_column not in table:
            found = ", ".join(map(str, table.columns))
            raise DataError("a table has no column of plots", found=found, expected=plot_column)
        taken = sorted(set(map(str, table.columns)) & {*self.model.genres, "note"})
        if taken:
            raise DataError("a table already has columns of the names to be added", found=", ".join(taken))
        plots = [plot if isinstance(plot, str) else "" for plot in table[plot_column]]
        predicted, notes = predict_genres(plots, self.model, self.encoder)
        return pd.concat([table, predicted.set_axis(table.index), pd.Series(notes, table.index, name="note")], axis=1)

    def above_threshold(self, probabilities: dict[str, float]) -> list[str]:
        """The genres whose probability reaches their own threshold, in the same order."""
        thresholds = dict(zip(self.model.genres, self.model.thresholds.each, strict=True))
        return [genre for genre, probability in probabilities.items() if probability >= thresholds[genre]]
