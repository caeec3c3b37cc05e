"""Ratings in memory, a batch at a time: for each of several seeds its own order."""

from collections.abc import Iterator, Sequence

import torch

Batch = tuple[torch.Tensor, torch.Tensor]
_RATINGS_AT_ONCE = 2**18


class RatingBatches:
    """Batches of (user and film rows int32 (seeds, batch, 2), rating float32 (seeds, batch)).

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
