"""Labels of any review, predicted by the trained classifiers of a run, from thresholds that were tuned on reviews.

No classifier was trained on all items: each holds out the items of one fold. A new review is read by all of them, and
the mean of their probabilities counts. So most of them have read other reviews of an item that the run knew, and their
predictions for it are no test; the scores that come with the labels are of held-out items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from fastai.text.models.core import SequentialRNN
from pydantic import ValidationError
from scipy.special import expit

from latentflix.artifacts import Handle, Store
from latentflix.data.tables import MaybeText, append_columns
from latentflix.errors import ArtifactError
from latentflix.factors.classifiers import ClassifierConfig
from latentflix.runs import Run
from latentflix.text.classifier import backward_name, predict_logits, read_readable, restore_classifier, reverse
from latentflix.text.tokenizer import padding_id

LABELS, NOTE = "labels", "note"


@dataclass(frozen=True)
class LabelPredictor:
    """Predicts the labels of reviews.

    labels: index label; name str, threshold, auc, auc_p float. networks: each with whether it reads backward.
    """

    labels: pd.DataFrame
    networks: Sequence[tuple[SequentialRNN, bool]]
    vocabulary: Sequence[str]
    classifier_config: ClassifierConfig

    @classmethod
    def load(cls, store: Store, run: Run) -> Self:
        """Load the classifiers of a run, one for each fold of items and direction of reading.

        Raises ArtifactError if a file was altered, the run has no thresholds, or the settings are of another version,
        and ModelError if the weights do not belong to the vocabulary.
        """
        tuned = store.read_table(run.handle("comparison"), "labels").set_index("label")
        if "review_threshold" not in tuned:
            raise _of_another_version(store, run.handle("comparison"), "no column review_threshold")
        classifier = run.handle("classifier")
        classifier_config = _read_config(store, classifier)
        vocabulary = store.read_json(run.handle("language_model"), "vocabulary")
        scores = store.read_table(run.handle("label_evaluation"), "labels")
        labels = scores.loc[store.read_json(classifier, "labels"), ["auc", "auc_p"]]
        labels.insert(0, "name", pd.Series(store.read_json(run.handle("names"), "names")))
        labels.insert(1, "threshold", tuned["review_threshold"])
        folds = [str(fold) for fold in range(classifier_config.n_folds)]
        trained = store.read_json(classifier, "weights")
        networks = []
        for name, backward in ((name, name not in folds) for fold in folds for name in (fold, backward_name(fold))):
            if name in trained:
                weights = store.read_arrays(classifier, f"weights_{name}")
                networks.append((restore_classifier(weights, vocabulary, classifier_config), backward))
        return cls(labels, networks, vocabulary, classifier_config)

    def predict(self, texts: Sequence[MaybeText]) -> pd.DataFrame:
        """Predict the labels of texts.

        Returns one row per text: a float32 probability for each label; labels str, those that reach their thresholds,
        the most probable first, separated by blanks; note str, why a text cannot be read and has no probabilities.
        """
        rows, tokens, notes = read_readable(texts, self.vocabulary, self.classifier_config)
        probabilities = np.full((len(texts), len(self.labels)), np.nan, np.float32)
        if rows:
            padding = padding_id(self.vocabulary)
            by_network = [
                expit(predict_logits(network, reverse(tokens) if backward else tokens, padding))
                for network, backward in self.networks
            ]
            probabilities[rows] = np.mean(by_network, axis=0)
        table = pd.DataFrame(probabilities, columns=list(self.labels.index))
        by_probability = np.argsort(-probabilities, axis=1, kind="stable")
        reached = probabilities >= self.labels["threshold"].to_numpy()
        labels = [
            " ".join(self.labels.index[order[row[order]]]) for order, row in zip(by_probability, reached, strict=True)
        ]
        return table.assign(**{LABELS: pd.Series(labels, dtype="str"), NOTE: pd.Series(notes, dtype="str")})

    def describe(self, _: MaybeText, probabilities: pd.Series) -> list[dict[str, Any]]:
        """Describe the labels of one text, given its row of `predict`, the most probable first.

        Returns for each label: label, name, probability, threshold, predicted (whether it reaches its threshold), auc
        and auc_p (on held-out items). Nothing for a text that cannot be read.
        """
        table = self.labels.rename_axis("label").reset_index()
        table.insert(2, "probability", probabilities[self.labels.index].to_numpy(float))
        table.insert(4, "predicted", table["probability"] >= table["threshold"])
        ranked = table.dropna(subset=["probability"]).sort_values("probability", ascending=False, kind="stable")
        return [{str(name): value for name, value in row.items()} for row in ranked.to_dict("records")]

    def predict_file(self, source: Path, target: Path, text_column: str = "text", batch_rows: int = 2048) -> int:
        """Copy a csv or parquet file with the columns of `predict` added; see `append_columns`."""
        return append_columns(source, target, text_column, self.predict, batch_rows)


def _read_config(store: Store, classifier: Handle) -> ClassifierConfig:
    try:
        return ClassifierConfig.model_validate(store.manifest(classifier).config)
    except ValidationError as error:
        first = error.errors()[0]
        found = f"the setting {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise _of_another_version(store, classifier, found) from error


def _of_another_version(store: Store, handle: Handle, found: str) -> ArtifactError:
    return ArtifactError(
        "the classifiers were trained by another version of latentflix",
        where=str(store.path(handle)),
        found=found,
        hint="train them again with latentflix run",
    )
