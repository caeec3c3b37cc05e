"""Whether a review is positive, predicted by a classifier that is watched at each step of its unfreezing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from fastai.text.models.core import SequentialRNN

from latentflix.config import setting
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.text.classifier import FineTuningConfig, backward_name, predict_logits, reverse, train_classifier
from latentflix.text.language_model import LanguageModel
from latentflix.text.tokenizer import Part, padding_id

CLASSIFIER = "classifier"


class SentimentClassifierConfig(FineTuningConfig):
    """The classifier of sentiment and how it is trained."""

    max_tokens: int = setting(200, "tokens of a review that are read; the rest is ignored", ge=8, le=20_000)
    part: Part = setting("last", "which tokens of a longer review: the first, or the last, where the verdict is")
    batch_size: int = setting(64, "reviews per step", ge=2)


@dataclass(frozen=True)
class SentimentClassifier:
    """A trained classifier of sentiment.

    Attributes:
        weights: by CLASSIFIER, and perhaps by its `backward_name` those of the one that reads backward.
        vocabulary: the token of each id.
        logits: index review_id, of valid and test; one float32 column per step of unfreezing, the mean of both
            directions.
        history: as `train_classifier` returns it.
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
    """Train on the reviews of `train`, and predict those of `valid` and `test` after each step.

    reviews: review_id, positive, part. tokens: the ids of each review in the language model's vocabulary. backward: a
    language model that reads backward; then a second classifier is made of it. Raises as `train_classifier` does.
    """
    part = reviews["part"]
    used, predicted = (np.flatnonzero(part.isin(parts)).tolist() for parts in ([TRAIN, VALID], [VALID, TEST]))
    index = pd.Index(reviews["review_id"].iloc[predicted], name="review_id")
    positive, valid = reviews[["positive"]].to_numpy(np.float32)[used], (part == VALID).to_numpy()[used]
    weights, logits, histories = {}, [], []

    def train(name: str, read: Sequence[np.ndarray], model: LanguageModel) -> None:
        by_step: dict[str, np.ndarray] = {}

        def predict_step(step: str, classifier: SequentialRNN) -> None:
            ids = [read[row] for row in predicted]
            by_step[step] = predict_logits(classifier, ids, padding_id(model.vocabulary))[:, 0]

        used_ids = [read[row] for row in used]
        weights[name], history = train_classifier(name, used_ids, positive, valid, model, config, predict_step)
        logits.append(pd.DataFrame(by_step, index))
        histories.append(history)

    train(CLASSIFIER, tokens, language_model)
    if backward:
        train(backward_name(CLASSIFIER), reverse(tokens), backward)
    mean: pd.DataFrame = sum(logits[1:], logits[0]) / len(logits)
    return SentimentClassifier(weights, language_model.vocabulary, mean, pd.concat(histories, ignore_index=True))
