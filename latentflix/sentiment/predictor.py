"""A trained model that predicts the sentiment of reviews: from an artifact on disk to labels and probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from fastai.text.models.core import SequentialRNN

from latentflix.artifacts import Store
from latentflix.calibration import apply_stacking
from latentflix.data.tables import MaybeText, append_columns
from latentflix.runs import latest_artifact
from latentflix.sentiment.classifier import CLASSIFIER
from latentflix.sentiment.dataset import join_lines
from latentflix.sentiment.model import LABELS, PARTS, ChosenSentiment, SentimentModel
from latentflix.sentiment.tfidf import TFIDF
from latentflix.text.classifier import predict_logits, read_readable, restore_classifier, reverse
from latentflix.text.tfidf import tfidf_logits
from latentflix.text.tokenizer import padding_id

STAGE, PROGRAM = "sentiment", "python -m flows.sentiment"


@dataclass(frozen=True)
class SentimentPredictor:
    """Predicts the sentiment of any number of texts. classifiers: those that the model's predictor needs, by name."""

    model: SentimentModel
    classifiers: dict[str, SequentialRNN]

    @classmethod
    def load(cls, artifacts_dir: Path = Path("artifacts")) -> Self:
        """Load the latest artifact. Raises ArtifactError if there is none or it was altered, ModelError as `build`."""
        store = Store(artifacts_dir)
        return cls.build(store.read_field(latest_artifact(store, STAGE, PROGRAM), ChosenSentiment, "model"))

    @classmethod
    def build(cls, model: SentimentModel) -> Self:
        """Build the classifiers of a model. Raises ModelError if their weights do not fit."""
        used = model.classifiers if CLASSIFIER in PARTS[model.predictor] else {}
        sizes = model.vocabulary, model.classifier_config
        return cls(model, {name: restore_classifier(weights, *sizes) for name, weights in used.items()})

    def predict(self, texts: Sequence[MaybeText]) -> pd.DataFrame:
        """Predict the sentiment of each text, in their order.

        Returns label str, probability float32 (of being positive), note str. A text that cannot be read (none, blank,
        not UTF-8) has no label and no probability, and its note says why; another note may warn of unknown words.
        """
        texts = [join_lines(text) if isinstance(text, str) else text for text in texts]
        rows, tokens, notes = read_readable(texts, self.model.vocabulary, self.model.classifier_config)
        probabilities = np.full(len(texts), np.nan, np.float32)
        if rows:
            probabilities[rows] = self._probabilities([str(texts[row]) for row in rows], tokens)
        labels = np.array(LABELS, dtype=object)[(probabilities > 0.5).astype(int)]
        labels[np.isnan(probabilities)] = None
        columns = {"label": pd.Series(labels, dtype="str"), "probability": probabilities}
        return pd.DataFrame({**columns, "note": pd.Series(notes, dtype="str")})

    def predict_file(self, source: Path, target: Path, text_column: str = "text", batch_rows: int = 2048) -> int:
        """Copy a csv or parquet file with the columns of `predict` added; see `append_columns`."""
        return append_columns(source, target, text_column, self.predict, batch_rows)

    def _probabilities(self, texts: list[str], tokens: list[np.ndarray]) -> np.ndarray:
        logits = {TFIDF: tfidf_logits(texts, self.model.tfidf)}
        if self.classifiers:
            padding = padding_id(self.model.vocabulary)
            by_direction = [
                predict_logits(classifier, tokens if name == CLASSIFIER else reverse(tokens), padding)
                for name, classifier in self.classifiers.items()
            ]
            logits[CLASSIFIER] = np.asarray(np.mean(by_direction, axis=0))
        parts = [logits[name].astype(np.float64) for name in PARTS[self.model.predictor]]
        return apply_stacking(parts, self.model.mixture)[:, 0]
