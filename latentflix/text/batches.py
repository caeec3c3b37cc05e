"""Texts as batches of token ids: one stream for a language model, padded texts for a classifier."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from latentflix.errors import NotEnoughData
from latentflix.text.token_corpus import TokenCorpus

WINDOW = 72


def choose_texts(corpus: TokenCorpus, rows: np.ndarray, random: np.random.Generator, max_tokens: int) -> np.ndarray:
    """Some of the rows in random order, as many as it takes to reach `max_tokens` tokens."""
    order = random.permutation(rows)
    before = np.concatenate([[0], corpus.lengths(order).cumsum()[:-1]])
    return order[before < max_tokens]


class LanguageModelBatches:
    """Texts as one stream, cut into `batch_size` parallel streams that are read `sequence_length` tokens at a time.

    A batch is (tokens, next tokens), both int64 (streams, up to sequence_length). Source: fastai `LMDataLoader`.
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
        """Raise NotEnoughData if the texts, as token ids, do not fill one step.

        shuffle: draws a new order of the texts for each epoch. part: which of `parts` equal shares of the streams the
        batches hold, counting from 0.
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
                expected="at least some hundred",
            )

    def __len__(self) -> int:
        return -(-self.stream_length // self.sequence_length)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = self.shuffle.permutation(len(self.texts)) if self.shuffle else range(len(self.texts))
        stream = torch.from_numpy(np.concatenate([self.texts[index] for index in order]))
        end = self.stream_length * self.batch_size
        shape = (self.batch_size, self.stream_length)
        rows = slice(self.first_row, self.first_row + self.rows)
        tokens, following = stream[:end].view(shape)[rows], stream[1 : end + 1].view(shape)[rows]
        for start in range(0, self.stream_length, self.sequence_length):
            stop = start + self.sequence_length
            yield tokens[:, start:stop], following[:, start:stop]


class ClassifierBatches:
    """Texts of similar length as batches of (tokens int64 (batch, length), labels float32 (batch, labels)).

    Within a batch the longest text comes first, and shorter ones begin after whole windows of padding, as fastai's
    `SentenceEncoder` expects. Source: fastai `SortedDL`, `pad_chunk`.
    """

    def __init__(
        self,
        texts: Sequence[np.ndarray],
        labels: np.ndarray,
        batch_size: int,
        padding: int,
        shuffle: np.random.Generator | None = None,
    ) -> None:
        self.texts, self.labels, self.padding, self.shuffle = texts, labels, padding, shuffle
        self.n_batches = -(-len(texts) // batch_size)
        self.lengths = np.array([len(text) for text in texts])

    def __len__(self) -> int:
        return self.n_batches

    def order(self) -> list[np.ndarray]:
        """The rows of each batch: sorted by length; if shuffled, by length with noise, the batches in random order."""
        if not self.n_batches:
            return []
        noise = self.shuffle.uniform(0.9, 1.1, len(self.lengths)) if self.shuffle else 1.0
        batches = np.array_split(np.argsort(-self.lengths * noise, kind="stable"), self.n_batches)
        batches = [batch[np.argsort(-self.lengths[batch], kind="stable")] for batch in batches]
        return [batches[index] for index in self.shuffle.permutation(len(batches))] if self.shuffle else batches

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for batch in self.order():
            lengths = self.lengths[batch]
            width = int(lengths.max())
            if width - lengths.min() >= WINDOW:
                # Else a window could begin with padding for a text that continues in it, and be skipped.
                width = -(-width // WINDOW) * WINDOW
            tokens = torch.full((len(batch), width), self.padding)
            for row, index in enumerate(batch):
                start = (width - self.lengths[index]) // WINDOW * WINDOW
                tokens[row, start : start + self.lengths[index]] = torch.from_numpy(self.texts[index])
            yield tokens, torch.from_numpy(self.labels[batch])
