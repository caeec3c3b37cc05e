"""A corpus that is tokenised once: the ids of all its tokens in one array, which serves every vocabulary size.

The vocabulary has fastai's special tokens first, then all others by falling frequency, so that of a model of size n is
its first n tokens, and ids from n on are unknown tokens to that model.
"""

import logging
import multiprocessing
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from fastai.text.core import UNK, defaults
from tqdm.auto import tqdm

from latentflix.artifacts import Artifact, Handle, Store
from latentflix.config import StageConfig, setting
from latentflix.errors import DataError, TrainingError
from latentflix.system.processes import end_with_parent
from latentflix.text.cleaning import text_id
from latentflix.text.tokenizer import Part, tokenize, truncate

logger = logging.getLogger(__name__)

TEXTS_PER_CHUNK = 500
# A process takes as long to start as to tokenise so many.
TEXTS_PER_PROCESS = 8_000
IDS_PER_BLOCK = 2**22
_MAPPED = ("ids", "offsets", "counts")
# Of a chunk of texts: the distinct tokens, the place of each token among these, tokens per text, and `text_id`s.
_Tokenized = tuple[list[str], np.ndarray, np.ndarray, list[str]]


class TokenCorpusConfig(StageConfig):
    """How a corpus is tokenised; nothing here changes the result."""

    processes: int | None = setting(
        None, "processes that tokenise; not given: one per core, if the corpus is large", ge=1, exclude=True
    )


