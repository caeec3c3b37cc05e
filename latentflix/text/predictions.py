"""The factors of every review, each read by a classifier that has never read about its item."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from fastai.text.models.core import SequentialRNN
from scipy.special import expit
from tqdm.auto import tqdm

from latentflix.config import StageConfig, setting
from latentflix.text.classifier import (
    ClassifierBatches,
    FineTuningConfig,
    backward_name,
    build_classifier,
    n_outputs,
    reverse,
)
from latentflix.text.language_model import encoder_sizes, load_weights
from latentflix.text.tokenizer import padding_id
from latentflix.training import pick_device


class PredictionConfig(StageConfig):
    """How reviews are predicted."""

    batch_size: int = setting(64, "reviews a batch", ge=1)


def restore_classifier(
    weights: Mapping[str, np.ndarray], vocabulary: Sequence[str], classifier: FineTuningConfig
) -> SequentialRNN:
    """The classifier with these weights, ready to be asked, on the best device.

    Raises ModelError if the weights are no classifier's, or belong to another vocabulary.
    """
    model = build_classifier(len(vocabulary), n_outputs(weights), encoder_sizes(weights), classifier)
    load_weights(model, weights)
    return model.to(pick_device()).eval()


def classifier_logits(
    model: SequentialRNN, reviews: Sequence[np.ndarray], n_labels: int, padding: int, config: PredictionConfig
) -> np.ndarray:
    """The logits of each label for each review: float32 (reviews, labels), in the order given.

    reviews: token ids, read in batches of similar length. The model is left in evaluation mode.
    """
    device = next(model.parameters()).device
    logits = np.zeros((len(reviews), n_labels), np.float32)
    batches = ClassifierBatches(reviews, logits, config.batch_size, padding)
    model.eval()
    bar = tqdm(batches, "predictions", leave=False, disable=None)
    with torch.inference_mode():
        for rows, (tokens, _) in zip(batches.order(), bar, strict=True):
            model.reset()
            logits[rows] = model(tokens.to(device))[0].float().cpu().numpy()
    return logits


def predict_reviews(
    weights: Mapping[str, np.ndarray],
    reviews: Sequence[np.ndarray],
    vocabulary: Sequence[str],
    classifier: FineTuningConfig,
    config: PredictionConfig,
) -> np.ndarray:
    """The probability of each label for each review: float32 (reviews, labels), in the order given.

    weights: a classifier's. reviews: token ids. Raises ModelError as `restore_classifier` does.
    """
    model = restore_classifier(weights, vocabulary, classifier)
    return expit(classifier_logits(model, reviews, n_outputs(weights), padding_id(vocabulary), config))


def predict_held_out(
    classifiers: Mapping[str, Mapping[str, np.ndarray]],
    held_out: pd.DataFrame,
    review_ids: pd.Series,
    tokens: Sequence[np.ndarray],
    vocabulary: Sequence[str],
    labels: Sequence[str],
    classifier: FineTuningConfig,
    config: PredictionConfig,
) -> pd.DataFrame:
    """What each classifier says of the reviews that were held out from it.

    classifiers: weights by the classifier's name; where there is one of its `backward_name`, which reads from the
    end, the mean of the two counts. held_out: index review_id, a bool column for each classifier. tokens: the ids of
    each of `review_ids`. Returns one row a classifier and held-out review: classifier str, review_id str, and a
    float32 probability for each label.
    """
    tables = []
    for name in held_out:
        rows = np.flatnonzero(held_out.loc[review_ids, name])
        chosen = [tokens[int(row)] for row in rows]
        said = [predict_reviews(classifiers[name], chosen, vocabulary, classifier, config)]
        if backward_name(name) in classifiers:
            from_the_end = classifiers[backward_name(name)]
            said.append(predict_reviews(from_the_end, reverse(chosen), vocabulary, classifier, config))
        table = pd.DataFrame(np.mean(said, axis=0), columns=list(labels))
        table.insert(0, "review_id", review_ids.to_numpy()[rows])
        table.insert(0, "classifier", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
