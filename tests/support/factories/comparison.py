"""Predictions of two methods for items whose labels are known."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from latentflix.factors.comparison import CLASSIFIER, Comparison, ComparisonConfig, compare_methods

LABELS = ["1+", "1-", "2+"]
CONFIG = ComparisonConfig(bootstraps=100)


class Case(NamedTuple):
    """Arguments of `compare_methods`, and which items have which labels: bool (items, labels)."""

    predictions: dict[str, pd.DataFrame]
    item_ids: pd.Series
    folds: pd.Series
    item_labels: pd.DataFrame
    y_true: np.ndarray


def make_case(n_items: int = 120, seed: int = 0) -> Case:
    """One review per item; the classifier sees the truth through little noise, the baseline through much."""
    random = np.random.default_rng(seed)
    item_ids = pd.Series(np.arange(n_items), pd.Index([f"r{item}" for item in range(n_items)], name="review_id"))
    y_true = random.random((n_items, len(LABELS))) < [0.5, 0.3, 0.2]
    item, column = np.nonzero(y_true)
    item_labels = pd.DataFrame({"item_id": item, "label": np.array(LABELS)[column]})
    folds = pd.Series(np.arange(n_items) % 4, pd.RangeIndex(n_items, name="item_id"))

    def predict(noise: float) -> pd.DataFrame:
        logits = np.where(y_true, 1.0, -1.0) + noise * random.normal(size=y_true.shape)
        table = pd.DataFrame(1 / (1 + np.exp(-logits)), columns=LABELS)
        table.insert(0, "review_id", item_ids.index)
        table.insert(0, "classifier", folds.astype(str).to_numpy())
        return table

    return Case({CLASSIFIER: predict(0.5), "baseline": predict(3.0)}, item_ids, folds, item_labels, y_true)


def compare(case: Case, **changes: Any) -> Comparison:
    """Compare the methods of a case, with settings changed."""
    predictions, item_ids, folds, item_labels, _ = case
    return compare_methods(predictions, item_ids, folds, item_labels, LABELS, CONFIG.model_copy(update=changes))
