"""Factors from ratings: fastai's dot product with biases, fitted from several seeds."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from fastai.collab import EmbeddingDotBias
from fastai.losses import MSELossFlat

from latentflix.config import StageConfig, setting
from latentflix.training import make_learner, pick_device

logger = logging.getLogger(__name__)

_FACTORS = ("user_factors", "item_factors", "user_bias", "item_bias")


class CollabConfig(StageConfig):
    """The recommender: fastai's `EmbeddingDotBias`."""

    n_factors: int = setting(50, "latent factors of a user and of a film", ge=1, le=1000)
    epochs: int = setting(8, "passes over the ratings", ge=1, le=200)
    batch_size: int = setting(512, "ratings a step", ge=1)
    learning_rate: float = setting(7e-3, "peak of the one-cycle schedule", gt=0, le=1)
    weight_decay: float = setting(0.5, "decoupled weight decay", ge=0)
    y_lowest: float = setting(0.0, "lower end of the predictions' range", unit="stars")
    y_highest: float = setting(5.5, "upper end of the predictions' range", unit="stars")
    n_seeds: int = setting(12, "fits, each from another seed; their factors are matched", ge=2, le=200)
    valid_share: float = setting(0.1, "share of the ratings held out to watch the fit", gt=0, lt=1)
    seed: int = setting(0, "seed of the split and of the first fit", ge=0)


@dataclass(frozen=True)
class CollabFit:
    """One fit. Row r of the user arrays is `user_ids[r]`, row r of the item arrays is `movie_ids[r]`.

    user_factors, item_factors: float32 (rows, n_factors). user_bias, item_bias: float32 (rows,).
    valid_loss: mean squared error on the held-out ratings after each epoch.
    """

    user_ids: np.ndarray
    movie_ids: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray
    valid_loss: tuple[float, ...]


class RatingBatches:
    """Ratings as batches of (user and film rows int64 (batch, 2), rating float32 (batch,)), shuffled if asked."""

    def __init__(self, pairs: torch.Tensor, ratings: torch.Tensor, batch_size: int, *, shuffle: bool) -> None:
        """Keep the tensors where they are; batches are views or one gather an epoch."""
        self.pairs, self.ratings, self.batch_size, self.shuffle = pairs, ratings, batch_size, shuffle

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self.ratings) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch."""
        pairs, ratings = self.pairs, self.ratings
        if self.shuffle:
            order = torch.randperm(len(ratings)).to(ratings.device)
            pairs, ratings = pairs[order], ratings[order]
        return zip(pairs.split(self.batch_size), ratings.split(self.batch_size), strict=True)


def fit_collab(ratings: pd.DataFrame, config: CollabConfig, seed: int) -> CollabFit:
    """Fit `EmbeddingDotBias` to ratings (user_id, movie_id, rating) from one seed.

    Every user and film of `ratings` gets a row, also those that only the held-out ratings name; the split is that
    of `config.seed`, the same for every fit. Raises TrainingDiverged if the loss is no number.
    """
    device = pick_device()
    user_rows, user_ids = pd.factorize(ratings["user_id"], sort=True)
    item_rows, movie_ids = pd.factorize(ratings["movie_id"], sort=True)
    # Row 0 of fastai's embeddings stands for an unknown id.
    pairs = torch.from_numpy(np.stack([user_rows, item_rows], axis=1) + 1).to(device)
    values = torch.tensor(ratings["rating"].to_numpy(np.float32), device=device)
    held_out = held_out_ratings(len(ratings), config).to(device)

    torch.manual_seed(seed)
    model = EmbeddingDotBias(
        config.n_factors, len(user_ids) + 1, len(movie_ids) + 1, y_range=(config.y_lowest, config.y_highest)
    )
    learner = make_learner(
        f"collab seed {seed}",
        RatingBatches(pairs[~held_out], values[~held_out], config.batch_size, shuffle=True),
        RatingBatches(pairs[held_out], values[held_out], 16 * config.batch_size, shuffle=False),
        model,
        level=logging.DEBUG,
        loss_func=MSELossFlat(),
    )
    with learner.no_logging():
        learner.fit_one_cycle(config.epochs, config.learning_rate, wd=config.weight_decay)
    valid_loss = tuple(float(row[1]) for row in learner.recorder.values)
    logger.info("collab: seed %d, validation RMSE %.4f", seed, valid_loss[-1] ** 0.5)
    user_factors, item_factors, user_bias, item_bias = (
        layer.weight.detach().float().cpu().numpy()[1:]
        for layer in (model.u_weight, model.i_weight, model.u_bias, model.i_bias)
    )
    return CollabFit(
        np.asarray(user_ids),
        np.asarray(movie_ids),
        user_factors,
        item_factors,
        user_bias[:, 0],
        item_bias[:, 0],
        valid_loss,
    )


def held_out_ratings(n_ratings: int, config: CollabConfig) -> torch.Tensor:
    """Which ratings are held out: bool (n_ratings,), at least one and not all of them."""
    generator = torch.Generator().manual_seed(config.seed)
    n_held_out = min(max(round(n_ratings * config.valid_share), 1), n_ratings - 1)
    held_out = torch.zeros(n_ratings, dtype=torch.bool)
    held_out[torch.randperm(n_ratings, generator=generator)[:n_held_out]] = True
    return held_out


def fit_seeds(ratings: pd.DataFrame, config: CollabConfig) -> list[CollabFit]:
    """One fit for each of `config.n_seeds` seeds, counting from `config.seed`. Raises as `fit_collab` does."""
    fits = [fit_collab(ratings, config, config.seed + offset) for offset in range(config.n_seeds)]
    losses = [fit.valid_loss[-1] for fit in fits]
    logger.info("collab: validation RMSE %.4f, mean of %d seeds", np.sqrt(np.mean(losses)), len(losses))
    return fits


def pack_fits(fits: Sequence[CollabFit]) -> dict[str, np.ndarray]:
    """The arrays of all fits by name, one more axis for the seed, as `unpack_fits` takes them."""
    first = fits[0]
    shared = {"user_ids": first.user_ids.astype(np.int64), "movie_ids": first.movie_ids.astype(np.int64)}
    return shared | {
        name: np.stack([np.asarray(getattr(fit, name), np.float32) for fit in fits])
        for name in (*_FACTORS, "valid_loss")
    }


def unpack_fits(arrays: Mapping[str, np.ndarray]) -> list[CollabFit]:
    """The fits that `pack_fits` packed."""
    return [
        CollabFit(
            user_ids=arrays["user_ids"],
            movie_ids=arrays["movie_ids"],
            valid_loss=tuple(map(float, arrays["valid_loss"][seed])),
            **{name: arrays[name][seed] for name in _FACTORS},
        )
        for seed in range(len(arrays["valid_loss"]))
    ]
