"""Fitting the recommender: all seeds in the same steps of one training, drawn from one chain, or solved for."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.learner import Metric
from torch.nn.functional import mse_loss

from latentflix.artifacts import Arrays
from latentflix.data.splits import Split, split_ratings
from latentflix.errors import SettingsError
from latentflix.recommender.als import fit_als
from latentflix.recommender.latent_factors import UNKNOWN_ROWS
from latentflix.recommender.model import CollabConfig, Recommender, build_models, predict_ratings, seed_fits
from latentflix.recommender.networks import Range, SeedEnsemble
from latentflix.recommender.posterior import draw_fits
from latentflix.recommender.ranking import score_ranking
from latentflix.training import fused_fastai_adam, make_learner, pick_device, single_threaded

logger = logging.getLogger(__name__)

Batch = tuple[torch.Tensor, torch.Tensor]
# From rows of user and item, ratings, the numbers of users and items, n_factors and seeds to `Recommender.weights`.
Solver = Callable[[np.ndarray, np.ndarray, tuple[int, int], int, range], Arrays]
_IDS = ("user_id", "item_id")
_RATINGS_AT_ONCE = 2**18
_WEIGHTS_AT_ONCE = 2**25
# From this many numbers per step on, the arithmetic of a step is worth a second thread.
_LARGE_STEP = 2**21


def seed_groups(config: CollabConfig) -> list[CollabConfig]:
    """The configs of the tasks that together fit all seeds."""
    last, size = config.seed + config.n_seeds, config.seeds_per_task
    if config.model == "bayes":
        # A task draws one chain of fits, and whether two groups of fits agree means little within a chain.
        size = min(size, max(config.n_seeds // 2, 1))
    return [
        config.model_copy(update={"seed": first, "n_seeds": min(size, last - first)})
        for first in range(config.seed, last, size)
    ]


def fit_recommender(ratings: pd.DataFrame, config: CollabConfig, split: Split | None = None) -> Recommender:
    """Fit the model to ratings or interactions (user_id, item_id, rating) from each seed, counting from `config.seed`.

    Users and items get a row if they occur in the training ratings. The split is that of `config.split` if not given;
    if it holds none out, all epochs are used.
    Raises TrainingError if the loss is NaN or infinite, SettingsError if the range of the predictions is empty,
    DependencyError if the model needs a package that is missing.
    """
    started = time.monotonic()
    split = split or split_ratings(ratings, config.split)
    user_ids, item_ids = (np.unique(ratings[name].to_numpy()[split.train]).astype(np.int64) for name in _IDS)
    train = _tensors(ratings, split.train, user_ids, item_ids)
    held_out = _tensors(ratings, split.held_out, user_ids, item_ids)
    scale = (0.0, 1.0) if config.ranks else (float(train[1].min()), float(train[1].max()))
    y_range = scale if config.ranks else _sigmoid_range(scale, config)
    seeds = range(config.seed, config.seed + config.n_seeds)
    sizes = len(user_ids), len(item_ids)
    if solver := _solver(config):
        weights = solver(train[0].numpy() - UNKNOWN_ROWS, train[1].numpy(), sizes, config.n_factors, seeds)
        valid_loss = np.empty((0, len(seeds)), np.float32) if config.ranks else _squared_errors(weights, held_out)
    else:
        weights, valid_loss = _fit_networks(config, y_range, sizes, seeds, train, held_out)
    return Recommender(
        config=config,
        scale=scale,
        y_range=y_range,
        user_ids=user_ids,
        item_ids=item_ids,
        weights=weights,
        valid_loss=valid_loss,
        seconds=time.monotonic() - started,
    )


def fit_and_score(ratings: pd.DataFrame, config: CollabConfig) -> tuple[Recommender, dict[str, Any]]:
    """Fit a recommender, and score it on the ratings that `config.split` holds out.

    The scores are those of `score_recommender`, or of `score_ranking` if the model ranks, and do not cover `unseen`
    ratings. Raises as `fit_recommender` does.
    """
    split = split_ratings(ratings, config.split)
    recommender = fit_recommender(ratings, config, split)
    held_out = ratings[split.held_out]
    if config.ranks:
        scores = score_ranking(seed_fits(recommender), ratings[split.train], held_out)
        best_epoch = config.als.iterations
    else:
        scores = score_recommender(recommender, held_out)
        best_epoch = int(np.nanmean(recommender.valid_loss, axis=1).argmin()) + 1
    logger.info(
        "collab: %s, seeds %d to %d, held-out %s, best epoch %d, %.1f s",
        *(config.model, config.seed, config.seed + config.n_seeds - 1),
        *(", ".join(f"{name} {score:.4f}" for name, score in scores.items()), best_epoch, recommender.seconds),
    )
    return recommender, {**scores, **split.counts(), "best_epoch": best_epoch, "seconds": recommender.seconds}


def score_recommender(recommender: Recommender, ratings: pd.DataFrame) -> dict[str, float]:
    """Measure how far the predictions are from ratings, in stars. Raises as `predict_ratings` does.

    rmse: root mean squared error of each seed, averaged. ensemble_rmse, ensemble_mae: of the seeds' mean prediction.
    """
    stars = predict_ratings(recommender, ratings["user_id"].to_numpy(), ratings["item_id"].to_numpy())
    actual = ratings["rating"].to_numpy()
    errors = stars.mean(axis=0) - actual
    return {
        "rmse": float(np.sqrt(((stars - actual) ** 2).mean(axis=1)).mean()),
        "ensemble_rmse": float(np.sqrt((errors**2).mean())),
        "ensemble_mae": float(np.abs(errors).mean()),
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


def _tensors(ratings: pd.DataFrame, mask: np.ndarray, user_ids: np.ndarray, item_ids: np.ndarray) -> Batch:
    """The chosen ratings: rows of user and item, int32 (ratings, 2), and stars, float32 (ratings,)."""
    pairs = np.empty((int(mask.sum()), 2), np.int32)
    # Column by column, because a copy of the table would be the largest thing in memory.
    for column, (name, ids) in enumerate(zip(_IDS, (user_ids, item_ids), strict=True)):
        pairs[:, column] = pd.Index(ids).get_indexer(ratings[name].to_numpy()[mask]) + UNKNOWN_ROWS
    return torch.from_numpy(pairs), torch.from_numpy(ratings["rating"].to_numpy(np.float32)[mask])


def _fit_networks(
    config: CollabConfig, y_range: Range, sizes: tuple[int, int], seeds: range, train: Batch, held_out: Batch
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Train as many seeds at once as memory allows. Returns `Recommender.weights` and `Recommender.valid_loss`."""
    (model,) = build_models(config, y_range, *sizes, seeds[:1])
    at_once = max(_WEIGHTS_AT_ONCE // sum(weight.numel() for weight in model.parameters()), 1)
    states, curves = [], []
    for first in range(0, len(seeds), at_once):
        chosen = seeds[first : first + at_once]
        ensemble = SeedEnsemble(build_models(config, y_range, *sizes, chosen))
        curves.append(_fit_ensemble(ensemble, chosen, train, held_out, config))
        states.append(ensemble.state())
    longest = max(map(len, curves))
    padded = [np.pad(curve, ((0, longest - len(curve)), (0, 0)), constant_values=np.nan) for curve in curves]
    weights = {name: torch.cat([state[name] for state in states]).numpy() for name in states[0]}
    return weights, np.concatenate(padded, axis=1)


def _fit_ensemble(
    ensemble: SeedEnsemble, seeds: Sequence[int], train: Batch, held_out: Batch, config: CollabConfig
) -> np.ndarray:
    """Train the ensemble and return its validation curves, float32 (epochs, seeds)."""
    device = pick_device(config.seed // config.seeds_per_task)
    # A step costs more with more users and items: with a fixed batch, epochs would grow faster than the ratings.
    batch_size = config.batch_size or max(512, 2 ** round(math.log2(0.55 * len(train[0]) ** 0.6)))
    # Batch normalisation cannot handle a batch of one rating.
    while len(train[0]) % batch_size == 1 < len(train[0]):
        batch_size += 1
    errors = SeedErrors(len(seeds))
    train, held_out = ((pairs.to(device), ratings.to(device)) for pairs, ratings in (train, held_out))
    learner = make_learner(
        f"collab {config.model}, seeds {seeds[0]} to {seeds[-1]}",
        RatingBatches(*train, batch_size, seeds, shuffle=True),
        RatingBatches(*held_out, 16 * batch_size, seeds, shuffle=False),
        ensemble,
        device=device,
        small_steps=True,
        level=logging.DEBUG,
        opt_func=fused_fastai_adam,
        loss_func=_sum_over_seeds,
        metrics=[errors],
        cbs=[BestEpochPerSeed(errors, config.patience)],
    )
    n_weights = sum(weight.numel() for weight in ensemble.parameters())
    small = max(n_weights, batch_size * config.n_factors * len(seeds)) < _LARGE_STEP
    with learner.no_logging(), single_threaded() if small else nullcontext():
        learner.fit_one_cycle(config.epochs, config.learning_rate, wd=config.weight_decay)
    return errors.curves()


def _solver(config: CollabConfig) -> Solver | None:
    """What fits a model that fastai does not train; None if fastai trains it."""
    match config.model:
        case "bayes":
            return partial(draw_fits, config=config.posterior)
        case "als":
            return partial(fit_als, config=config.als)
        case _:
            return None


def _squared_errors(weights: Arrays, held_out: Batch) -> np.ndarray:
    """The mean squared error of the fits of `bayes`, as `Recommender.valid_loss`."""
    user, item = held_out[0].T
    losses = [
        mse_loss((users[user] * items[item]).sum(1) + user_bias[user, 0] + item_bias[item, 0], held_out[1]).item()
        for users, items, user_bias, item_bias in zip(*map(torch.from_numpy, weights.values()), strict=True)
    ]
    return np.array([losses], np.float32)


def _sum_over_seeds(stars: torch.Tensor, ratings: torch.Tensor) -> torch.Tensor:
    """The sum, so that what a seed learns does not depend on how many are trained with it."""
    return mse_loss(stars, ratings, reduction="sum") / ratings.shape[1]


class RatingBatches:
    """Batches of rows of user and item, int32 (seeds, batch, 2), and ratings, float32 (seeds, batch)."""

    def __init__(
        self, pairs: torch.Tensor, ratings: torch.Tensor, batch_size: int, seeds: Sequence[int], *, shuffle: bool
    ) -> None:
        """pairs: int32 (ratings, 2). ratings: float32 (ratings,). shuffle: each seed in its own order."""
        self.pairs, self.ratings, self.batch_size, self.shuffle = pairs, ratings, batch_size, shuffle
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __len__(self) -> int:
        return -(-len(self.ratings) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        n_ratings, n_seeds = len(self.ratings), len(self.generators)
        if not n_ratings:
            return  # PyTorch would split nothing into one empty batch.
        if not self.shuffle:
            batches = zip(self.pairs.split(self.batch_size), self.ratings.split(self.batch_size), strict=True)
            yield from ((pairs.expand(n_seeds, -1, -1), ratings.expand(n_seeds, -1)) for pairs, ratings in batches)
            return
        orders = [torch.randperm(n_ratings, generator=each, dtype=torch.int32) for each in self.generators]
        whole_batches = max(_RATINGS_AT_ONCE // self.batch_size, 1) * self.batch_size
        for rows in torch.stack(orders).to(self.ratings.device).split(whole_batches, dim=1):
            pairs, ratings = self.pairs[rows], self.ratings[rows]
            yield from zip(pairs.split(self.batch_size, dim=1), ratings.split(self.batch_size, dim=1), strict=True)


class SeedErrors(Metric):
    """The mean squared error of each seed on the held-out ratings, epoch by epoch."""

    name = "mse"

    def __init__(self, n_seeds: int) -> None:
        self.n_seeds = n_seeds
        self.sums: list[torch.Tensor] = []

    def reset(self) -> None:
        """Begin an epoch."""
        self.sums.append(torch.zeros(self.n_seeds))
        self.count = 0

    def accumulate(self, learn: Any) -> None:
        """Add a batch of ratings (seeds, batch)."""
        self.sums[-1] = self.sums[-1] + (learn.pred.float() - learn.y).square().sum(dim=1).cpu()
        self.count += learn.y.shape[1]

    @property
    def value(self) -> float | None:
        """The mean over the seeds in the last epoch, or None if nothing is held out."""
        return float(self.sums[-1].mean() / self.count) if self.count else None

    def by_seed(self) -> np.ndarray | None:
        """float32 (seeds,), of the last epoch, or None if nothing is held out."""
        return (self.sums[-1] / self.count).numpy() if self.count else None

    def curves(self) -> np.ndarray:
        """float32 (epochs, seeds), NaN if nothing is held out."""
        return (torch.stack(self.sums) / self.count).numpy()


class BestEpochPerSeed(Callback):
    """Stops when no seed has improved for `patience` epochs, and restores the weights of each seed's best epoch.

    A seed that has not improved for that long is finished even while others go on, so that its fit does not depend on
    which are trained with it. fastai's own callbacks know one score, and save weights in a pickle on disk.
    """

    order = 70

    def __init__(self, errors: SeedErrors, patience: int) -> None:
        self.errors, self.patience = errors, patience
        self.best_epoch = np.zeros(errors.n_seeds, int)
        self.best_error = np.full(errors.n_seeds, np.inf)
        self.best_weights: dict[str, torch.Tensor] = {}

    def after_epoch(self) -> None:
        """Save the weights of the seeds that improved."""
        errors = self.errors.by_seed()
        if errors is None:
            return
        better = (errors < self.best_error) & (self.epoch - self.best_epoch <= self.patience)
        weights = self.model.state()
        if not self.best_weights:
            self.best_weights = {name: value.clone() for name, value in weights.items()}
        for name, value in weights.items():
            self.best_weights[name][better] = value[better]
        self.best_epoch[better], self.best_error[better] = self.epoch, errors[better]
        if (self.epoch - self.best_epoch >= self.patience).all():
            raise CancelFitException

    def after_fit(self) -> None:
        """Restore the best weights."""
        if self.best_weights:
            self.model.load_state(self.best_weights)
