"""The classifiers of factors: one for each fold of items, and what each predicts for the reviews held out from it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.factors.folds import RANDOM_SPLIT, assign_folds, frequent_labels, held_out_masks, predict_each
from latentflix.factors.labels import indicator_matrix
from latentflix.text.classifier import FineTuningConfig, backward_name, predict_proba, reverse, train_classifier
from latentflix.text.language_model import LanguageModel


class ClassifierConfig(FineTuningConfig):
    """How the classifiers of factors are trained, and how items are held out from them."""

    n_folds: int = setting(5, "groups of items; each is predicted by a classifier trained on the others", ge=2, le=50)
    random_split: bool = setting(True, "train one more on a random split of reviews, to measure what that split leaks")
    max_reviews_per_item: int | None = setting(
        None, "reviews of an item that are read, drawn at random; not given: all", ge=1
    )
    min_items: int = setting(3, "items with reviews that a label needs; rarer labels are named and left out", ge=1)


class FoldConfig(ClassifierConfig):
    """How the classifiers of factors are trained, and which of them a task trains."""

    classifier: str = setting("0", "a fold that is held out, or the random split")


def fold_configs(config: ClassifierConfig) -> list[FoldConfig]:
    """The configs of the tasks that together train all classifiers."""
    names = [*map(str, range(config.n_folds)), *[RANDOM_SPLIT][: config.random_split]]
    return [FoldConfig(**config.model_dump(), classifier=name) for name in names]


class PredictionConfig(StageConfig):
    """How reviews are predicted."""

    batch_size: int = setting(64, "reviews per batch", ge=1)


@dataclass(frozen=True)
class Classifiers:
    """Trained classifiers, and what was held out from each.

    Attributes:
        rare: index label, items; the labels that too few items have.
        weights: by the classifier's name, and by its `backward_name` those of the one that reads backward.
        folds: index item_id.
        held_out: index review_id, one bool column per classifier.
        history: one row per epoch: classifier, step, train_loss, valid_loss.
    """

    labels: list[str]
    rare: pd.DataFrame
    weights: dict[str, dict[str, np.ndarray]]
    folds: pd.Series
    held_out: pd.DataFrame
    history: pd.DataFrame


def choose_reviews(reviews: pd.DataFrame, item_ids: Collection[int], config: ClassifierConfig) -> pd.DataFrame:
    """Choose the reviews of these items that classifiers read. reviews: review_id, item_id, sorted by review_id.

    Ids are hashes, so the first reviews of an item are drawn at random.
    """
    of_items = reviews[reviews["item_id"].isin(item_ids)]
    if config.max_reviews_per_item:
        of_items = of_items[of_items.groupby("item_id").cumcount() < config.max_reviews_per_item]
    return of_items.reset_index(drop=True)


def train_classifiers(
    reviews: pd.DataFrame,
    tokens: Sequence[np.ndarray],
    item_labels: pd.DataFrame,
    labels: Sequence[str],
    groups: pd.Series,
    language_model: LanguageModel,
    config: ClassifierConfig,
    backward: LanguageModel | None = None,
    names: Collection[str] | None = None,
) -> Classifiers:
    """Train a classifier for each fold of items and, if asked for, one on a random split of reviews.

    Raises NotEnoughData as `frequent_labels` and `assign_folds` do.

    Args:
        reviews: review_id, item_id.
        tokens: the ids of each review in the language model's vocabulary.
        item_labels: item_id, label; an item without one stands far out on no factor.
        backward: a language model that reads backward; then each classifier gets a second one, made of it.
        names: of the classifiers to train; not given: all.
    """
    item_ids = reviews["item_id"]
    predicted, rare = frequent_labels(item_labels, item_ids, labels, config.min_items)
    indicators = indicator_matrix(item_labels, item_ids, predicted)
    folds = assign_folds(item_ids, indicators, groups, config.n_folds, config.seed)
    held_out = held_out_masks(item_ids, folds, config.n_folds, config.random_split, config.seed)
    weights, histories = {}, []
    for fold, mask in held_out.items():
        if names is not None and fold not in names:
            continue
        directions = [(fold, language_model, tokens)]
        if backward:
            directions.append((backward_name(fold), backward, reverse(tokens)))
        for name, model, read in directions:
            weights[name], history = train_classifier(name, read, indicators, mask, model, config)
            histories.append(history)
    masks = pd.DataFrame(held_out, index=pd.Index(reviews["review_id"], name="review_id"))
    return Classifiers(predicted, rare, weights, folds, masks, pd.concat(histories, ignore_index=True))


def merge_classifiers(parts: Sequence[Classifiers]) -> Classifiers:
    """Put the classifiers of several tasks together, in their order."""
    weights = {name: array for part in parts for name, array in part.weights.items()}
    history = pd.concat([part.history for part in parts], ignore_index=True)
    return replace(parts[0], weights=weights, history=history)


def predict_held_out(
    classifiers: Classifiers,
    held_out: pd.DataFrame,
    review_ids: pd.Series,
    tokens: Sequence[np.ndarray],
    vocabulary: Sequence[str],
    classifier_config: FineTuningConfig,
    config: PredictionConfig,
) -> pd.DataFrame:
    """Predict the reviews held out from each classifier; where two read in both directions, by the mean.

    held_out: as in `Classifiers`; perhaps of other reviews. tokens: the ids of each of `review_ids`. Returns what
    `predict_each` does.
    """
    weights = classifiers.weights

    def predict(name: str, mask: np.ndarray) -> np.ndarray:
        chosen = [tokens[int(row)] for row in np.flatnonzero(mask)]
        directions = [(name, chosen)]
        if backward_name(name) in weights:
            directions.append((backward_name(name), reverse(chosen)))
        probabilities = [
            predict_proba(weights[each], read, vocabulary, classifier_config, config.batch_size)
            for each, read in directions
        ]
        return np.asarray(np.mean(probabilities, axis=0))

    return predict_each(review_ids, held_out, classifiers.labels, predict)
