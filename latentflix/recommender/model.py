"""The recommender: its settings, its weights from several seeds, and its predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from pydantic import PositiveInt
from torch import nn

from latentflix.artifacts import Arrays
from latentflix.config import StageConfig, setting
from latentflix.data.splits import SplitConfig
from latentflix.errors import NotFound
from latentflix.recommender.als import AlsConfig
from latentflix.recommender.latent_factors import UNKNOWN_ROWS, LatentFactors, split_seeds
from latentflix.recommender.networks import ModelName, Range, SeedEnsemble, build_model
from latentflix.recommender.posterior import PosteriorConfig
from latentflix.training import pick_device


class CollabConfig(StageConfig):
    """The recommender and its training."""

    model: ModelName = setting(
        "bias",
        "dot: product of user and item factors; dot_range: squashed into the scale; bias: with biases of users and "
        "items; neural: embeddings and hidden layers; bayes: as bias without the squashing, drawn from the posterior; "
        "als: of interactions, which is the default for them",
    )
    n_factors: int = setting(50, "latent factors of a user and of an item; not used by `neural`", ge=1, le=1000)
    layers: tuple[PositiveInt, ...] = setting((100, 50), "sizes of the hidden layers of `neural`")
    epochs: int = setting(8, "maximum number of passes over the ratings", ge=1, le=200)
    patience: int = setting(3, "epochs without a better validation score before training stops", ge=1)
    batch_size: int | None = setting(
        None, "ratings per step; not given: 512 for 100 thousand ratings, up to 16,384 for 25 million", ge=2
    )
    learning_rate: float = setting(7e-3, "peak of the one-cycle schedule", gt=0, le=1)
    weight_decay: float = setting(0.5, "decoupled weight decay", ge=0)
    y_lowest: float | None = setting(None, "lower end of the predictions; not given: a quarter of the scale below it")
    y_highest: float | None = setting(None, "upper end of the predictions; not given: an eighth of the scale above it")
    n_seeds: int = setting(
        32, "fits, each from its own seed, or drawn one after the other; their factors are matched", ge=1, le=1000
    )
    posterior: PosteriorConfig = setting(PosteriorConfig(), "how `bayes` draws its fits")
    als: AlsConfig = setting(AlsConfig(), "how `als` fits interactions")
    seeds_per_task: int = setting(16, "seeds that are fitted side by side in one task, or drawn from one chain", ge=1)
    least_gain: float = setting(
        0.02,
        "if there are more than two tasks, their number is doubled until that raises the mean stability of the factors "
        "by less than this; 0: all of them",
        ge=0,
        le=1,
    )
    seed: int = setting(0, "seed of the first fit", ge=0)
    split: SplitConfig = setting(SplitConfig(), "which ratings are held out to validate the fit")

    @property
    def ranks(self) -> bool:
        """Whether the model ranks items by interactions, and predicts no stars."""
        return self.model == "als"

    def check_data(self, *, interactions: bool) -> None:
        """Raise ValueError if the model learns from stars and the data are interactions, or the other way round."""
        if interactions and not self.ranks:
            raise ValueError(
                f"the recommender {self.model} learns from stars, and interactions have none: --collab.model als"
            )
        if self.ranks and not interactions:
            raise ValueError(
                f"the recommender {self.model} learns from interactions: turn stars into likes with "
                "--ratings.likes-from, or read interactions with --ratings-source.path and an empty "
                "--ratings-source.rating-column"
            )


@dataclass(frozen=True)
class Recommender:
    """Fits from several seeds to the same ratings.

    Attributes:
        scale, y_range: the lowest and the highest training rating; the range of the sigmoid; both in stars. Of `als`,
            which predicts whether there are interactions, both are 0 to 1.
        user_ids, item_ids: int64, sorted. Row r + 1 of an embedding belongs to id r; row 0 is for unknown ids.
        weights: the model's weights by name, the first dimension for the seed.
        valid_loss: mean squared error on the held-out ratings, float32 (epochs, seeds); `bayes` has one epoch, `als`
            none.
        seconds: the duration of the fit.
    """

    config: CollabConfig
    scale: Range
    y_range: Range
    user_ids: np.ndarray
    item_ids: np.ndarray
    weights: Arrays
    valid_loss: np.ndarray
    seconds: float


def predict_ratings(recommender: Recommender, user_ids: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
    """Predict what each user would give each item, in stars within the scale of the ratings; `als`: a preference.

    user_ids, item_ids: integers (pairs,). Returns float32 (seeds, pairs); the mean over seeds is the best prediction.
    Raises NotFound, naming them, if the model has never seen some.
    """
    pairs = torch.from_numpy(_rows(recommender, user_ids, item_ids))
    n_seeds, device = len(next(iter(recommender.weights.values()))), pick_device()
    sizes = len(recommender.user_ids), len(recommender.item_ids)
    # One model stands for all seeds, because its weights are replaced.
    ensemble = SeedEnsemble(build_models(recommender.config, recommender.y_range, *sizes, seeds=[0]) * n_seeds)
    ensemble.load_state({name: torch.from_numpy(value) for name, value in recommender.weights.items()})
    ensemble.to(device).eval()
    with torch.inference_mode():
        parts = pairs.split(max(2**20 // n_seeds, 1))
        stars = [ensemble(part.expand(n_seeds, -1, -1).to(device)).float().cpu() for part in parts]
    return torch.cat(stars, dim=1).clamp(*recommender.scale).numpy()


def seed_fits(recommender: Recommender) -> list[LatentFactors]:
    """The factors of each seed. Raises ModelError if users and items have no factors in common (`neural`)."""
    return split_seeds(recommender.user_ids, recommender.item_ids, recommender.weights, recommender.config.model)


def build_models(
    config: CollabConfig, y_range: Range, n_users: int, n_items: int, seeds: Sequence[int]
) -> list[nn.Module]:
    """Build the untrained model of each seed, for the numbers of known users and items."""
    sizes = (n_users, n_items, config.n_factors, config.layers)
    return [build_model(config.model, *sizes, y_range, seed) for seed in seeds]


def _rows(recommender: Recommender, user_ids: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
    columns = []
    for name, known, asked in (("user", recommender.user_ids, user_ids), ("item", recommender.item_ids, item_ids)):
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
