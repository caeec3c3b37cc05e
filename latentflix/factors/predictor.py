"""Positions of any text on the factors of a run, predicted by the reader of words that has learned from all items.

So it has read all reviews of the run's items, and what it says of one of those is no test; the scores that come with
the positions are of held-out items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from latentflix.artifacts import Store
from latentflix.data.tables import MaybeText, append_columns
from latentflix.factors.labels import POLES
from latentflix.factors.reader_model import ReaderModel, expected_positions, note_text, read_texts, speaking_words
from latentflix.runs import Run
from latentflix.text.cleaning import note_unreadable, plain_text, replace_surrogates

STRONGEST, NOTE = "strongest", "note"


@dataclass(frozen=True)
class PositionPredictor:
    """Predicts where texts stand on the factors.

    Attributes:
        axes: index axis; rho float (of the judge, on held-out items; NaN if not known), holds bool.
        names: by label, as "3+".
    """

    model: ReaderModel
    axes: pd.DataFrame
    names: dict[str, str]

    @classmethod
    def load(cls, store: Store, run: Run) -> Self:
        """Load the reader of a run. Raises ArtifactError if the run has none, or a file was altered."""
        model = store.read(run.handle("reader"), ReaderModel)
        scores = store.read_table(run.handle("evaluation"), "axes").reindex(model.axes)
        axes = pd.DataFrame(
            {
                "rho": scores.get("rho", pd.Series(np.nan, scores.index)).astype(float),
                "holds": scores.get("holds", pd.Series(False, scores.index)).eq(True),
            }
        )
        return cls(model, axes, store.read_json(run.handle("names"), "names"))

    def predict(self, texts: Sequence[MaybeText]) -> pd.DataFrame:
        """Predict where texts stand.

        Returns one row per text: a float32 position for each axis, in standard deviations of texts of its length;
        strongest str, the pole that it speaks of most, of factors that hold if any does; note str, why a text has no
        positions.
        """
        notes = [note_unreadable(text) for text in texts]
        readable = {
            row: self._plain(text) for row, (text, note) in enumerate(zip(texts, notes, strict=True)) if not note
        }
        for row, text in readable.items():
            notes[row] = note_text(self.model, text)
        rows = [row for row in readable if not notes[row]]
        positions = np.full((len(texts), len(self.model.axes)), np.nan, np.float32)
        if rows:
            positions[rows] = read_texts(self.model, [readable[row] for row in rows])
        table = pd.DataFrame(positions, columns=self.model.axes)
        strongest = ["" if note else self._order(position)[0] for note, position in zip(notes, positions, strict=True)]
        return table.assign(**{STRONGEST: pd.Series(strongest, dtype="str"), NOTE: pd.Series(notes, dtype="str")})

    def describe(self, text: MaybeText, predicted: pd.Series, n_words: int = 5) -> list[dict[str, Any]]:
        """Describe where a text stands, given its row of `predict`: the factors that hold first, then the strongest.

        Returns for each factor: axis, label (of the pole on the text's side), name, position, expected (where the item
        stands that this would be a review of, in standard deviations of items), holds, rho, and words of the text that
        speak for that pole. Nothing for a text without positions.
        """
        if predicted[NOTE]:
            return []
        speaking = partial(speaking_words, self.model, self._plain(text), count=n_words)
        positions = predicted[self.model.axes].to_numpy(float)
        expected = dict(zip(self.model.axes, expected_positions(self.model, positions), strict=True))
        return [
            {
                "axis": label[:-1],
                "label": label,
                "name": self.names.get(label, ""),
                "position": float(predicted[label[:-1]]),
                "expected": float(expected[label[:-1]]),
                "holds": bool(self.axes.loc[label[:-1], "holds"]),
                "rho": float(self.axes.loc[label[:-1], "rho"]),
                "words": speaking(label[:-1]),
            }
            for label in self._order(positions)
        ]

    def predict_file(self, source: Path, target: Path, text_column: str = "text", batch_rows: int = 2048) -> int:
        """Copy a csv or parquet file with the columns of `predict` added; see `append_columns`."""
        return append_columns(source, target, text_column, self.predict, batch_rows)

    def _order(self, positions: np.ndarray) -> list[str]:
        """The label of each axis, those that hold first, then by how far out the item is expected."""
        far = np.abs(expected_positions(self.model, positions))
        order = np.lexsort((-np.abs(positions), -far, ~self.axes["holds"].to_numpy()))
        return [f"{self.model.axes[at]}{POLES[int(positions[at] < 0)]}" for at in order]

    @staticmethod
    def _plain(text: MaybeText) -> str:
        return plain_text(replace_surrogates(str(text)))
