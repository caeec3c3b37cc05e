"""The sentiment of a review: network, words, or both put together, whichever is best on reviews of other films.

What is tried is scored on validation films in turn: the few numbers that make a logit a probability are learned on
the other validation films, so that both together has no advantage from having more of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from fastai.text.core import UNK
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold

from latentflix.artifacts import Artifact, Handle, Store
from latentflix.calibration import apply_stacking, fit_stacking
from latentflix.config import StageConfig, setting
from latentflix.data.splits import VALID
from latentflix.data.tables import MaybeText
from latentflix.errors import ModelError
from latentflix.sentiment.classifier import NETWORK, SentimentClassifier
from latentflix.sentiment.tfidf import BASELINE, WORDS, SentimentTfidf
from latentflix.text.classifier import FineTuningConfig, backward_name, read_reviews, reverse
from latentflix.text.cleaning import note_fault, note_unknown
from latentflix.text.predictions import PredictionConfig, classifier_logits, restore_classifier
from latentflix.text.tfidf import TfidfModel, restore_tfidf, tfidf_logits
from latentflix.text.tokenizer import padding_id

BOTH = "both"
PARTS = {NETWORK: [NETWORK], WORDS: [WORDS], BOTH: [NETWORK, WORDS]}
LABELS = ("negative", "positive")


class SentimentConfig(StageConfig):
    """How the predictor is chosen."""

    n_folds: int = setting(5, "groups of validation films; each is told with what the others say of the weights", ge=2)
    seed: int = setting(0, "seed of the groups", ge=0)


@dataclass(frozen=True)
class SentimentModel:
    """Everything that tells sentiment.

    predictor: a key of PARTS. mixture: what the logit of each of its parts counts, and what is added; float64.
    vocabulary, classifiers, unfreezing: the network's; classifiers by NETWORK and perhaps its `backward_name`.
    """

    predictor: str
    mixture: np.ndarray
    vocabulary: list[str]
    classifiers: Mapping[str, Mapping[str, np.ndarray]]
    unfreezing: FineTuningConfig
    words: TfidfModel

    def save(self, artifact: Artifact) -> None:
        """Write the model into an artifact."""
        artifact.write_arrays("model", self.arrays())
        artifact.write_json("model", self.names())

    @classmethod
    def load(cls, store: Store, handle: Handle) -> "SentimentModel":
        """Read the model of a sentiment artifact. Raises ArtifactError as `Store.file` does, ModelError as below."""
        return restore_sentiment(store.read_arrays(handle, "model"), store.read_json(handle, "model"))

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name, for one file of weights."""
        networks = {f"{name}/{key}": array for name, part in self.classifiers.items() for key, array in part.items()}
        return {"mixture": self.mixture, **networks, **{f"{WORDS}/{key}": a for key, a in self.words.arrays.items()}}

    def names(self) -> dict[str, Any]:
        """All names and settings, for one JSON file."""
        return {
            "predictor": self.predictor,
            "vocabulary": self.vocabulary,
            "unfreezing": self.unfreezing.model_dump(mode="json"),
            "words": self.words.names(),
        }


@dataclass(frozen=True)
class ChosenSentiment:
    """What was chosen on the validation reviews, and what each predictor says.

    model: what the chosen predictor needs. trials: one row a predictor: predictor, accuracy and log_loss on validation films that its mixture was not learned
    on, chosen; and of the baseline, which is never chosen. probabilities: index review_id, of
    valid and test, a float32 column each.
    """

    model: SentimentModel
    trials: pd.DataFrame
    probabilities: pd.DataFrame

    @property
    def predictor(self) -> str:
        """The one that is taken."""
        return self.model.predictor

    def save(self, artifact: Artifact) -> None:
        """Write the model and the tables into an artifact."""
        self.model.save(artifact)
        artifact.write_table("trials", self.trials)
        artifact.write_table("probabilities", self.probabilities)


