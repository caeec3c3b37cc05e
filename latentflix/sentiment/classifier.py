"""Whether a review is positive, by the language model's encoder, watched at each step of its unfreezing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from latentflix.config import setting
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.text.classifier import FineTuningConfig, backward_name, reverse, train_classifier
from latentflix.text.language_model import LanguageModel
from latentflix.text.predictions import PredictionConfig, classifier_logits
from latentflix.text.tokenizer import Part, padding_id

NETWORK = "network"


class SentimentClassifierConfig(FineTuningConfig):
    """The classifier of sentiment and how it is trained."""

    max_tokens: int = setting(200, "tokens of a review that are read; the rest is left", ge=8, le=20_000)
    part: Part = setting("last", "which tokens of a longer review: the first, or the last, where the verdict stands")
    batch_size: int = setting(64, "reviews a step", ge=2)


@dataclass(frozen=True)
class SentimentClassifier:
    """A trained classifier of sentiment.

    weights: by NETWORK, and by its `backward_name` if there is one that reads from the end. vocabulary: the token of each id. logits: index review_id,
    of valid and test; float32, a column for each step of unfreezing, in their order: the mean of both directions.
    history: as `train_classifier` gives it.
    """

    weights: dict[str, dict[str, np.ndarray]]
    vocabulary: list[str]
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
    directions = [(NETWORK, language_model, list(tokens))]
    if backward:
        directions.append((backward_name(NETWORK), backward, reverse(tokens)))
    weights, said, histories = {}, [], []
    for name, model, read in directions:
        weights[name], logits, history = _train_direction(name, reviews, read, model, config)
        said.append(logits)
        histories.append(history)
    mean: pd.DataFrame = sum(said[1:], said[0]) / len(said)
    return SentimentClassifier(weights, language_model.vocabulary, mean, pd.concat(histories, ignore_index=True))


def _train_direction(
    name: str,
    reviews: pd.DataFrame,
    tokens: Sequence[np.ndarray],
    language_model: LanguageModel,
    config: SentimentClassifierConfig,
) -> tuple[dict[str, np.ndarray], pd.DataFrame, pd.DataFrame]:
    """The weights, the logits after each step on valid and test, and the history of one direction."""
    part = reviews["part"]
    used, watched = (np.flatnonzero(part.isin(parts)).tolist() for parts in ([TRAIN, VALID], [VALID, TEST]))
    asked = [tokens[row] for row in watched]
    padding = padding_id(language_model.vocabulary)
    by_step: dict[str, np.ndarray] = {}

    def ask(step: str, classifier: torch.nn.Module) -> None:
        by_step[step] = classifier_logits(classifier, asked, 1, padding, PredictionConfig())[:, 0]

    weights, history = train_classifier(
        name,
        [tokens[row] for row in used],
        reviews[["positive"]].to_numpy(np.float32)[used],
        (part == VALID).to_numpy()[used],
        language_model,
        config,
        ask,
    )
    index = pd.Index(reviews["review_id"].iloc[watched], name="review_id")
    return weights, pd.DataFrame(by_step).set_index(index), history
