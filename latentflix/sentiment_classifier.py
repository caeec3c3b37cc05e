"""Whether a review is positive, by the language model's encoder, watched at each step of its unfreezing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from latentflix.classifier import UnfreezingConfig, backward_name, reverse, train_classifier
from latentflix.config import setting
from latentflix.language_model import LanguageModel
from latentflix.plots import TEST, TRAIN, VALID
from latentflix.predictions import PredictionConfig, classifier_logits
from latentflix.tokens import padding_id

NETWORK = "network"


class SentimentClassifierConfig(UnfreezingConfig):
    """The classifier of sentiment and how it is trained."""

    max_tokens: int = setting(200, "tokens of a review that are read; the rest is left", ge=8, le=20_000)
    batch_size: int = setting(64, "reviews a step", ge=2)


@dataclass(frozen=True)
class SentimentClassifier:
    """A trained classifier of sentiment.

    weights: by NETWORK, and by its `backward_name` if there is one that reads from the end. logits: index review_id,
    of valid and test; float32, a column for each step of unfreezing, in their order: the mean of both directions.
    history: as `train_classifier` gives it.
    """

    weights: dict[str, dict[str, np.ndarray]]
    logits: pd.DataFrame
    history: pd.DataFrame


def train_sentiment(
    reviews: pd.DataFrame,
    tokens: Sequence[np.ndarray],
    language_model: LanguageModel,
    config: SentimentClassifierConfig,
    backward: LanguageModel | None = None,
) -> SentimentClassifier:
    """Train on the reviews of `train`, and say after each step what it says of `valid` and `test`.

    reviews: review_id, positive, part. tokens: the ids of each in the language model's vocabulary. backward: a
    language model that reads from the end. Nothing of test is learned from or watched. Raises what
    `train_classifier` raises.
    """
    part = reviews["part"].to_numpy()
    watched = np.isin(part, [VALID, TEST])
    train_or_valid = np.isin(part, [TRAIN, VALID])
    indicators = reviews[["positive"]].to_numpy(np.float32)[train_or_valid]
    padding = padding_id(language_model.vocabulary)
    weights, said, histories = {}, [], []
    directions = [(NETWORK, language_model, list(tokens))]
    if backward:
        directions.append((backward_name(NETWORK), backward, reverse(tokens)))
    for name, model, read in directions:
        asked = [read[row] for row in np.flatnonzero(watched)]
        by_step: dict[str, np.ndarray] = {}

        def ask(
            step: str,
            classifier: torch.nn.Module,
            asked: list[np.ndarray] = asked,
            by_step: dict[str, np.ndarray] = by_step,
        ) -> None:
            by_step[step] = classifier_logits(classifier, asked, 1, padding, PredictionConfig())[:, 0]

        learned_from = [read[row] for row in np.flatnonzero(train_or_valid)]
        held_out = part[train_or_valid] == VALID
        weights[name], history = train_classifier(name, learned_from, indicators, held_out, model, config, ask)
        said.append(pd.DataFrame(by_step))
        histories.append(history)
    logits = sum(said[1:], said[0]) / len(said)
    logits.index = pd.Index(reviews["review_id"][watched], name="review_id")
    return SentimentClassifier(weights, logits, pd.concat(histories, ignore_index=True))
