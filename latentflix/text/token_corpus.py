"""A corpus tokenised once: the ids of all its tokens in one array, which every vocabulary size reads.

The vocabulary holds every token that occurs, fastai's special tokens first, then from frequent to rare. So the
vocabulary of a model of size n is its first n tokens, and an id from n on is an unknown token to that model.
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
from pydantic import Field
from tqdm.auto import tqdm

from latentflix.artifacts import Artifact, Handle, Store
from latentflix.config import StageConfig
from latentflix.errors import DataError, TrainingError
from latentflix.text.tokenizer import Part, text_id, tokenize, truncate

logger = logging.getLogger(__name__)

TEXTS_A_CHUNK = 500
# A process starts in the time in which it tokenises as many.
TEXTS_A_PROCESS = 8_000
IDS_A_BLOCK = 2**22


class TokenCorpusConfig(StageConfig):
    """How a corpus is tokenised. Nothing here changes what comes of it."""

    processes: int | None = Field(
        None,
        ge=1,
        exclude=True,
        description="processes that tokenise; not given: one a core, if the corpus is large [>= 1]",
    )


@dataclass(frozen=True)
class TokenCorpus:
    """Texts as token ids.

    ids: int32, of all texts one after the other, usually memory-mapped. offsets: int64 (texts + 1,), where each text
    begins. vocabulary: the token of each id. counts: int64, how often each token occurs. text_ids: the SHA-256 of
    each text, as `text_id` gives it.
    """

    ids: np.ndarray
    offsets: np.ndarray
    vocabulary: list[str]
    counts: np.ndarray
    text_ids: pd.Index

    def save(self, artifact: Artifact) -> None:
        """Write the corpus so that `load` can map its arrays from disk."""
        for name in ("ids", "offsets", "counts"):
            artifact.write_array(name, getattr(self, name))
        artifact.write_json("vocabulary", self.vocabulary)
        artifact.write_table("texts", self.text_ids.to_frame(index=False))

    @classmethod
    def load(cls, store: Store, handle: Handle) -> Self:
        """Read the corpus of an artifact, its arrays mapped from disk. Raises ArtifactError as `Store.file` does."""
        return cls(
            ids=store.map_array(handle, "ids"),
            offsets=store.map_array(handle, "offsets"),
            vocabulary=store.read_json(handle, "vocabulary"),
            counts=store.map_array(handle, "counts"),
            text_ids=store.read_table(handle, "texts").set_index("text_id").index,
        )

    def vocabulary_size(self, at_most: int, min_frequency: int = 1) -> int:
        """How many tokens a vocabulary has that holds at most so many, each seen as often as that or special."""
        n_special = len(defaults.text_spec_tok)
        frequent = int((self.counts[n_special:] >= min_frequency).sum())
        return min(n_special + frequent, at_most)

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """How many tokens each of these texts has: int64."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def texts(
        self, rows: Sequence[int] | np.ndarray, vocabulary_size: int, max_tokens: int, part: Part = "first"
    ) -> list[np.ndarray]:
        """The ids of each of these texts, int64, `part` of it if it is longer; from the vocabulary's end on `xxunk`."""
        unknown = self.vocabulary.index(UNK)
        found = []
        for row in rows:
            text = self.ids[self.offsets[row] : self.offsets[row + 1]]
            ids = truncate(text, max_tokens, part).astype(np.int64)
            found.append(np.where(ids < vocabulary_size, ids, unknown))
        return found

    def rows(self, text_ids: Iterable[str]) -> np.ndarray:
        """Where these texts stand, int64, in the order asked. Raises DataError if the corpus lacks one.

        A text that stands there twice is found where it stands first.
        """
        asked = pd.Index(text_ids)
        first = self.text_ids.drop_duplicates()
        places = np.flatnonzero(~self.text_ids.duplicated())
        found = first.get_indexer(asked)
        if (found < 0).any():
            missing = asked[found < 0]
            raise DataError(
                "a review is not in the tokenised corpus",
                where=f"text_id {missing[0]}; {len(missing):,} such reviews of {len(asked):,}",
                found=f"{len(self.text_ids):,} texts without it",
                expected="every review among the texts that were tokenised",
                hint="tokenise the corpus that the reviews come from",
            )
        return places[found].astype(np.int64)

    def rows_excluding(self, text_ids: Iterable[str]) -> np.ndarray:
        """The rows of all other texts, int64: what a model may read before these reviews are held out."""
        return np.flatnonzero(~self.text_ids.isin(pd.Index(text_ids)))


