"""The factors of every review, each read by a classifier that has never read about its film."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from latentflix.classifier import ClassifierConfig, ReviewBatches, build_classifier, n_outputs, read_reviews
from latentflix.config import StageConfig, setting
from latentflix.language_model import encoder_sizes, load_weights
from latentflix.tokens import padding_id
from latentflix.training import pick_device


class PredictionConfig(StageConfig):
    """How reviews are predicted."""

    batch_size: int = setting(64, "reviews a batch", ge=1)


def predict_reviews(
    weights: Mapping[str, np.ndarray],
    reviews: Sequence[np.ndarray],
    vocabulary: Sequence[str],
    classifier: ClassifierConfig,
    config: PredictionConfig,
) -> np.ndarray:
    """The probability of each label for each review: float32 (reviews, labels), in the order given.

    weights: a classifier's. reviews: token ids, read in batches of similar length. Raises InvalidWeights if the
    weights are no classifier's, or belong to another vocabulary.
    """
    device = pick_device()
    n_labels = n_outputs(weights)
    model = build_classifier(len(vocabulary), n_labels, encoder_sizes(weights), classifier)
    load_weights(model, weights)
    model.to(device).eval()
    probabilities = np.zeros((len(reviews), n_labels), np.float32)
    batches = ReviewBatches(reviews, probabilities, config.batch_size, padding_id(vocabulary))
    bar = tqdm(batches, "predictions", leave=False, disable=None)
    with torch.inference_mode():
        for rows, (tokens, _) in zip(batches.order(), bar, strict=True):
            model.reset()
            probabilities[rows] = torch.sigmoid(model(tokens.to(device))[0]).float().cpu().numpy()
    return probabilities


def predict_held_out(
    classifiers: Mapping[str, Mapping[str, np.ndarray]],
    held_out: pd.DataFrame,
    reviews: pd.DataFrame,
    vocabulary: Sequence[str],
    labels: Sequence[str],
    classifier: ClassifierConfig,
    config: PredictionConfig,
) -> pd.DataFrame:
    """What each classifier says of the reviews that were held out from it.

    classifiers: weights by the classifier's name. held_out: index review_id, a bool column for each classifier.
    reviews: review_id, text. Returns one row a classifier and held-out review: classifier str, review_id str, and a
    float32 probability for each label.
    """
    tokens = read_reviews(reviews["text"], vocabulary, classifier.max_tokens)
    tables = []
    for name, weights in classifiers.items():
        rows = np.flatnonzero(held_out.loc[reviews["review_id"], name])
        chosen = [tokens[row] for row in rows]
        table = pd.DataFrame(predict_reviews(weights, chosen, vocabulary, classifier, config), columns=list(labels))
        table.insert(0, "review_id", reviews["review_id"].to_numpy()[rows])
        table.insert(0, "classifier", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
