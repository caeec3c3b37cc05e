"""Fitting the recommender: all seeds in the same steps of one training."""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import mse_loss

from latentflix.data.splits import Split, split_ratings
from latentflix.errors import SettingsError
from latentflix.recommender.early_stopping import BestEpochPerSeed, SeedErrors
from latentflix.recommender.latent_factors import UNKNOWN_ROWS
from latentflix.recommender.model import CollabConfig, Recommender, build_models, predict_ratings
from latentflix.recommender.networks import Range, SeedEnsemble
from latentflix.training import fused_fastai_adam, make_learner, pick_device, single_threaded

Batch = tuple[torch.Tensor, torch.Tensor]
_RATINGS_AT_ONCE = 2**18


class RatingBatches:
    """Batches of (user and item rows int32 (seeds, batch, 2), rating float32 (seeds, batch)).

    Many batches are gathered at a time from tensors that stay where they are, for all seeds at once; fastai's own
    loader takes every batch through pandas.
    """

    def __init__(
        self, pairs: torch.Tensor, ratings: torch.Tensor, batch_size: int, seeds: Sequence[int], *, shuffle: bool
    ) -> None:
        """pairs: int32 (ratings, 2). ratings: float32 (ratings,). shuffle: every seed in an order of its own."""
        self.pairs, self.ratings, self.batch_size, self.shuffle = pairs, ratings, batch_size, shuffle
        self.orders = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self.ratings) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """One epoch: every rating once."""
        if not len(self):
            return iter(())  # PyTorch splits nothing into one empty batch.
        return self._shuffled() if self.shuffle else self._in_order()

    def _shuffled(self) -> Iterator[Batch]:
        device = self.ratings.device
        n_ratings = len(self.ratings)
        orders = [torch.randperm(n_ratings, generator=order, dtype=torch.int32) for order in self.orders]
        whole_batches = max(_RATINGS_AT_ONCE // self.batch_size, 1) * self.batch_size
        for rows in torch.stack(orders).to(device).split(whole_batches, dim=1):
            pairs, ratings = self.pairs[rows], self.ratings[rows]
            yield from zip(pairs.split(self.batch_size, dim=1), ratings.split(self.batch_size, dim=1), strict=True)

    def _in_order(self) -> Iterator[Batch]:
        n_seeds = len(self.orders)
        batches = zip(self.pairs.split(self.batch_size), self.ratings.split(self.batch_size), strict=True)
        for pairs, ratings in batches:
            yield pairs.expand(n_seeds, -1, -1), ratings.expand(n_seeds, -1)


logger = logging.getLogger(__name__)

Tensors = tuple[torch.Tensor, torch.Tensor]
_IDS = ("user_id", "item_id")
# From so many numbers a step on, its arithmetic is worth a second thread.
_LARGE_STEP = 2**21
_WEIGHTS_AT_ONCE = 2**25


def seed_groups(config: CollabConfig) -> list[CollabConfig]:
    """The config of each task that together fit all seeds."""
    last = config.seed + config.n_seeds
    return [
        config.model_copy(update={"seed": first, "n_seeds": min(config.seeds_per_task, last - first)})
        for first in range(config.seed, last, config.seeds_per_task)
    ]


def fit_recommender(ratings: pd.DataFrame, config: CollabConfig, split: Split | None = None) -> Recommender:
    """Fit the model to ratings (user_id, item_id, rating) from each seed, counting from `config.seed`.

    split: which ratings to learn from and which to watch the fit on, as `config.split` says if not given; where it
    holds none out, all epochs are gone through. Users and items get a row if they occur in the training ratings.
    Raises TrainingError if the loss is no number, SettingsError if the predictions are to have an empty range.
    """
    started = time.monotonic()
    split = split or split_ratings(ratings, config.split)
    user_ids, item_ids = (np.unique(ratings[name].to_numpy()[split.train]).astype(np.int64) for name in _IDS)
    train = _tensors(ratings, split.train, user_ids, item_ids)
    held_out = _tensors(ratings, split.held_out, user_ids, item_ids)
    scale = float(train[1].min()), float(train[1].max())
    y_range = _sigmoid_range(scale, config)
    seeds = range(config.seed, config.seed + config.n_seeds)
    sizes = len(user_ids), len(item_ids)
    (one,) = build_models(config, y_range, *sizes, seeds[:1])
    at_once = max(_WEIGHTS_AT_ONCE // sum(weight.numel() for weight in one.parameters()), 1)
    stacks, curves = [], []
    for first in range(0, len(seeds), at_once):
        chosen = seeds[first : first + at_once]
        stack = SeedEnsemble(build_models(config, y_range, *sizes, chosen))
        curves.append(_fit_stack(stack, chosen, train, held_out, config))
        stacks.append(stack.state())
    longest = max(map(len, curves))
    padded = [np.pad(curve, ((0, longest - len(curve)), (0, 0)), constant_values=np.nan) for curve in curves]
    return Recommender(
        config=config,
        scale=scale,
        y_range=y_range,
        user_ids=user_ids,
        item_ids=item_ids,
        weights={name: torch.cat([state[name] for state in stacks]) for name in stacks[0]},
        valid_loss=np.concatenate(padded, axis=1),
        seconds=time.monotonic() - started,
    )


def fit_and_score(ratings: pd.DataFrame, config: CollabConfig) -> tuple[Recommender, dict[str, Any]]:
    """A recommender and how well it tells the ratings that `config.split` holds out.

    The scores are those of `score_recommender`, with the counts of the split; its `unseen` ratings, whose user or
    item is not among the training ratings, are in no score. Raises as `fit_recommender` does.
    """
    split = split_ratings(ratings, config.split)
    recommender = fit_recommender(ratings, config, split)
    scores = score_recommender(recommender, ratings[split.held_out])
    best_epoch = int(np.nanmean(recommender.valid_loss, axis=1).argmin()) + 1
    logger.info(
        "collab: %s, seeds %d to %d, held-out RMSE %.4f, of their mean %.4f, best epoch %d, %.1f s",
        *(config.model, config.seed, config.seed + config.n_seeds - 1),
        *(scores["rmse"], scores["ensemble_rmse"], best_epoch, recommender.seconds),
    )
    return recommender, {**scores, **split.counts(), "best_epoch": best_epoch, "seconds": recommender.seconds}


def score_recommender(recommender: Recommender, ratings: pd.DataFrame) -> dict[str, float]:
    """How far the predictions are from ratings that were not trained on, in stars.

    rmse: mean over the seeds of each one's root mean squared error. ensemble_rmse, ensemble_mae: of the mean of all
    seeds' predictions. Raises NotFound if a user or item was never trained on.
    """
    stars = predict_ratings(recommender, ratings["user_id"].to_numpy(), ratings["item_id"].to_numpy())
    actual = ratings["rating"].to_numpy()
    off = stars.mean(axis=0) - actual
    return {
        "rmse": float(np.sqrt(((stars - actual) ** 2).mean(axis=1)).mean()),
        "ensemble_rmse": float(np.sqrt((off**2).mean())),
        "ensemble_mae": float(np.abs(off).mean()),
    }


def _sigmoid_range(scale: Range, config: CollabConfig) -> Range:
    """The range of the sigmoid: wider than the scale, because a sigmoid does not reach its ends."""
    lowest, highest = scale
    span = highest - lowest
    lowest = lowest - span / 4 if config.y_lowest is None else config.y_lowest
    highest = highest + span / 8 if config.y_highest is None else config.y_highest
    if lowest >= highest:
        raise SettingsError(
            "the predictions have no range",
            where="--collab.y-lowest and --collab.y-highest",
            found=f"{lowest:g} and {highest:g}",
            expected="a lower end below the upper one",
        )
    return lowest, highest


def _tensors(ratings: pd.DataFrame, mask: np.ndarray, user_ids: np.ndarray, item_ids: np.ndarray) -> Tensors:
    """Of the ratings that a mask chooses: rows of user and item, int32 (ratings, 2), and stars, float32 (ratings,)."""
    pairs = np.empty((int(mask.sum()), 2), np.int32)
    # Column by column, because a copy of the table would be the largest thing in memory.
    for column, (name, ids) in enumerate(zip(_IDS, (user_ids, item_ids), strict=True)):
        pairs[:, column] = pd.Index(ids).get_indexer(ratings[name].to_numpy()[mask]) + UNKNOWN_ROWS
    return torch.from_numpy(pairs), torch.from_numpy(ratings["rating"].to_numpy(np.float32)[mask])


def _fit_stack(
    stack: SeedEnsemble, seeds: Sequence[int], train: Tensors, held_out: Tensors, config: CollabConfig
) -> np.ndarray:
    """Train the stack and return its validation curves, float32 (epochs, seeds)."""
    device = pick_device(config.seed // config.seeds_per_task)
    batch_size = config.batch_size or _default_batch_size(len(train[0]))
    # Batch normalisation cannot take one rating alone.
    while len(train[0]) % batch_size == 1 < len(train[0]):
        batch_size += 1
    errors = SeedErrors(len(seeds))
    (train_pairs, train_ratings), (held_out_pairs, held_out_ratings) = (
        (pairs.to(device), ratings.to(device)) for pairs, ratings in (train, held_out)
    )
    learner = make_learner(
        f"collab {config.model}, seeds {seeds[0]} to {seeds[-1]}",
        RatingBatches(train_pairs, train_ratings, batch_size, seeds, shuffle=True),
        RatingBatches(held_out_pairs, held_out_ratings, 16 * batch_size, seeds, shuffle=False),
        stack,
        device=device,
        small_steps=True,
        level=logging.DEBUG,
        opt_func=fused_fastai_adam,
        loss_func=_sum_over_seeds,
        metrics=[errors],
        cbs=[BestEpochPerSeed(errors, config.patience)],
    )
    n_weights = sum(weight.numel() for weight in stack.parameters())
    small = max(n_weights, batch_size * config.n_factors * len(seeds)) < _LARGE_STEP
    with learner.no_logging(), single_threaded() if small else nullcontext():
        learner.fit_one_cycle(config.epochs, config.learning_rate, wd=config.weight_decay)
    return errors.curves()


def _default_batch_size(n_ratings: int) -> int:
    """512 for 100 thousand ratings, 16,384 for 25 million: an epoch has more steps then, but not 250 times as many.

    A step costs what the optimiser does to every user and item, whatever its batch, so with a fixed batch the cost
    would grow faster than the ratings.
    """
    return max(512, 2 ** round(math.log2(0.55 * n_ratings**0.6)))


def _sum_over_seeds(stars: torch.Tensor, ratings: torch.Tensor) -> torch.Tensor:
    """The sum, so that what a seed learns does not hang on how many are trained beside it."""
    return mse_loss(stars, ratings, reduction="sum") / ratings.shape[1]
