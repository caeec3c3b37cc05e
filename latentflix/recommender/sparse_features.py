"""A top-k sparse autoencoder of item vectors: directions of which few are enough to describe each item."""

import numpy as np
import torch
from torch.nn.functional import normalize

from latentflix.errors import SettingsError
from latentflix.training import single_threaded

STARTS = 4
STEPS = 500
LEARNING_RATE = 0.05


def learn_features(vectors: np.ndarray, n_features: int, n_active: int) -> tuple[np.ndarray, np.ndarray]:
    """Learn unit vectors such that each row is close to a sum of few of them.

    The encoder is the decoder transposed. Of a row's products with all features it keeps the `n_active` of the greatest
    amount, with their signs: rows are centred, so the opposite of a feature is a feature as much as it is itself, and
    as one with an amount of its own it would take up a second factor that is the first one turned round. Trained on all
    rows at once from several random starts, which are always the same; the one with the least squared error is kept.
    Source: Gao and others 2024, "Scaling and evaluating sparse autoencoders"; the tied weights are those of Arviv and
    others 2025, "Extracting Interaction-Aware Monosemantic Concepts in Recommender Systems".

    vectors: (rows, dimensions), centred. Returns features, float64 (dimensions, features), and the sum of the squares
    of each one's codes as a share of that of the rows, float64 (features,); 0 for a feature that is never active.
    Raises SettingsError if `n_active` is larger than `n_features`.
    """
    if n_active > n_features:
        raise SettingsError(
            "more features are active than there are",
            where="--factors.n-active",
            found=str(n_active),
            expected=f"at most {n_features}, the number of factors",
        )
    random = torch.Generator().manual_seed(0)
    rows = torch.from_numpy(vectors).float()
    rows = rows / rows.square().sum().sqrt()
    features = torch.randn(STARTS, rows.shape[1], n_features, generator=random).requires_grad_()
    optimiser = torch.optim.Adam([features], LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    with single_threaded():
        for _ in range(STEPS):
            optimiser.zero_grad()
            errors = _errors(rows, features, n_active)
            errors.sum().backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        best = normalize(features[_errors(rows, features, n_active).argmin()], dim=0)
        shares = _encode(rows, best, n_active).square().sum(0)
    return best.double().numpy(), shares.double().numpy()


def _errors(rows: torch.Tensor, features: torch.Tensor, n_active: int) -> torch.Tensor:
    """The squared error of each start, as a share of the sum of squares: float32 (starts,)."""
    units = normalize(features, dim=1)
    return (rows - _encode(rows, units, n_active) @ units.mT).square().sum((1, 2))


def _encode(rows: torch.Tensor, units: torch.Tensor, n_active: int) -> torch.Tensor:
    products = rows @ units
    strongest = products.abs().topk(n_active, dim=-1).indices
    return torch.zeros_like(products).scatter(-1, strongest, products.gather(-1, strongest))
