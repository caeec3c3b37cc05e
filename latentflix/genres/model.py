"""The genres of a film from its plot: networks on the plot's embedding and TF-IDF, stacked."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from latentflix.calibration import Thresholds, apply_stacking, fit_stacking, tune_thresholds
from latentflix.config import StageConfig, setting
from latentflix.data.splits import TRAIN, VALID
from latentflix.data.tables import MaybeText
from latentflix.errors import ModelError
from latentflix.genres.head import Head, HeadConfig, LossName, head_logits, train_head
from latentflix.text.cleaning import note_unknown, note_unreadable
from latentflix.text.sentence_embeddings import EmbeddingConfig, Embeddings, embed_texts
from latentflix.text.tfidf import TfidfConfig, TfidfModel, fit_tfidf, tfidf_logits


class GenreConfig(StageConfig):
    """The networks, TF-IDF, and what is tried."""

    head: HeadConfig = setting(HeadConfig(), "the network on the embeddings")
    tfidf: TfidfConfig = setting(TfidfConfig(), "TF-IDF and logistic regression")
    losses: tuple[LossName, ...] = setting(
        ("plain", "weighted", "focal", "asymmetric"), "losses that are tried; the best on validation is used"
    )
    resampling: tuple[bool, ...] = setting(
        (False, True), "whether plots of rare genres are drawn more often; all are tried"
    )
    n_seeds: int = setting(4, "networks whose logits are averaged", ge=1, le=100)
    shrinkage: float = setting(
        50, "films that the threshold suggested by the probabilities is worth for each genre", unit="films", ge=0
    )
    seed: int = setting(0, "seed of the networks", ge=0)


@dataclass(frozen=True)
class GenreModel:
    """Everything that predicts genres.

    Attributes:
        centre, scale: float32 (size,), mean and standard deviation of the training plots' embeddings.
        heads: by seed, the weights of a network.
        mixture: float64 (3,), shared by all genres: weight of the networks, weight of TF-IDF, intercept.
    """

    genres: list[str]
    centre: np.ndarray
    scale: np.ndarray
    heads: dict[str, dict[str, np.ndarray]]
    tfidf: TfidfModel
    mixture: np.ndarray
    thresholds: Thresholds
    head: HeadConfig
    embedding: EmbeddingConfig

    def __post_init__(self) -> None:
        if len(self.thresholds.each) != len(self.genres):
            raise ModelError(
                "the thresholds of a model do not fit its genres",
                found=f"{len(self.thresholds.each)} thresholds",
                expected=f"{len(self.genres)}, one for each genre",
            )


@dataclass(frozen=True)
class TrainedGenres:
    """The model, how it was chosen, and its predictions.

    Attributes:
        trials: what was tried: reading, loss, resampled, average_precision on validation, best_epoch, chosen.
        history: one row per epoch of the networks that are used: train_loss, valid_loss, one_minus_map, seed.
        probabilities: index plot_id, one float32 column per genre; `tfidf` and `embeddings` are those of each alone.
    """

    model: GenreModel
    trials: pd.DataFrame
    history: pd.DataFrame
    probabilities: pd.DataFrame
    tfidf: pd.DataFrame
    embeddings: pd.DataFrame


def train_genres(
    plots: pd.DataFrame,
    has_genre: pd.DataFrame,
    embedded: Sequence[tuple[EmbeddingConfig, Embeddings]],
    config: GenreConfig,
) -> TrainedGenres:
    """Learn genres from the training plots; everything that is chosen is chosen on the validation plots.

    plots: index plot_id; plot, part. has_genre: same index, a bool column per genre. embedded: the embeddings of the
    plots, in each way of reading that is compared. Raises TrainingError if a loss is NaN or infinite.
    """
    train, valid = ((plots["part"] == part).to_numpy() for part in (TRAIN, VALID))
    y_true, seen = has_genre.to_numpy(), train | valid

    def fit(features: np.ndarray, loss: LossName, resample: bool, seed: int) -> Head:
        return train_head(features[seen], y_true[seen], valid[seen], loss, config.head, resample=resample, seed=seed)

    rows, heads = [], []
    tried = list(product(embedded, config.losses, config.resampling))
    for (reading, embeddings), loss, resample in tried:
        heads.append(fit(_standardise(embeddings, train)[0], loss, resample, config.seed))
        one_minus_map = heads[-1].history["one_minus_map"]
        best = one_minus_map.idxmin()
        rows.append((reading.long_texts, loss, resample, 1 - one_minus_map[best], best + 1))
    trials = pd.DataFrame(rows, columns=["reading", "loss", "resampled", "average_precision", "best_epoch"])
    chosen = int(trials["average_precision"].idxmax())
    trials["chosen"] = trials.index == chosen
    (reading, embeddings), loss, resample = tried[chosen]
    features, centre, scale = _standardise(embeddings, train)
    seeds = range(config.seed, config.seed + config.n_seeds)
    used = {seed: fit(features, loss, resample, seed) if seed > config.seed else heads[chosen] for seed in seeds}
    tfidf = fit_tfidf(list(plots["plot"][train]), has_genre[train], config.tfidf)
    of_heads = np.mean(
        [head_logits(features, head.weights, y_true.shape[1], config.head) for head in used.values()], axis=0
    )
    of_tfidf = tfidf_logits(list(plots["plot"]), tfidf)
    mixtures, probabilities = [], []
    for parts in ([of_heads, of_tfidf], [of_tfidf], [of_heads]):
        mixtures.append(fit_stacking([part[valid] for part in parts], y_true[valid]))
        probabilities.append(apply_stacking(parts, mixtures[-1]))
    model = GenreModel(
        genres=list(has_genre.columns),
        centre=centre,
        scale=scale,
        heads={str(seed): head.weights for seed, head in used.items()},
        tfidf=tfidf,
        mixture=mixtures[0],
        thresholds=tune_thresholds(y_true[valid], probabilities[0][valid], config.shrinkage),
        head=config.head,
        embedding=reading,
    )
    history = pd.concat([head.history.assign(seed=seed) for seed, head in used.items()], ignore_index=True)
    tables = (pd.DataFrame(each.astype(np.float32), has_genre.index, has_genre.columns) for each in probabilities)
    return TrainedGenres(model, trials, history, *tables)


def _standardise(embeddings: Embeddings, train: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features with mean 0 and deviation 1 on the training plots, and the mean and deviation they had."""
    features = embeddings.features()
    centre, scale = features[train].mean(axis=0), features[train].std(axis=0) + np.float32(1e-6)
    return (features - centre) / scale, centre, scale


def predict_genres(plots: Sequence[MaybeText], model: GenreModel, encoder: Any) -> tuple[pd.DataFrame, list[str]]:
    """Predict the genres of plots.

    encoder: as from `load_encoder` for `model.embedding`. Returns one row per plot, one float32 column per genre, NaN
    for a plot that cannot be read; and a note on each plot that says what is wrong with it, empty if nothing is.
    """
    if not plots:
        return pd.DataFrame(columns=model.genres, dtype=np.float32), []
    notes = [note_unreadable(plot) for plot in plots]
    texts = [plot if isinstance(plot, str) else "" for plot in plots]
    embeddings = embed_texts(texts, encoder, model.embedding)
    features = (embeddings.features() - model.centre) / model.scale
    logits = [head_logits(features, head, len(model.genres), model.head) for head in model.heads.values()]
    probabilities = apply_stacking([np.mean(logits, axis=0), tfidf_logits(texts, model.tfidf)], model.mixture)
    probabilities[[bool(note) for note in notes]] = np.nan
    notes = [note or note_unknown(share) for note, share in zip(notes, embeddings.unknown, strict=True)]
    return pd.DataFrame(probabilities.astype(np.float32), columns=model.genres), notes
