"""Matrix factorisation of interactions by alternating least squares, as the package `implicit` fits it.

A user's preference for an item is 1 where there are interactions, else 0. Where there are none it weighs 1, else alpha
times their count.

Sources: Hu, Koren and Volinsky 2008, "Collaborative filtering for implicit feedback datasets"; Takács, Pilászy and Tikk
2011, "Applications of the conjugate gradient method for implicit feedback collaborative filtering".
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from latentflix.artifacts import Arrays
from latentflix.config import StageConfig, setting
from latentflix.errors import DependencyError, TrainingError
from latentflix.recommender.latent_factors import UNKNOWN_ROWS
from latentflix.training import Epoch, report_epoch


class AlsConfig(StageConfig):
    """How `als` fits interactions."""

    regularization: float = setting(30.0, "weight of the squares of all factors", ge=0)
    alpha: float = setting(5.0, "weight of an interaction, where the lack of one weighs 1", gt=0)
    iterations: int = setting(15, "times that users and items are solved for in turn", ge=1, le=1000)


def fit_als(
    pairs: np.ndarray,
    counts: np.ndarray,
    sizes: tuple[int, int],
    n_factors: int,
    seeds: Sequence[int],
    config: AlsConfig,
) -> Arrays:
    """Fit the interactions once from each seed, in one thread; a seed always gives the same fit.

    pairs: rows of user and item, integers (interactions, 2). counts: (interactions,). sizes: of users and of items.
    Returns `Recommender.weights` of a model without biases.
    Raises DependencyError if `implicit` is missing, TrainingError if a fit is NaN or infinite.
    """
    matrix = csr_matrix((counts.astype(np.float32), tuple(pairs.T)), shape=sizes)
    fits = []
    # The package solves many problems so small that BLAS's threads would mostly wait for one another.
    with threadpool_limits(1, "blas"):
        for done, seed in enumerate(seeds, start=1):
            fits.append(_fit(matrix, n_factors, seed, config))
            report_epoch(Epoch(f"collab als, seeds {seeds[0]} to {seeds[-1]}", done, len(seeds), {}))
    names = {"u_weight.weight": "user_factors", "i_weight.weight": "item_factors"}
    return {
        name: np.stack([np.pad(getattr(fit, attribute), ((UNKNOWN_ROWS, 0), (0, 0))) for fit in fits])
        for name, attribute in names.items()
    }


def _fit(matrix: csr_matrix, n_factors: int, seed: int, config: AlsConfig) -> Any:
    """A fitted `AlternatingLeastSquares`."""
    try:
        from implicit.cpu.als import AlternatingLeastSquares
        from implicit.recommender_base import ModelFitError
    except ImportError as error:
        raise DependencyError(
            "the recommender `als` needs the package implicit",
            where="--collab.model",
            found=str(error),
            hint="pip install 'latentflix[implicit]'",
        ) from error
    model = AlternatingLeastSquares(factors=n_factors, random_state=seed, num_threads=1, **config.model_dump())
    try:
        model.fit(matrix, show_progress=False)
    except ModelFitError as error:
        raise TrainingError(
            "alternating least squares ended in NaN or infinite factors",
            where="--collab.als",
            found=str(error),
            hint="raise --collab.als.regularization, or lower --collab.als.alpha",
        ) from error
    return model