@dataclass(frozen=True)
class TokenCorpus:
    """Texts as token ids.

    Attributes:
        ids: int32, of all texts one after the other, usually memory-mapped.
        offsets: int64 (texts + 1,), where each text begins.
        vocabulary: the token of each id.
        counts: int64, how often each token occurs.
        text_ids: what `text_id` gives for each text.
    """

    ids: np.ndarray
    offsets: np.ndarray
    vocabulary: list[str]
    counts: np.ndarray
    text_ids: pd.Index

    def save(self, artifact: Artifact) -> None:
        """Write the corpus so that `load` can map its arrays from disk."""
        for name in _MAPPED:
            artifact.write_array(name, getattr(self, name))
        artifact.write_json("vocabulary", self.vocabulary)
        artifact.write_table("texts", self.text_ids.to_frame(index=False))

    @classmethod
    def load(cls, store: Store, handle: Handle) -> Self:
        """Read the corpus of an artifact, its arrays mapped from disk. Raises ArtifactError as `Store.file` does."""
        return cls(
            **{name: store.map_array(handle, name) for name in _MAPPED},
            vocabulary=store.read_json(handle, "vocabulary"),
            text_ids=store.read_table(handle, "texts").set_index("text_id").index,
        )

    def vocabulary_size(self, at_most: int, min_frequency: int = 1) -> int:
        """The size of a vocabulary of at most `at_most` tokens, each special or seen `min_frequency` times."""
        n_special = len(defaults.text_spec_tok)
        frequent = int((self.counts[n_special:] >= min_frequency).sum())
        return min(n_special + frequent, at_most)

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """The number of tokens of each of these texts: int64."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def texts(
        self, rows: Sequence[int] | np.ndarray, vocabulary_size: int, max_tokens: int, part: Part = "first"
    ) -> list[np.ndarray]:
        """The ids of each of these texts, int64, truncated; `xxunk` for what is not in a vocabulary of this size."""
        unknown = self.vocabulary.index(UNK)
        texts = (self.ids[self.offsets[row] : self.offsets[row + 1]] for row in rows)
        truncated = (truncate(text, max_tokens, part).astype(np.int64) for text in texts)
        return [np.where(ids < vocabulary_size, ids, unknown) for ids in truncated]

    def rows(self, text_ids: Iterable[str]) -> np.ndarray:
        """The row of each of these texts, int64, its first if it has several. Raises DataError if it has none."""
        asked = pd.Index(text_ids)
        first = np.flatnonzero(~self.text_ids.duplicated())
        found = self.text_ids[first].get_indexer(asked)
        if (found < 0).any():
            missing = asked[found < 0]
            raise DataError(
                "a review is not in the tokenised corpus",
                where=f"text_id {missing[0]}; {len(missing):,} such reviews of {len(asked):,}",
                found=f"{len(self.text_ids):,} texts without it",
                expected="every review among the texts that were tokenised",
                hint="tokenise the corpus that the reviews come from",
            )
        return first[found].astype(np.int64)

    def rows_excluding(self, text_ids: Iterable[str]) -> np.ndarray:
        """The rows of all other texts, int64: what a model may be trained on if these are held out."""
        return np.flatnonzero(~self.text_ids.isin(pd.Index(text_ids)))


def stream_texts(*paths: Path, column: str = "text") -> tuple[int, Iterator[list[str | None]]]:
    """The number of texts in parquet files, and the texts in chunks."""
    files = [pq.ParquetFile(path, memory_map=True) for path in paths]
    batches = chain.from_iterable(file.iter_batches(TEXTS_PER_CHUNK, columns=[column]) for file in files)
    return sum(file.metadata.num_rows for file in files), (batch.column(0).to_pylist() for batch in batches)


def tokenize_corpus(
    n_texts: int, chunks: Iterable[Sequence[str | None]], config: TokenCorpusConfig, folder: Path | None = None
) -> TokenCorpus:
    """Tokenise texts that come in chunks, only some of which are in memory at once.

    folder: for an unnamed file of the ids, four bytes per token; by default that of temporary files. Raises DataError
    if there is no text, or something that is not a text, and TrainingError if a process was killed.
    """
    # The system removes a file without a name, whatever happens.
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
    known: dict[str, int] = {token: number for number, token in enumerate(defaults.text_spec_tok)}
    lengths: list[np.ndarray] = []
    text_ids: list[str] = []
    counts = np.zeros(len(known), np.int64)
    with (
        _processes(config.processes or max(min(os.cpu_count() or 1, n_texts // TEXTS_PER_PROCESS), 1)) as run,
        tqdm(total=n_texts, desc="tokens", unit="text", leave=False, disable=None) as bar,
    ):
        for distinct, numbers, lengths_of_chunk, ids_of_chunk in run(_checked(chunks)):
            new = {token: len(known) + number for number, token in enumerate(set(distinct) - known.keys())}
            known |= new
            places = np.array([known[token] for token in distinct], np.int32)
            counts = np.pad(counts, (0, len(new)))
            counts[places] += np.bincount(numbers, minlength=len(places))
            # numpy's own tofile does not say why it fails on a full disk.
            file.write(places[numbers].tobytes())
            lengths.append(lengths_of_chunk)
            text_ids += ids_of_chunk
            bar.update(len(ids_of_chunk))
    if not text_ids:
        raise DataError("there is nothing to tokenise", found="0 texts", expected="at least one text")
    file.flush()
    ids = np.memmap(file, np.int32, "r+")
    tokens = list(known)
    n_special = len(defaults.text_spec_tok)
    order = [*range(n_special), *sorted(range(n_special, len(tokens)), key=lambda at: (-counts[at], tokens[at]))]
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order))
    for start in range(0, len(ids), IDS_PER_BLOCK):
        ids[start : start + IDS_PER_BLOCK] = ranks[ids[start : start + IDS_PER_BLOCK]]
    logger.info("tokens: %s of %s kinds in %s texts", f"{len(ids):,}", f"{len(tokens):,}", f"{len(text_ids):,}")
    return TokenCorpus(
        ids=ids,
        offsets=np.concatenate([[0], np.concatenate(lengths).cumsum()]),
        vocabulary=[tokens[at] for at in order],
        counts=counts[order],
        text_ids=pd.Index(text_ids, name="text_id"),
    )


def _tokenize_chunk(texts: Sequence[str]) -> _Tokenized:
    tokenized = [tokenize(text) for text in texts]
    distinct = list(dict.fromkeys(chain.from_iterable(tokenized)))
    numbers = {token: number for number, token in enumerate(distinct)}
    lengths = np.array([len(tokens) for tokens in tokenized], np.int64)
    ids = np.fromiter((numbers[token] for token in chain.from_iterable(tokenized)), np.int32, int(lengths.sum()))
    return distinct, ids, lengths, [text_id(text) for text in texts]


def _checked(chunks: Iterable[Sequence[str | None]]) -> Iterator[list[str]]:
    row = 0
    for chunk in chunks:
        for text in chunk:
            if not isinstance(text, str):
                raise DataError(
                    "a review has no text",
                    where=f"row {row} (counting from 0)",
                    found=repr(text),
                    expected="a text",
                    hint="remove the row",
                )
            row += 1
        yield list(chunk)  # type: ignore[arg-type]


@contextmanager
def _processes(count: int) -> Iterator[Callable[[Iterable[list[str]]], Iterator[_Tokenized]]]:
    """A function that tokenises chunks in order, few of them ahead."""
    if count == 1:
        yield lambda chunks: map(_tokenize_chunk, chunks)
        return
    # Forked processes would wait for threads that they do not have.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=spawn, initializer=end_with_parent) as pool:

        def run(chunks: Iterable[list[str]]) -> Iterator[_Tokenized]:
            waiting: deque[Future[_Tokenized]] = deque()
            for chunk in chunks:
                waiting.append(pool.submit(_tokenize_chunk, chunk))
                if len(waiting) > 2 * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

        try:
            yield run
        except BrokenProcessPool as error:
            raise TrainingError(
                "a process that tokenises was killed",
                found=str(error),
                expected=f"{count} processes that run to their end",
                hint="check whether memory ran out, and lower --token-corpus.processes",
            ) from error
