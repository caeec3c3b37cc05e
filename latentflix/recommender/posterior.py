"""Bayesian matrix factorisation: fits drawn from the posterior distribution by small least-squares problems in batches.

A rating is the mean of all ratings, plus biases of user and item, plus the product of their factors, plus noise. Given
the items, the factors and the bias of each user are normally distributed, around what alternating least squares would
solve for; given the users, so are those of the items. Drawing both in turn visits the fits that the ratings leave
possible. No step size, weight decay or number of epochs has to be chosen, because the spread of the factors and of the
noise is estimated on the way. The mean prediction of several fits estimates the posterior mean.

Which items a user rated at all says something too, before any rating is looked at: the factors of users and items are
expected where the principal axes of who rated what place them.

Sources: Salakhutdinov and Mnih 2008, "Bayesian probabilistic matrix factorization using Markov chain Monte Carlo"; for
what is expected of factors, Simm and others 2017, "Macau: scalable Bayesian factorization with high-dimensional side
information using MCMC"; for what was rated at all, Koren 2008, "Factorization meets the neighborhood".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds
from torch.nn.functional import pad

from latentflix.config import StageConfig, setting
from latentflix.recommender.latent_factors import UNKNOWN_ROWS
from latentflix.training import Epoch, report_epoch, single_threaded

# Inputs of 20 factors for so many ratings fit into the cache of a processor.
_RATINGS_AT_ONCE = 2**15
# A link counts as if so many rows had been seen that it does not hold for.
_LINK_RIDGE = 3.0


class PosteriorConfig(StageConfig):
    """How the fits of `bayes` are drawn."""

    warm_up: int = setting(30, "passes over the ratings before a task's first fit is kept", ge=0)
    between: int = setting(4, "passes from one fit that is kept to the next", ge=1)
    n_habits: int = setting(30, "principal axes of who rated what at all, which predict factors", ge=1, le=1000)


@dataclass(frozen=True)
class Block:
    """Users, or items, with about as many ratings each.

    Attributes:
        rows: of the users, int64 (rows,).
        others: rows of the items that each rated, int32 (rows, width), filled up with the number of items.
        ratings: float32 (rows, width), filled up with 0.
    """

    rows: torch.Tensor
    others: torch.Tensor
    ratings: torch.Tensor


@dataclass(frozen=True)
class Side:
    """The users, or the items, of a chain.

    Attributes:
        blocks: their ratings.
        habits: their places on the axes of who rated what, float32 (rows, axes).
        present: what was drawn last, float32 (rows, factors + 1): the factors, and then the bias. Changes in place.
        links: how habits predict it, float32 (axes, factors + 1). Changes in place.
    """

    blocks: Sequence[Block]
    habits: torch.Tensor
    present: torch.Tensor
    links: torch.Tensor


@single_threaded()
def draw_fits(
    pairs: np.ndarray,
    ratings: np.ndarray,
    sizes: tuple[int, int],
    n_factors: int,
    seeds: range,
    config: PosteriorConfig,
) -> dict[str, np.ndarray]:
    """Draw a fit for each seed, all from one chain, which starts at random from the first seed.

    It is drawn in one thread. pairs: rows of user and item, integers (ratings, 2). ratings: float32 (ratings,), in
    stars. sizes: the numbers of users and items. Returns the weights of fastai's `EmbeddingDotBias` by name, float32,
    the first dimension for the seed. The mean rating is part of the items' biases.
    """
    mean = ratings.mean(dtype=np.float64).astype(np.float32)
    users, items = (np.zeros((len(seeds), UNKNOWN_ROWS + size, n_factors + 1), np.float32) for size in sizes)
    items[:, UNKNOWN_ROWS:, -1] = mean
    kept = range(config.warm_up, config.warm_up + len(seeds) * config.between, config.between)
    chain = draw_chain(pairs, ratings - mean, find_habits(pairs, sizes, config.n_habits), n_factors, seeds[0])
    for done, (present_users, present_items) in enumerate(islice(chain, kept[-1] + 1)):
        report_epoch(Epoch(f"collab bayes, seeds {seeds[0]} to {seeds[-1]}", done + 1, kept[-1] + 1, {}))
        if done in kept:
            place = kept.index(done)
            users[place, UNKNOWN_ROWS:] += present_users.numpy()
            items[place, UNKNOWN_ROWS:] += present_items.numpy()
    return {
        "u_weight.weight": users[..., :-1],
        "i_weight.weight": items[..., :-1],
        "u_bias.weight": users[..., -1:],
        "i_bias.weight": items[..., -1:],
    }


def draw_chain(
    pairs: np.ndarray,
    ratings: np.ndarray,
    habits: tuple[np.ndarray, np.ndarray],
    n_factors: int,
    seed: int,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Draw the users and then the items in turn, without an end, starting from random items.

    pairs: rows of user and item, integers (ratings, 2). ratings: float32 (ratings,), with mean 0. habits: as
    `find_habits` returns them. Yields the present users and items, float32 (rows, n_factors + 1), the bias last; they
    change with the next.
    """
    generator = torch.Generator().manual_seed(seed)
    sides = []
    for rows, others, own, of_others in ((0, 1, *habits), (1, 0, *reversed(habits))):
        blocks = make_blocks(pairs[:, rows], pairs[:, others], ratings, len(own), len(of_others))
        present = 0.1 * torch.randn(len(own), n_factors + 1, generator=generator)
        sides.append(Side(blocks, torch.from_numpy(own), present, torch.zeros(own.shape[1], n_factors + 1)))
    users, items = sides
    noise = float(np.var(ratings))
    while True:
        _draw_side(users, items.present, noise, generator)
        noise = _draw_side(items, users.present, noise, generator) / len(ratings)
        yield users.present, items.present


