"""The network as a reader: where its classifiers place items that they have not read about.

Two heads on the same encoders compete. One is the classifiers' own, which predicts labels; the other is a regression of
positions on what that head gets to see.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logit

from latentflix.factors.classifiers import Classifiers, PredictionConfig
from latentflix.factors.documents import Documents
from latentflix.factors.folds import average_by_item
from latentflix.factors.readers.metadata import TableReader
from latentflix.factors.readers.ridge import KernelRidge, fit_ridge
from latentflix.metrics import rank_correlations
from latentflix.text.classifier import FineTuningConfig, backward_name, pooled_states, reverse

NETWORK, LABELS, REGRESSION = "network", "labels", "regression"


@dataclass(frozen=True)
class NetworkPositions:
    """Where the network places items that it has not read about.

    Attributes:
        table: index item_id, float64; a column for each axis, NaN if the chosen head does not know it.
        folds: index item_id, int64.
        heads: index fold, a row for each: labels and regression, the mean rank correlation of each head on the items of
            the other folds, and head, the better one, which predicts the items of this fold.
    """

    table: pd.DataFrame
    folds: pd.Series
    heads: pd.DataFrame

    def summary(self) -> dict[str, float | int]:
        """The mean of what the choices were made by, and how many folds are placed by the regression."""
        return {
            "network_rho_labels": float(self.heads[LABELS].mean()),
            "network_rho_regression": float(self.heads[REGRESSION].mean()),
            "network_folds": len(self.heads),
            "network_folds_by_regression": int((self.heads["head"] == REGRESSION).sum()),
        }


def place_items(
    classifiers: Classifiers,
    predictions: pd.DataFrame,
    reviews: pd.DataFrame,
    tokens: Sequence[np.ndarray],
    vocabulary: Sequence[str],
    documents: Documents,
    positions: pd.DataFrame,
    trained: FineTuningConfig,
    config: PredictionConfig,
) -> NetworkPositions:
    """Place the items of each fold by the head that places those of the other folds better.

    Args:
        predictions: what the classifiers predict of held-out reviews, as `predict_held_out` returns it.
        reviews: review_id, item_id.
        tokens: the ids of each review.
        positions: index item_id, one column per axis.
        trained: how the classifiers were trained.
    """
    folds = classifiers.folds[classifiers.folds.index.isin(documents.items.index)]
    item_ids = reviews.set_index("review_id")["item_id"]
    by_labels = positions_by_labels(predictions, item_ids, classifiers.labels).reindex(folds.index)
    states = {
        fold: _item_states(classifiers, str(fold), reviews["item_id"], tokens, vocabulary, trained, config)
        for fold in np.unique(folds)
    }
    weights = documents.items["weight"].loc[folds.index]
    by_regression = positions_by_regression(states, positions, weights, folds)
    return choose_head(by_labels, by_regression, positions, weights, folds)


def positions_by_labels(predictions: pd.DataFrame, item_ids: pd.Series, labels: list[str]) -> pd.DataFrame:
    """Place items by how much surer the classifiers are of the plus label than of the minus.

    The difference of the two labels' log-odds, averaged over an item's reviews, for each axis both of whose labels are
    predicted: index item_id.

    Args:
        predictions: classifier, review_id, a probability for each label.
        item_ids: index review_id.
    """
    axes = [axis for axis in dict.fromkeys(label[:-1] for label in labels) if {f"{axis}+", f"{axis}-"} <= set(labels)]
    odds = predictions.assign(**{label: logit(predictions[label].clip(1e-6, 1 - 1e-6)) for label in labels})
    items = average_by_item(odds, item_ids, labels)
    return pd.DataFrame({axis: items[f"{axis}+"] - items[f"{axis}-"] for axis in axes}, items.index)


def positions_by_regression(
    states: dict[int, pd.DataFrame], positions: pd.DataFrame, weights: pd.Series, folds: pd.Series
) -> pd.DataFrame:
    """Place items by ridge regression on the encoders' pooled states: index item_id, one column per axis.

    Args:
        states: by fold, how the encoder that has not read about its items sees each item: index item_id.
        positions: index item_id, one column per axis.
        weights: index item_id, how much each item counts.
        folds: index item_id.
    """
    placed = pd.DataFrame(np.nan, folds.index, positions.columns)
    targets = positions.loc[folds.index].to_numpy(np.float64)
    for fold, seen in states.items():
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        reader = TableReader(NETWORK, seen.loc[folds.index].to_numpy(np.float64))
        kernel, others = reader.kernels(train, test, train)
        ridge = KernelRidge.decompose(kernel, weights.loc[folds.index].to_numpy()[train])
        placed.iloc[test] = fit_ridge(ridge, targets[train]).predict(ridge.project(others))
    return placed


def choose_head(
    by_labels: pd.DataFrame, by_regression: pd.DataFrame, positions: pd.DataFrame, weights: pd.Series, folds: pd.Series
) -> NetworkPositions:
    """Take for the items of each fold the head with the higher mean correlation on those of the other folds.

    The mean is over the axes that both heads know; if there is none, the regression is taken. Arguments as for
    `positions_by_regression`.
    """
    axes = by_labels.columns
    truth = positions.loc[folds.index, axes].to_numpy(np.float64)
    rows = []
    for fold in np.unique(folds):
        others = np.flatnonzero(folds != fold)
        groups, weight = folds.to_numpy()[others], weights.loc[folds.index].to_numpy()[others]
        labels, regression = (
            float(np.mean(rank_correlations(head[axes].to_numpy(np.float64)[others], truth[others], groups, weight)))
            if len(axes)
            else np.nan
            for head in (by_labels, by_regression)
        )
        rows.append((fold, labels, regression, LABELS if labels >= regression else REGRESSION))
    heads = pd.DataFrame(rows, columns=["fold", LABELS, REGRESSION, "head"]).set_index("fold")
    regression = (folds.map(heads["head"]) == REGRESSION).to_numpy()[:, None]
    known = by_labels.reindex(columns=positions.columns)
    table = pd.DataFrame(np.where(regression, by_regression, known), folds.index, positions.columns)
    return NetworkPositions(table, folds, heads)


def _item_states(
    classifiers: Classifiers,
    name: str,
    item_ids: pd.Series,
    tokens: Sequence[np.ndarray],
    vocabulary: Sequence[str],
    trained: FineTuningConfig,
    config: PredictionConfig,
) -> pd.DataFrame:
    """The mean over an item's reviews of the pooled states, of both directions if there are two: index item_id."""
    directions = [(name, tokens)]
    if backward_name(name) in classifiers.weights:
        directions.append((backward_name(name), reverse(tokens)))
    states = [
        pooled_states(classifiers.weights[each], read, vocabulary, trained, config.batch_size)
        for each, read in directions
    ]
    return pd.DataFrame(np.hstack(states)).groupby(item_ids.to_numpy()).mean().rename_axis("item_id")
