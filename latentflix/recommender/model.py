"""The recommender: its settings, its weights from several seeds, and what a user would give an item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from pydantic import PositiveInt
from torch import nn

from latentflix.artifacts import Artifact, Handle, Store
from latentflix.config import StageConfig, setting
from latentflix.data.splits import SplitConfig
from latentflix.errors import NotFound
from latentflix.recommender.latent_factors import ARRAYS, UNKNOWN_ROWS, WEIGHTS, LatentFactors, split_seeds
from latentflix.recommender.networks import ModelName, Range, SeedEnsemble, build_model
from latentflix.training import pick_device


class CollabConfig(StageConfig):
    """The recommender, and how it is fitted."""

    model: ModelName = setting(
        "bias",
        "dot: product of user and item factors; dot_range: squashed into the scale; bias: with biases of users and "
        "items; neural: embeddings and hidden layers",
    )
    n_factors: int = setting(50, "latent factors of a user and of an item, but for `neural`", ge=1, le=1000)
    layers: tuple[PositiveInt, ...] = setting((100, 50), "sizes of the hidden layers of `neural`")
    epochs: int = setting(8, "most passes over the ratings", ge=1, le=200)
    patience: int = setting(3, "epochs without a better validation score after which to stop", ge=1)
    batch_size: int | None = setting(
        None, "ratings a step; not given: 512 for 100 thousand ratings, up to 16,384 for 25 million", ge=2
    )
    learning_rate: float = setting(7e-3, "peak of the one-cycle schedule", gt=0, le=1)
    weight_decay: float = setting(0.5, "decoupled weight decay", ge=0)
    y_lowest: float | None = setting(None, "lower end of the predictions; not given: a quarter of the scale below it")
    y_highest: float | None = setting(None, "upper end of the predictions; not given: an eighth of the scale above it")
    n_seeds: int = setting(32, "fits, each from another seed; their factors are matched", ge=1, le=1000)
    seeds_per_task: int = setting(16, "seeds that are fitted side by side in one task", ge=1)
    seed: int = setting(0, "seed of the first fit", ge=0)
    split: SplitConfig = setting(SplitConfig(), "which ratings are held out to watch the fit")


@dataclass(frozen=True)
class Recommender:
    """Fits from several seeds to the same ratings.

    Row r + 1 of a user embedding is `user_ids[r]`, row r + 1 of an item embedding is `item_ids[r]`, both int64 and
    sorted; row 0 stands for an unknown id. weights: the model's weights by name, the first dimension for the seed.
    valid_loss: mean squared error on the held-out ratings, float32 (epochs, seeds). scale: the lowest and the highest
    rating it learned from; y_range: the range of its sigmoid; both in stars. seconds: what the fit took.
    """

    config: CollabConfig
    scale: Range
    y_range: Range
    user_ids: np.ndarray
    item_ids: np.ndarray
    weights: Mapping[str, torch.Tensor]
    valid_loss: np.ndarray
    seconds: float


def predict_ratings(recommender: Recommender, user_ids: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
    """What each user would give each item, in stars: float32 (seeds, pairs); the mean over seeds is the best guess.

    No prediction lies outside the scale of the ratings. user_ids, item_ids: integers (pairs,). Raises NotFound,
    naming them, if the model has never seen some.
    """
    pairs = torch.from_numpy(_rows(recommender, user_ids, item_ids))
    stack = _loaded(recommender)
    batch = max(2**20 // stack.n_seeds, 1)
    with torch.inference_mode():
        stars = [
            stack(part.expand(stack.n_seeds, -1, -1).to(pick_device())).float().cpu() for part in pairs.split(batch)
        ]
    return torch.cat(stars, dim=1).clamp(*recommender.scale).numpy()


def seed_fits(recommender: Recommender) -> list[LatentFactors]:
    """The factors of each seed. Raises ModelError if users and items have no factors in common (`neural`)."""
    weights = {name: value.numpy() for name, value in recommender.weights.items()}
    return split_seeds(recommender.user_ids, recommender.item_ids, weights, recommender.config.model)


def save_recommender(artifact: Artifact, recommender: Recommender) -> None:
    """Write a recommender as one file of arrays; its config is the artifact's own."""
    arrays = {
        "user_ids": recommender.user_ids,
        "item_ids": recommender.item_ids,
        "scale": np.array(recommender.scale),
        "y_range": np.array(recommender.y_range),
        "valid_loss": recommender.valid_loss,
        "seconds": np.array(recommender.seconds),
        **{f"{WEIGHTS}{name}": value.numpy() for name, value in recommender.weights.items()},
    }
    artifact.write_arrays(ARRAYS, arrays)


def load_recommender(store: Store, handle: Handle) -> Recommender:
    """Read the recommender of a collab artifact. Raises ArtifactError as `Store.file` does."""
    arrays = store.read_arrays(handle, ARRAYS)
    return Recommender(
        config=CollabConfig.model_validate(store.manifest(handle).config),
        scale=tuple(arrays["scale"].tolist()),
        y_range=tuple(arrays["y_range"].tolist()),
        user_ids=arrays["user_ids"],
        item_ids=arrays["item_ids"],
        weights={
            name.removeprefix(WEIGHTS): torch.from_numpy(value)
            for name, value in arrays.items()
            if name.startswith(WEIGHTS)
        },
        valid_loss=arrays["valid_loss"],
        seconds=float(arrays["seconds"]),
    )


def build_models(
    config: CollabConfig, y_range: Range, n_users: int, n_items: int, seeds: Sequence[int]
) -> list[nn.Module]:
    """Models for so many known users and items, one for each seed, with its first weights."""
    sizes = (n_users, n_items, config.n_factors, config.layers)
    return [build_model(config.model, *sizes, y_range, seed) for seed in seeds]


def _loaded(recommender: Recommender) -> SeedEnsemble:
    n_seeds = len(next(iter(recommender.weights.values())))
    sizes = len(recommender.user_ids), len(recommender.item_ids)
    # Any model of the architecture will do for each seed: its weights are replaced.
    (one,) = build_models(recommender.config, recommender.y_range, *sizes, seeds=[0])
    stack = SeedEnsemble([one] * n_seeds)
    stack.load_state(recommender.weights)
    return stack.to(pick_device()).eval()


def _rows(recommender: Recommender, user_ids: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
    columns = []
    for name, known, asked in (
        ("user", recommender.user_ids, user_ids),
        ("item", recommender.item_ids, item_ids),
    ):
        rows = pd.Index(known).get_indexer(asked)
        unknown = np.unique(np.asarray(asked)[rows < 0])
        if len(unknown):
            shown = ", ".join(map(str, unknown[:10])) + (", …" if len(unknown) > 10 else "")
            raise NotFound(
                f"the recommender has never seen this {name}",
                where=f"{len(unknown):,} {name} ids",
                found=shown,
                expected=f"one of {len(known):,} ids from {known[0]} to {known[-1]}",
                hint="leave these out, or fit again with ratings of them",
            )
        columns.append(rows + UNKNOWN_ROWS)
    return np.stack(columns, axis=1).astype(np.int32)
