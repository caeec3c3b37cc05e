"""The trained classifiers, that tell the labels of a review: from the artifacts of a run to probabilities by label.

No classifier was trained on all items: each holds the items of one fold out. A new review is read by all of them, and
the mean of what they say counts. So of an item that the run knew, most of them have read reviews, and what they say of
another review of it is no test; the scores beside the labels are of items that were held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from fastai.text.core import UNK
from fastai.text.models.core import SequentialRNN
from pydantic import ValidationError
from scipy.special import expit

from latentflix.artifacts import Handle, Store
from latentflix.data.tables import MaybeText, append_columns
from latentflix.errors import ArtifactError
from latentflix.factors.classifiers import ClassifierConfig
from latentflix.factors.folds import RANDOM_SPLIT
from latentflix.runs import Run
from latentflix.text.classifier import backward_name, predict_logits, read_reviews, restore_classifier, reverse
from latentflix.text.cleaning import note_unknown, note_unreadable
from latentflix.text.tokenizer import padding_id

GIVEN, NOTE = "labels", "note"


@dataclass(frozen=True)
class LabelPredictor:
    """Tells the labels of any number of reviews.

    labels: index label; name str, threshold, auc, auc_p float. networks: each with whether it reads from the end.
    """

    labels: pd.DataFrame
    networks: Sequence[tuple[SequentialRNN, bool]]
    vocabulary: Sequence[str]
    classifier_config: ClassifierConfig

    @classmethod
    def read(cls, store: Store, run: Run) -> Self:
        """The classifiers of a run, one for each fold of items and direction of reading.

        Raises ArtifactError if a file was altered, if the run has no thresholds, or if another version of the software
        trained the classifiers in a way that this one does not know; ModelError if the weights do
        not belong to the vocabulary.
        """
        thresholds = store.read_table(run.handle("comparison"), "labels").set_index("label")["threshold"]
        classifier = run.handle("classifier")
        classifier_config = _read_config(store, classifier)
        vocabulary = store.read_json(run.handle("language_model"), "vocabulary")
        scores = store.read_table(run.handle("evaluation"), "labels")
        predicted = store.read_json(classifier, "labels")
        folds = [name for name in store.read_json(classifier, "weights") if name not in (RANDOM_SPLIT, backward_name(RANDOM_SPLIT))]
        labels = scores.loc[predicted, ["auc", "auc_p"]].assign(
            name=pd.Series(store.read_json(run.handle("names"), "names")), threshold=thresholds
        )
        networks = [
            (
                restore_classifier(store.read_arrays(classifier, f"weights_{name}"), vocabulary, classifier_config),
                name not in map(str, range(classifier_config.n_folds)),
            )
            for name in folds
        ]
        return cls(labels[["name", "threshold", "auc", "auc_p"]], networks, vocabulary, classifier_config)

    def tell(self, texts: Sequence[MaybeText]) -> pd.DataFrame:
        """One row a text, in the order given: a float32 probability for each label, labels str, note str.

        labels: those whose probability reaches their threshold, the most probable first, a blank between them. A text
        that cannot be read has no probabilities and no labels, and its note says why.
        """
        notes = [note_unreadable(text) for text in texts]
        rows = [row for row, note in enumerate(notes) if not note]
        probabilities = np.full((len(texts), len(self.labels)), np.nan, np.float32)
        if rows:
            tokens = read_reviews([str(texts[row]) for row in rows], self.vocabulary, self.classifier_config)
            probabilities[rows] = self._ask(tokens)
            for row, ids in zip(rows, tokens, strict=True):
                notes[row] = note_unknown((ids == self.vocabulary.index(UNK)).mean())
        table = pd.DataFrame(probabilities, columns=list(self.labels.index))
        given = [self._given(row) for row in probabilities]
        return table.assign(**{GIVEN: pd.Series(given, dtype="str"), NOTE: pd.Series(notes, dtype="str")})

    def describe(self, probabilities: pd.Series) -> list[dict[str, Any]]:
        """What is known of each label of one text, the most probable first; nothing of one that cannot be read.

        Each: label, name, probability, threshold, given, auc and auc_p (of items held out).
        """
        told = self.labels.assign(probability=probabilities[self.labels.index].astype(float)).dropna(
            subset=["probability"]
        )
        told = told.assign(given=told["probability"] >= told["threshold"])
        ranked = told.sort_values("probability", ascending=False, kind="stable").rename_axis("label").reset_index()
        columns = ["label", "name", "probability", "threshold", "given", "auc", "auc_p"]
        return [{str(name): value for name, value in row.items()} for row in ranked[columns].to_dict("records")]

    def tell_file(self, source: Path, target: Path, text_column: str = "text", batch_rows: int = 2048) -> int:
        """Write the csv or parquet table in `source` to `target`, with the columns of `tell` more.

        Reads and writes `batch_rows` rows at a time. Returns the number of rows. Raises as `append_columns` does.
        """
        return append_columns(source, target, text_column, self.tell, batch_rows)

    def _ask(self, tokens: Sequence[np.ndarray]) -> np.ndarray:
        padding = padding_id(self.vocabulary)
        said = [
            expit(predict_logits(network, reverse(tokens) if backward else tokens, padding))
            for network, backward in self.networks
        ]
        return np.asarray(np.mean(said, axis=0))

    def _given(self, probabilities: np.ndarray) -> str:
        order = np.argsort(-probabilities, kind="stable")
        reached = probabilities >= self.labels["threshold"].to_numpy()
        return " ".join(str(self.labels.index[place]) for place in order if reached[place])


def _read_config(store: Store, classifier: Handle) -> ClassifierConfig:
    try:
        return ClassifierConfig.model_validate(store.manifest(classifier).config)
    except ValidationError as error:
        first = error.errors()[0]
        raise ArtifactError(
            "the classifiers were trained by another version of latentflix",
            where=str(store.path(classifier)),
            found=f"the setting {'.'.join(map(str, first['loc']))}: {first['msg']}",
            hint="train anew with latentflix run",
        ) from error
