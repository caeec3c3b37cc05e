"""A trained model that tells the sentiment of reviews: from an artifact on disk to labels and probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from latentflix.artifacts import Handle, Store
from latentflix.data.tables import MaybeText, append_columns
from latentflix.runs import latest_artifact
from latentflix.sentiment.model import LABELS, SentimentModel, SentimentPredictor
from latentflix.text.predictions import PredictionConfig

STAGE, PROGRAM = "sentiment", "python -m flows.sentiment"


@dataclass(frozen=True)
class SentimentFilePredictor:
    """Tells sentiment, of any number of texts."""

    predictor: SentimentPredictor

    @classmethod
    def open(cls, artifacts_dir: Path = Path("artifacts"), config: PredictionConfig | None = None) -> Self:
        """The teller of the newest sentiment artifact.

        Raises ArtifactError if there is no such artifact or if a file of it was altered or cut short, ModelError
        if its weights do not belong together.
        """
        store = Store(artifacts_dir)
        return cls.read(store, latest_artifact(store, STAGE, PROGRAM), config)

    @classmethod
    def read(cls, store: Store, handle: Handle, config: PredictionConfig | None = None) -> Self:
        """The teller of one sentiment artifact. Raises as `open` does."""
        return cls(SentimentPredictor(SentimentModel.load(store, handle), config))

    def tell(self, texts: Sequence[MaybeText]) -> pd.DataFrame:
        """One row a text, in the order given: label str, probability float32 (of being positive), note str.

        A text that cannot be read has no label and no probability, and its note says why.
        """
        probabilities, notes = self.predictor.predict(texts)
        labels = np.array(LABELS, dtype=object)[(probabilities > 0.5).astype(int)]
        labels[np.isnan(probabilities)] = None
        return pd.DataFrame(
            {
                "label": pd.Series(labels, dtype="str"),
                "probability": probabilities,
                "note": pd.Series(notes, dtype="str"),
            }
        )

    def tell_file(self, source: Path, target: Path, text_column: str = "text", batch_rows: int = 2048) -> int:
        """Write the csv or parquet table in `source` to `target`, with the columns of `tell` more.

        Reads and writes `batch_rows` rows at a time. Returns the number of rows. Raises as `append_columns` does.
        """
        return append_columns(source, target, text_column, self.tell, batch_rows)