def choose_predictor(
    classifier: SentimentClassifier,
    classifier_config: FineTuningConfig,
    tfidf: SentimentTfidf,
    reviews: pd.DataFrame,
    config: SentimentConfig,
) -> ChosenSentiment:
    """Weigh the parts on the validation reviews, and choose the predictor whose log loss on them is least.

    classifier: the network, and classifier_config: how it was trained. tfidf: the words. reviews: index review_id; positive, film, part. The
    log loss of some thousand reviews tells predictors apart where their accuracy still hangs on chance.
    """
    logits = tfidf.logits.assign(**{NETWORK: classifier.logits.iloc[:, -1]})
    known = reviews.loc[logits.index]
    valid = (known["part"] == VALID).to_numpy()
    truth = known.loc[valid, ["positive"]].to_numpy()
    films = known.loc[valid, "film"].to_numpy()
    folds = GroupKFold(config.n_folds, shuffle=True, random_state=config.seed)
    rows, mixtures, probabilities = [], {}, {}
    for predictor, names in {**PARTS, BASELINE: [BASELINE]}.items():
        parts = [logits[[name]].to_numpy(np.float64) for name in names]
        on_valid = [part[valid] for part in parts]
        told = np.zeros(len(truth))
        for learned, held_out in folds.split(films, groups=films):
            mixture = fit_stacking([part[learned] for part in on_valid], truth[learned])
            told[held_out] = apply_stacking([part[held_out] for part in on_valid], mixture)[:, 0]
        mixtures[predictor] = fit_stacking(on_valid, truth)
        probabilities[predictor] = apply_stacking(parts, mixtures[predictor])[:, 0].astype(np.float32)
        rows.append((predictor, float(((told > 0.5) == truth[:, 0]).mean()), float(log_loss(truth[:, 0], told))))
    trials = pd.DataFrame(rows, columns=["predictor", "accuracy", "log_loss"])
    trials["chosen"] = trials.index == trials.loc[trials["predictor"].isin(PARTS), "log_loss"].idxmin()
    predictor = str(trials.loc[trials["chosen"], "predictor"].item())
    model = SentimentModel(
        predictor=predictor,
        mixture=mixtures[predictor],
        vocabulary=classifier.vocabulary,
        classifiers=classifier.weights,
        unfreezing=classifier_config,
        words=tfidf.model,
    )
    return ChosenSentiment(model, trials, pd.DataFrame(probabilities, logits.index))


def restore_sentiment(arrays: Mapping[str, np.ndarray], names: Mapping[str, Any]) -> SentimentModel:
    """The model of what `SentimentModel.arrays` and `names` gave. Raises ModelError if they do not fit."""
    parts: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        part, _, key = name.partition("/")
        parts.setdefault(part, {})[key] = array
    predictor = str(names["predictor"])
    expected = len(PARTS.get(predictor, [])) + 1
    if {NETWORK, WORDS, "mixture"} - set(parts) or len(arrays["mixture"]) != expected:
        raise ModelError(
            "these are not the weights of a model of sentiment",
            found=", ".join(parts),
            expected=f"{NETWORK}, {WORDS} and a mixture of {expected} numbers for {predictor}",
        )
    classifiers = {name: parts[name] for name in (NETWORK, backward_name(NETWORK)) if name in parts}
    return SentimentModel(
        predictor=predictor,
        mixture=arrays["mixture"],
        vocabulary=list(names["vocabulary"]),
        classifiers=classifiers,
        unfreezing=FineTuningConfig.model_validate(names["unfreezing"]),
        words=restore_tfidf(parts[WORDS], names["words"], 1),
    )


class SentimentPredictor:
    """A model of sentiment, put together once and asked any number of times."""

    def __init__(self, model: SentimentModel, config: PredictionConfig | None = None) -> None:
        """Build the networks that the model's predictor needs; raise ModelError if they do not fit."""
        self.model, self.config = model, config or PredictionConfig()
        used = NETWORK in PARTS[model.predictor]
        self.networks = {
            name: restore_classifier(weights, model.vocabulary, model.unfreezing)
            for name, weights in model.classifiers.items()
            if used
        }

    def predict(self, texts: Sequence[MaybeText]) -> tuple[np.ndarray, list[str]]:
        """The probability that each text is positive, float32, in the order given, and a note on each.

        A text that cannot be read (none, blank, not UTF-8) gets NaN and a note that says so; the note of any other
        is empty, or warns that the model knows few of its words.
        """
        notes = [note_fault(text) for text in texts]
        rows = [row for row, note in enumerate(notes) if not note]
        readable = [str(texts[row]) for row in rows]
        probabilities = np.full(len(texts), np.nan, np.float32)
        if not rows:
            return probabilities, notes
        model = self.model
        tokens = read_reviews(readable, model.vocabulary, model.unfreezing)
        logits = {WORDS: tfidf_logits(readable, model.words)}
        if self.networks:
            logits[NETWORK] = self._ask(tokens)
        parts = [logits[name].astype(np.float64) for name in PARTS[model.predictor]]
        probabilities[rows] = apply_stacking(parts, model.mixture)[:, 0]
        unknown = model.vocabulary.index(UNK)
        for row, ids in zip(rows, tokens, strict=True):
            notes[row] = note_unknown(ids, unknown)
        return probabilities, notes

    def _ask(self, tokens: Sequence[np.ndarray]) -> np.ndarray:
        padding = padding_id(self.model.vocabulary)
        said = [
            classifier_logits(network, tokens if name == NETWORK else reverse(tokens), 1, padding, self.config)
            for name, network in self.networks.items()
        ]
        return np.asarray(np.mean(said, axis=0))
