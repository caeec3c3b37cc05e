"""Genres of any plot, predicted by the model of a genres artifact."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from latentflix.artifacts import Store
from latentflix.data.tables import MaybeText, append_columns
from latentflix.errors import DataError
from latentflix.genres.model import GenreModel, TrainedGenres, predict_genres
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
        """Load the latest genres artifact. Raises ArtifactError, and what `load_encoder` raises."""
        store = Store(artifacts_dir)
        model = store.read_field(latest_artifact(store, STAGE, PROGRAM), TrainedGenres, "model")
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

    def predict_file(self, source: Path, target: Path, plot_column: str = "plot", batch_rows: int = 2048) -> int:
        """Copy a csv or parquet file with the genres of `predict_genres` and `note` added; see `append_columns`."""

        def predict(plots: Sequence[MaybeText]) -> pd.DataFrame:
            table, notes = predict_genres(plots, self.model, self.encoder)
            return table.assign(note=pd.Series(notes, dtype="str"))

        return append_columns(source, target, plot_column, predict, batch_rows)

    def above_threshold(self, probabilities: dict[str, float]) -> list[str]:
        """The genres whose probability reaches their own threshold, in the same order."""
        thresholds = dict(zip(self.model.genres, self.model.thresholds.each, strict=True))
        return [genre for genre, probability in probabilities.items() if probability >= thresholds[genre]]