def stream_texts(*paths: Path, column: str = "text") -> tuple[int, Iterator[list[str | None]]]:
    """How many texts parquet files have, and the texts, some hundred at a time."""
    files = [pq.ParquetFile(path, memory_map=True) for path in paths]
    batches = chain.from_iterable(file.iter_batches(TEXTS_A_CHUNK, columns=[column]) for file in files)
    return sum(file.metadata.num_rows for file in files), (batch.column(0).to_pylist() for batch in batches)


def tokenize_corpus(
    n_texts: int, chunks: Iterable[Sequence[str | None]], config: TokenCorpusConfig, folder: Path | None = None
) -> TokenCorpus:
    """Tokenise texts that come a chunk at a time; only some chunks are in memory at once.

    folder: where the ids are kept, four bytes a token, until the corpus is let go; by default that of temporary
    files. A text of nothing has `xxbos` alone. Raises DataError, naming the row, if there is something else than
    a text, TrainingError if a process was ended from outside.
    """
    # A file without a name: whatever happens, the system removes it.
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
    known: dict[str, int] = {token: number for number, token in enumerate(defaults.text_spec_tok)}
    lengths: list[np.ndarray] = []
    text_ids: list[str] = []
    counts = np.zeros(len(known), np.int64)
    with (
        _processes(config.processes or _worth_processes(n_texts)) as run,
        tqdm(total=n_texts, desc="tokens", unit="text", leave=False, disable=None) as bar,
    ):
        for tokenized in run(_checked(chunks)):
            new = {token: len(known) + number for number, token in enumerate(set(tokenized.tokens) - known.keys())}
            known |= new
            places = np.array([known[token] for token in tokenized.tokens], np.int32)
            counts = np.pad(counts, (0, len(new)))
            counts[places] += np.bincount(tokenized.ids, minlength=len(places))
            places[tokenized.ids].tofile(file)
            lengths.append(tokenized.lengths)
            text_ids += tokenized.text_ids
            bar.update(len(tokenized.lengths))
    if not text_ids:
        raise DataError("there is nothing to tokenise", found="0 texts", expected="at least one text")
    file.flush()
    ids = np.memmap(file, np.int32, "r+")
    tokens = list(known)
    n_special = len(defaults.text_spec_tok)
    order = [*range(n_special), *sorted(range(n_special, len(tokens)), key=lambda at: (-counts[at], tokens[at]))]
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order))
    for start in range(0, len(ids), IDS_A_BLOCK):
        ids[start : start + IDS_A_BLOCK] = ranks[ids[start : start + IDS_A_BLOCK]]
    logger.info("tokens: %s of %s kinds in %s texts", f"{len(ids):,}", f"{len(tokens):,}", f"{len(text_ids):,}")
    return TokenCorpus(
        ids=ids,
        offsets=np.concatenate([[0], np.concatenate(lengths).cumsum()]),
        vocabulary=[tokens[at] for at in order],
        counts=counts[order],
        text_ids=pd.Index(text_ids, name="text_id"),
    )


@dataclass(frozen=True)
class _Tokenized:
    """A chunk of texts. ids: int32, into `tokens`, the distinct ones. lengths: int64, tokens of each text."""

    tokens: list[str]
    ids: np.ndarray
    lengths: np.ndarray
    text_ids: list[str]


def _tokenize_chunk(texts: Sequence[str]) -> _Tokenized:
    tokenized = [tokenize(text) for text in texts]
    distinct = list(dict.fromkeys(chain.from_iterable(tokenized)))
    numbers = {token: number for number, token in enumerate(distinct)}
    lengths = np.array([len(tokens) for tokens in tokenized], np.int64)
    every = (numbers[token] for token in chain.from_iterable(tokenized))
    return _Tokenized(
        distinct, np.fromiter(every, np.int32, int(lengths.sum())), lengths, [text_id(text) for text in texts]
    )


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


def _worth_processes(n_texts: int) -> int:
    return max(min(os.cpu_count() or 1, n_texts // TEXTS_A_PROCESS), 1)


@contextmanager
def _processes(count: int) -> Iterator[Callable[[Iterable[list[str]]], Iterator[_Tokenized]]]:
    """A map of `_tokenize_chunk` over chunks, in order, that takes few chunks before they are needed."""
    if count == 1:
        yield lambda chunks: map(_tokenize_chunk, chunks)
        return
    # Forked processes would share threads that are not there.
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:

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
                "a process that tokenises was ended from outside",
                found=str(error),
                expected=f"{count} processes that run to their end",
                hint="see whether the memory was used up; set --token-corpus.processes lower",
            ) from error
