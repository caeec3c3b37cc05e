"""The networks of the recommender, and an ensemble that trains several seeds of one side by side."""

import copy
import threading
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from fastai.collab import EmbeddingDotBias, EmbeddingNN
from fastai.layers import Embedding, sigmoid_range
from fastai.tabular.model import emb_sz_rule
from torch import nn
from torch.func import functional_call, stack_module_state

from latentflix.recommender.latent_factors import UNKNOWN_ROWS

StarModelName = Literal["dot", "dot_range", "bias", "neural", "bayes"]
ModelName = Literal[StarModelName, "als"]
Range = tuple[float, float]
Tensors = dict[str, torch.Tensor]

# fastai draws initial weights from the generator that all threads share.
_initial_weights = threading.Lock()


class DotProduct(nn.Module):
    """The product of a user's and an item's factors, squashed into `y_range` if there is one.

    Source: https://github.com/fastai/fastbook/blob/master/08_collab.ipynb
    """

    def __init__(self, n_factors: int, n_users: int, n_items: int, y_range: Range | None) -> None:
        """n_users, n_items: rows, including that of unknown ids."""
        super().__init__()
        self.u_weight, self.i_weight = Embedding(n_users, n_factors), Embedding(n_items, n_factors)
        self.y_range = y_range

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        """pairs: rows of user and item, integers (batch, 2). Returns stars, float32 (batch,)."""
        product = (self.u_weight(pairs[:, 0]) * self.i_weight(pairs[:, 1])).sum(dim=1)
        return product if self.y_range is None else sigmoid_range(product, *self.y_range)


def build_model(
    name: ModelName, n_users: int, n_items: int, n_factors: int, layers: Sequence[int], y_range: Range, seed: int
) -> nn.Module:
    """Build a model for so many known users and items from `seed`; the neural one chooses its own widths."""
    n_users, n_items = n_users + UNKNOWN_ROWS, n_items + UNKNOWN_ROWS
    with _initial_weights:
        torch.manual_seed(seed)
        if name == "neural":
            sizes = [(n_rows, emb_sz_rule(n_rows)) for n_rows in (n_users, n_items)]
            return EmbeddingNN(sizes, layers=list(layers), y_range=y_range)
        if name == "bias":
            return EmbeddingDotBias(n_factors, n_users, n_items, y_range=y_range)
        if name == "bayes":
            return EmbeddingDotBias(n_factors, n_users, n_items)
        return DotProduct(n_factors, n_users, n_items, y_range if name == "dot_range" else None)


class SeedEnsemble(nn.Module):
    """Models of one architecture side by side, trained in the same steps and independently of each other.

    The overhead of a step is then paid once for all of them.
    Source: https://docs.pytorch.org/tutorials/intermediate/ensembling.html
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        """Take over the models' weights. A single model is called directly, which is faster than a stack of one."""
        super().__init__()
        self.n_seeds = len(models)
        self.only = models[0] if self.n_seeds == 1 else None
        weights, buffers = stack_module_state(list(models)) if self.only is None else ({}, {})
        self.weight_names, self.buffer_names = list(weights), list(buffers)
        self.weights = nn.ParameterList(nn.Parameter(weight.detach()) for weight in weights.values())
        for position, buffer in enumerate(buffers.values()):
            self.register_buffer(f"buffer{position}", buffer)
        # In a tuple, so that torch does not register it as a submodule.
        self._architecture = (copy.deepcopy(models[0]).to("meta"),)

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        """pairs: rows of user and item, integers (seeds, batch, 2). Returns stars, float32 (seeds, batch)."""
        if self.only is not None:
            return self.only(pairs[0]).view(1, -1)
        architecture = self._architecture[0].train(self.training)

        def call(weights: Tensors, buffers: Tensors, pairs: torch.Tensor) -> torch.Tensor:
            return functional_call(architecture, (weights, buffers), (pairs,)).flatten()

        return torch.vmap(call, randomness="different")(*self._stacked(), pairs)

    def state(self) -> Tensors:
        """Weights and buffers by the model's own names, the first dimension for the seed, on the CPU."""
        return {name: value.detach().cpu() for name, value in self._named().items()}

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Restore what `state` returned."""
        with torch.no_grad():
            for name, value in self._named().items():
                value.copy_(state[name])

    def _named(self) -> Tensors:
        if self.only is not None:
            return {name: value[None] for name, value in self.only.state_dict().items()}
        weights, buffers = self._stacked()
        return weights | buffers

    def _stacked(self) -> tuple[Tensors, Tensors]:
        buffers = (self.get_buffer(f"buffer{position}") for position in range(len(self.buffer_names)))
        return (
            dict(zip(self.weight_names, self.weights, strict=True)),
            dict(zip(self.buffer_names, buffers, strict=True)),
        )
