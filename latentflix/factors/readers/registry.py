"""Which readers read, and how they are tested."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.factors.documents import Documents
from latentflix.factors.readers.metadata import TableReader, circumstances_reader, metadata_reader
from latentflix.factors.readers.protocol import Reader
from latentflix.factors.readers.ridge import RANK
from latentflix.factors.readers.sentences import SentenceReader
from latentflix.factors.readers.tfidf import WordReader, WordsConfig
from latentflix.factors.readers.topics import TopicReader, TopicsConfig


class ReadersConfig(StageConfig):
    """The readers, and how they are tested on items that they have not learned from."""

    words: WordsConfig = setting(WordsConfig(), "the reader of words")
    topics: TopicsConfig = setting(TopicsConfig(), "the reader of topics")
    sentences: bool = setting(False, "read with a sentence transformer too (needs the package sentence-transformers)")
    mask_names: bool = setting(
        False, "leave proper names out of what readers learn from; the words that name a factor never have any"
    )
    n_folds: int = setting(5, "groups of items; each is predicted by readers that learned from the others", ge=2, le=50)
    n_repeats: int = setting(10, "times that the items are assigned to folds anew", ge=1, le=100)
    permutations: int = setting(
        1000, "permutations of the positions over items, for each of which all readers learn anew", ge=0, le=100_000
    )
    n_strata: int = setting(5, "groups of items of similar popularity, within which positions are permuted", ge=1)
    repeats_per_task: int = setting(5, "repeats in one task; tasks may run side by side", ge=1)
    seed: int = setting(0, "seed of folds and permutations", ge=0)


# Of what takes a minute on two cores: repeats times permutations, of a thousand items and 20 factors.
_WORK = 2500 * 1000 * 1000 * 20


def fit_to_size(config: ReadersConfig, n_items: int, n_axes: int) -> ReadersConfig:
    """Take fewer repeats and permutations of many items and factors, so that the time does not grow with both.

    At least 1 repeat and 200 permutations are made. Of 500 items and 20 factors or fewer all are.
    """
    affordable = _WORK / (n_items * min(n_items, RANK) * n_axes)
    n_repeats = next((repeats for repeats in (10, 4, 2) if affordable >= repeats * 200), 1)
    permutations = int(min(max(affordable / n_repeats, 200), config.permutations))
    repeats = min(n_repeats, config.n_repeats)
    return config.model_copy(update={"n_repeats": repeats, "permutations": permutations})


class RepeatsConfig(ReadersConfig):
    """The readers, and which of the repeats a task makes."""

    repeats: tuple[int, ...] = setting((), "their numbers, counting from 0")


def repeat_groups(config: ReadersConfig) -> list[RepeatsConfig]:
    """The configs of the tasks that together make all repeats."""
    numbers, size = range(config.n_repeats), config.repeats_per_task
    return [
        RepeatsConfig(**config.model_dump(), repeats=tuple(numbers[first : first + size])) for first in numbers[::size]
    ]


@dataclass(frozen=True)
class Readers:
    """The readers of words, which the judge stacks, and those that read none.

    metadata: the yardstick. circumstances: what is taken out to see what words add.
    """

    words: WordReader
    others: Sequence[Reader]
    metadata: TableReader
    circumstances: TableReader


def build_readers(
    documents: Documents,
    items: pd.DataFrame,
    means: pd.Series,
    topics: np.ndarray,
    vectors: Sequence[tuple[pd.Series, np.ndarray]],
    config: ReadersConfig,
) -> Readers:
    """Build the readers of these documents. Raises NotEnoughData as `WordReader.read` does.

    Args:
        items: index item_id; genres, year, ratings.
        means: mean ratings, index item_id.
        topics: of the documents, as `find_topics` finds them.
        vectors: of each encoder that was used, the review_ids and their sentence vectors, float32 (reviews, size).
    """
    others: list[Reader] = [TopicReader(topics)] if topics.shape[1] else []
    others += [SentenceReader.read(documents, *each) for each in vectors]
    return Readers(
        words=WordReader.read(documents, config.words, mask=config.mask_names),
        others=others,
        metadata=metadata_reader(items, documents.items.index, means),
        circumstances=circumstances_reader(items, documents.items.index),
    )
