"""The genres of a film from its plot: heads on the plot's vector and its words, put together by what they are worth.

A vector says what a plot is about, words which names and things are in it; neither knows what the other does. Three
numbers, learned on the validation plots and shared by all genres, fit_stacking the two and make their sum a probability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from latentflix.artifacts import Artifact, Handle, Store
from latentflix.calibration import Thresholds, apply_stacking, fit_stacking, tune_thresholds
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TEST, VALID
from latentflix.genres.head import HeadConfig, LossName, head_logits, train_head
from latentflix.text.cleaning import NO_TEXT, note_unknown, note_unreadable
from latentflix.text.sentence_embeddings import EmbeddingConfig, Embeddings, embed_texts
from latentflix.text.tfidf import TfidfConfig, TfidfModel, fit_tfidf, tfidf_logits

_TFIDF_ARRAYS = ("idf", "coefficients", "intercepts")


class GenreConfig(StageConfig):
    """The heads, the words, and what is tried."""

    head: HeadConfig = Field(HeadConfig(), description="the network on the vectors")
    words: TfidfConfig = Field(TfidfConfig(), description="TF-IDF and logistic regression")
    losses: tuple[LossName, ...] = setting(
        ("plain", "weighted", "focal", "asymmetric"), "losses that are tried; the best on validation is taken"
    )
    resampling: tuple[bool, ...] = setting((False, True), "whether plots of rare genres come more often; all are tried")
    n_seeds: int = setting(4, "heads whose logits are averaged", ge=1, le=100)
    shrinkage: float = setting(
        50, "how far the thresholds of rare genres are drawn to what is likely", unit="films", ge=0
    )
    seed: int = setting(0, "seed of the heads", ge=0)


@dataclass(frozen=True)
class GenreModel:
    """Everything that tells genres.

    centre, scale: float32 (size,), of the vectors of the training plots. heads: the weights of each. mixture:
    float64 (3,), what a head's logit counts, what a word's, and what is added.
    """

    genres: list[str]
    centre: np.ndarray
    scale: np.ndarray
    heads: list[dict[str, np.ndarray]]
    words: TfidfModel
    mixture: np.ndarray
    thresholds: Thresholds
    head: HeadConfig
    embedding: EmbeddingConfig

    def save(self, artifact: Artifact) -> None:
        """Write the model into an artifact."""
        artifact.write_arrays("model", self.arrays())
        artifact.write_json("model", self.names())

    @classmethod
    def load(cls, store: Store, handle: Handle) -> "GenreModel":
        """Read the model of a genres artifact.

        Raises:
            ArtifactError: as `Store.file` does.
            ModelError: the weights do not belong together.
        """
        return restore_genres(store.read_arrays(handle, "model"), store.read_json(handle, "model"))

    def arrays(self) -> dict[str, np.ndarray]:
        """All numbers by name, for one file of weights."""
        heads = {
            f"heads.{place}.{name}": array for place, head in enumerate(self.heads) for name, array in head.items()
        }
        words = {f"words.{name}": getattr(self.words, name) for name in _TFIDF_ARRAYS}
        own = {"centre": self.centre, "scale": self.scale, "mixture": self.mixture}
        tuned = {"threshold": np.array([self.thresholds.shared]), "thresholds": self.thresholds.each}
        return {**own, **tuned, **heads, **words}

    def names(self) -> dict[str, Any]:
        """All names and settings, for one JSON file."""
        return {
            "genres": self.genres,
            "words": {"vocabulary": self.words.vocabulary, "config": self.words.config.model_dump(mode="json")},
            "head": self.head.model_dump(mode="json"),
            "embedding": self.embedding.model_dump(mode="json"),
        }


@dataclass(frozen=True)
class TrainedGenres:
    """The model, how it came to be, and what it says.

    trials: one row a setting tried: reading, loss, resampled, average_precision on validation, best_epoch,
    chosen. history: one row an epoch of the heads that were taken: seed, train_loss, valid_loss, missed.
    probabilities, words, vectors: index plot_id, one column a genre, float32: of the model, and of its two parts alone.
    """

    model: GenreModel
    trials: pd.DataFrame
    history: pd.DataFrame
    probabilities: pd.DataFrame
    words: pd.DataFrame
    vectors: pd.DataFrame

    def save(self, artifact: Artifact) -> None:
        """Write the model and the tables into an artifact."""
        self.model.save(artifact)
        for name in ("trials", "history", "probabilities", "words", "vectors"):
            artifact.write_table(name, getattr(self, name))


def restore_genres(arrays: Mapping[str, np.ndarray], names: Mapping[str, Any]) -> GenreModel:
    """The model of what `GenreModel.arrays` and `names` gave. Raises ModelError if they do not fit."""
    heads: dict[str, dict[str, np.ndarray]] = {}
    for name in sorted(name for name in arrays if name.startswith("heads.")):
        _, place, part = name.split(".", 2)
        heads.setdefault(place, {})[part] = arrays[name]
    return GenreModel(
        genres=list(names["genres"]),
        centre=arrays["centre"],
        scale=arrays["scale"],
        heads=[heads[place] for place in sorted(heads, key=int)],
        words=TfidfModel(
            vocabulary=names["words"]["vocabulary"],
            config=TfidfConfig.model_validate(names["words"]["config"]),
            **{name: arrays[f"words.{name}"] for name in _TFIDF_ARRAYS},
        ),
        mixture=arrays["mixture"],
        thresholds=Thresholds(float(arrays["threshold"][0]), arrays["thresholds"]),
        head=HeadConfig.model_validate(names["head"]),
        embedding=EmbeddingConfig.model_validate(names["embedding"]),
    )


def train_genres(
    plots: pd.DataFrame,
    carried: pd.DataFrame,
    embedded: Sequence[tuple[EmbeddingConfig, Embeddings]],
    config: GenreConfig,
) -> TrainedGenres:
    """Learn genres from the training plots; all that is chosen is chosen on the validation plots.

    plots: index plot_id; plot, part. carried: same index, a bool column a genre. embedded: the plots as vectors, in
    each way of reading that is compared. Test plots are read, never learned from. Raises TrainingError.
    """
    part = plots["part"].to_numpy()
    valid, learned = part == VALID, (part != VALID) & (part != TEST)
    truth = carried.to_numpy()
    seen = learned | valid

    rows, heads = [], []
    for (reading, embeddings), loss, resample in product(embedded, config.losses, config.resampling):
        centred, _, _ = _standardise(embeddings.features(), learned)
        head = train_head(
            centred[seen], truth[seen], valid[seen], loss, config.head, resample=resample, seed=config.seed
        )
        heads.append(head)
        best = head.history["missed"].idxmin()
        rows.append((reading.long_texts, loss, resample, 1 - head.history["missed"][best], best + 1))
    trials = pd.DataFrame(rows, columns=["reading", "loss", "resampled", "average_precision", "best_epoch"])
    chosen = int(trials["average_precision"].idxmax())
    trials["chosen"] = trials.index == chosen

    reading, embeddings = embedded[chosen // (len(config.losses) * len(config.resampling))]
    _, loss, resample = rows[chosen][:3]
    centred, centre, scale = _standardise(embeddings.features(), learned)
    taken = [heads[chosen]] + [
        train_head(centred[seen], truth[seen], valid[seen], loss, config.head, resample=resample, seed=seed)
        for seed in range(config.seed + 1, config.seed + config.n_seeds)
    ]
    words = fit_tfidf(list(plots["plot"][learned]), carried[learned], config.words)
    by_vector = np.mean([head_logits(centred, head.weights, truth.shape[1], config.head) for head in taken], axis=0)
    by_word = tfidf_logits(list(plots["plot"]), words)
    both, word, vector = (
        (parts, fit_stacking([part[valid] for part in parts], truth[valid]))
        for parts in ([by_vector, by_word], [by_word], [by_vector])
    )
    probabilities = apply_stacking(*both)
    model = GenreModel(
        genres=list(carried.columns),
        centre=centre,
        scale=scale,
        heads=[head.weights for head in taken],
        words=words,
        mixture=both[1],
        thresholds=tune_thresholds(truth[valid], probabilities[valid], config.shrinkage),
        head=config.head,
        embedding=reading,
    )
    history = pd.concat([head.history.assign(seed=config.seed + place) for place, head in enumerate(taken)])
    tables = (
        pd.DataFrame(values.astype(np.float32), carried.index, carried.columns)
        for values in (probabilities, apply_stacking(*word), apply_stacking(*vector))
    )
    return TrainedGenres(model, trials, history.reset_index(drop=True), *tables)


def _standardise(vectors: np.ndarray, learned: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    centre, scale = vectors[learned].mean(axis=0), vectors[learned].std(axis=0) + np.float32(1e-6)
    return (vectors - centre) / scale, centre, scale


def predict_genres(plots: Sequence[str], model: GenreModel, encoder: Any) -> tuple[pd.DataFrame, list[str]]:
    """The probability of every genre for every plot, and a note on each plot that says what is wrong with it.

    encoder: as `embeddings.load_encoder` gives it for `model.embedding`. Returns one row a plot, one float32 column a
    genre, and the notes, empty where nothing is wrong. A plot without a word gets NaN.
    """
    if not plots:
        return pd.DataFrame(columns=model.genres, dtype=np.float32), []
    embeddings = embed_texts(plots, encoder, model.embedding)
    centred = (embeddings.features() - model.centre) / model.scale
    logits = [head_logits(centred, head, len(model.genres), model.head) for head in model.heads]
    probabilities = apply_stacking([np.mean(logits, axis=0), tfidf_logits(plots, model.words)], model.mixture)
    notes = [
        note_unreadable(plot) or note_unknown(share) for plot, share in zip(plots, embeddings.unknown, strict=True)
    ]
    probabilities[[note == NO_TEXT for note in notes]] = np.nan
    return pd.DataFrame(probabilities.astype(np.float32), columns=model.genres), notes