def find_habits(pairs: np.ndarray, sizes: tuple[int, int], n_habits: int) -> tuple[np.ndarray, np.ndarray]:
    """Place users and items on the principal axes of who rated what, whatever the rating: two float32 (rows, axes).

    A pair counts by one over the root of the user's and the item's numbers of ratings. pairs: rows of user and item.
    Returns as many axes as there can be, at most `n_habits`; the mean square of each is at most 1.
    """
    counts = [np.bincount(rows, minlength=size) for rows, size in zip(pairs.T, sizes, strict=True)]
    weights = (counts[0][pairs[:, 0]] * counts[1][pairs[:, 1]]) ** -0.5
    rated = csr_array((weights, (pairs[:, 0], pairs[:, 1])), sizes)
    left, strength, right = svds(rated, min(n_habits, min(sizes) - 1), v0=np.ones(min(sizes)))
    users, items = ((axes * strength * len(axes) ** 0.5).astype(np.float32) for axes in (left, right.T))
    return users, items


def make_blocks(rows: np.ndarray, others: np.ndarray, ratings: np.ndarray, n_rows: int, n_others: int) -> list[Block]:
    """Sort ratings into blocks by row. Each row is filled up by less than a fifth of its ratings, or by one."""
    order = np.argsort(rows, kind="stable")
    others = np.append(others[order], n_others).astype(np.int32)
    ratings = np.append(ratings[order], np.float32(0))
    counts = np.bincount(rows, minlength=n_rows)
    starts = counts.cumsum() - counts
    widths = np.ceil(2 ** (np.ceil(np.log2(np.maximum(counts, 1)) * 4) / 4)).astype(int)
    blocks = []
    for width in np.unique(widths):
        alike = np.flatnonzero(widths == width)
        for chosen in np.array_split(alike, -(-len(alike) * width // _RATINGS_AT_ONCE)):
            places = np.arange(width)
            places = np.where(places < counts[chosen, None], starts[chosen, None] + places, len(order))
            blocks.append(Block(*map(torch.from_numpy, (chosen, others[places], ratings[places]))))
    return blocks


def _draw_side(side: Side, other: torch.Tensor, noise: float, generator: torch.Generator) -> float:
    """Draw one side given the other and the variance of the noise. Returns the sum of squared errors."""
    expected, precision = _expect(side)
    # What a rating is predicted from: the factors of the other side, and 1 for the own bias; 0 where filled up.
    known = pad(torch.cat([other[:, :-1], torch.ones(len(other), 1)], dim=1), (0, 0, 0, 1))
    biases = pad(other[:, -1], (0, 1))
    errors = 0.0
    for block in side.blocks:
        inputs, targets = known[block.others], (block.ratings - biases[block.others])[..., None]
        root = torch.linalg.cholesky(inputs.mT @ inputs / noise + precision)
        weighted = inputs.mT @ targets / noise + (expected[block.rows] @ precision)[..., None]
        spread = torch.randn(*weighted.shape, generator=generator)
        drawn = torch.cholesky_solve(weighted, root) + torch.linalg.solve_triangular(root.mT, spread, upper=True)
        side.present[block.rows] = drawn[..., 0]
        errors += float((targets - inputs @ drawn).square().sum())
    return errors


def _expect(side: Side) -> tuple[torch.Tensor, torch.Tensor]:
    """What is expected of each row before its ratings are looked at, (rows, width), and with what precision.

    Both are estimated from what was drawn last, since so many rows leave little doubt. Its deviations are from what the
    links said before they learned of it: from those that were fitted to it they would seem too small.
    """
    n_rows, width = side.present.shape
    unexplained = side.present - side.habits @ side.links
    mean = unexplained.mean(0)
    deviations = (unexplained - mean).double()
    precision = (n_rows + width) * torch.linalg.inv(deviations.T @ deviations + torch.eye(width))
    ridge = _LINK_RIDGE * torch.eye(len(side.links))
    side.links[:] = torch.linalg.solve(side.habits.T @ side.habits + ridge, side.habits.T @ (side.present - mean))
    return mean + side.habits @ side.links, precision.float()
