"""What a language model reads: texts as one stream, in stretches side by side."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from latentflix.errors import NotEnoughData
from latentflix.text.token_corpus import TokenCorpus


def choose_texts(corpus: TokenCorpus, rows: np.ndarray, random: np.random.Generator, max_tokens: int) -> np.ndarray:
    """Some of the rows in random order, as many as it takes to come to `max_tokens` tokens."""
    order = random.permutation(rows)
    before = np.concatenate([[0], corpus.lengths(order).cumsum()[:-1]])
    return order[before < max_tokens]


class LanguageModelBatches:
    """Texts as one stream, cut into `batch_size` stretches side by side, read `sequence_length` tokens at a time.

    A batch is (tokens, the tokens that follow), both int64 (its stretches, up to sequence_length). Texts change their
    order from epoch to epoch if shuffled. Source: fastai `LMDataLoader`.
    """

    def __init__(
        self,
        texts: Sequence[np.ndarray],
        batch_size: int,
        sequence_length: int,
        shuffle: np.random.Generator | None = None,
        part: int = 0,
        parts: int = 1,
    ) -> None:
        """Keep the texts' ids; raise NotEnoughData if they do not fill one step.

        part: which of `parts` equal shares of the stretches the batches hold, counting from 0.
        """
        self.texts, self.sequence_length, self.shuffle = texts, sequence_length, shuffle
        n_tokens = sum(map(len, texts)) - 1
        self.rows = max(min(batch_size, max(n_tokens // 2, 1)) // parts, 1)
        self.first_row, self.batch_size = part * self.rows, parts * self.rows
        self.stream_length = n_tokens // self.batch_size
        if self.stream_length < 1:
            raise NotEnoughData(
                "the review corpus is too small for a language model",
                found=f"{n_tokens + 1} tokens in {len(texts)} texts",
                expected="some hundred at the least",
            )

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.stream_length // self.sequence_length)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch."""
        order = self.shuffle.permutation(len(self.texts)) if self.shuffle else range(len(self.texts))
        stream = torch.from_numpy(np.concatenate([self.texts[index] for index in order]))
        end = self.stream_length * self.batch_size
        shape = (self.batch_size, self.stream_length)
        rows = slice(self.first_row, self.first_row + self.rows)
        tokens, following = stream[:end].view(shape)[rows], stream[1 : end + 1].view(shape)[rows]
        for start in range(0, self.stream_length, self.sequence_length):
            stop = start + self.sequence_length
            yield tokens[:, start:stop], following[:, start:stop]
