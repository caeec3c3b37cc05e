"""The sentiment of a review: classifier, TF-IDF, or both combined, whichever is best on reviews of other films."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold

from latentflix.calibration import apply_stacking, fit_stacking
from latentflix.config import StageConfig, setting
from latentflix.data.splits import VALID
from latentflix.errors import ModelError
from latentflix.sentiment.classifier import CLASSIFIER, SentimentClassifier
from latentflix.sentiment.tfidf import BASELINE, TFIDF, SentimentTfidf
from latentflix.text.classifier import FineTuningConfig
from latentflix.text.tfidf import TfidfModel

COMBINED = "combined"
PARTS = {CLASSIFIER: [CLASSIFIER], TFIDF: [TFIDF], COMBINED: [CLASSIFIER, TFIDF]}
LABELS = ("negative", "positive")


class SentimentConfig(StageConfig):
    """How the predictor is chosen."""

    n_folds: int = setting(5, "groups of validation films; each is predicted with weights fitted on the others", ge=2)
    seed: int = setting(0, "seed of the groups", ge=0)


@dataclass(frozen=True)
class SentimentModel:
    """Everything that predicts sentiment. Raises ModelError if its parts do not fit.

    predictor: a key of PARTS. mixture: the weight of each of its parts' logits, and the intercept; float64. vocabulary:
    the classifier's. classifiers: as in `SentimentClassifier.weights`.
    """

    predictor: str
    mixture: np.ndarray
    vocabulary: list[str]
    classifiers: dict[str, dict[str, np.ndarray]]
    classifier_config: FineTuningConfig
    tfidf: TfidfModel

    def __post_init__(self) -> None:
        n_weights, n_labels = len(PARTS.get(self.predictor, [])) + 1, len(self.tfidf.intercepts)
        if CLASSIFIER not in self.classifiers or len(self.mixture) != n_weights or n_labels != 1:
            raise ModelError(
                "these are not the weights of a model of sentiment",
                found=f"{', '.join(self.classifiers) or 'no classifier'}, {len(self.mixture)} numbers of a mixture, "
                f"and TF-IDF for {n_labels} labels",
                expected=f"{CLASSIFIER}, a mixture of {n_weights} numbers for {self.predictor}, and TF-IDF for 1 label",
            )


@dataclass(frozen=True)
class ChosenSentiment:
    """The model that was chosen on the validation reviews, and what each candidate predicts.

    trials: predictor, the never chosen baseline among them, accuracy and log_loss on validation films that its mixture
    was not fitted on, chosen. probabilities: index review_id, of valid and test; one float32 column per predictor.
    """

    model: SentimentModel
    trials: pd.DataFrame
    probabilities: pd.DataFrame


def choose_predictor(
    classifier: SentimentClassifier,
    classifier_config: FineTuningConfig,
    tfidf: SentimentTfidf,
    reviews: pd.DataFrame,
    config: SentimentConfig,
) -> ChosenSentiment:
    """Fit each predictor's mixture on the validation reviews, and choose the one with the least log loss on them.

    The log loss of some thousand reviews distinguishes predictors whose accuracies still differ by chance only.
    reviews: index review_id; positive, film, part.
    """
    logits = tfidf.logits.assign(**{CLASSIFIER: classifier.logits.iloc[:, -1]})
    known = reviews.loc[logits.index]
    valid = (known["part"] == VALID).to_numpy()
    y_true = known.loc[valid, ["positive"]].to_numpy()
    films = known.loc[valid, "film"].to_numpy()
    folds = GroupKFold(config.n_folds, shuffle=True, random_state=config.seed)
    rows, mixtures, probabilities = [], {}, {}
    for predictor, names in {**PARTS, BASELINE: [BASELINE]}.items():
        parts = [logits[[name]].to_numpy(np.float64) for name in names]
        on_valid = [part[valid] for part in parts]
        predicted = np.zeros(len(y_true))
        for used, held_out in folds.split(films, groups=films):
            mixture = fit_stacking([part[used] for part in on_valid], y_true[used])
            predicted[held_out] = apply_stacking([part[held_out] for part in on_valid], mixture)[:, 0]
        mixtures[predictor] = fit_stacking(on_valid, y_true)
        probabilities[predictor] = apply_stacking(parts, mixtures[predictor])[:, 0].astype(np.float32)
        accuracy = float(((predicted > 0.5) == y_true[:, 0]).mean())
        rows.append((predictor, accuracy, float(log_loss(y_true, predicted))))
    trials = pd.DataFrame(rows, columns=["predictor", "accuracy", "log_loss"])
    trials["chosen"] = trials.index == trials.loc[trials["predictor"].isin(PARTS), "log_loss"].idxmin()
    predictor = str(trials.loc[trials["chosen"], "predictor"].item())
    model = SentimentModel(
        predictor=predictor,
        mixture=mixtures[predictor],
        vocabulary=classifier.vocabulary,
        classifiers=classifier.weights,
        classifier_config=classifier_config,
        tfidf=tfidf.model,
    )
    return ChosenSentiment(model, trials, pd.DataFrame(probabilities, logits.index))
