"""The reader of topics: which of some hundred themes an item's document is about.

The themes are learned once from texts about other items, so rare words count by what they are used like.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from latentflix.config import StageConfig, setting
from latentflix.factors.documents import Documents, mask_names
from latentflix.factors.readers.tfidf import document_texts
from latentflix.text.cleaning import plain_text, text_id

NONE_HELD_OUT = pd.Series([], dtype="str")


class TopicsConfig(StageConfig):
    """How topics are learned from texts of other items."""

    n_topics: int = setting(200, "topics; 0: no reader of topics", ge=0, le=2000)
    max_texts: int = setting(50_000, "texts that topics are learned from, at most", ge=100)
    min_texts: int = setting(10, "texts that must use a word", ge=1)
    seed: int = setting(0, "seed of the choice of texts and of the decomposition", ge=0)


@dataclass(frozen=True)
class TopicReader:
    """Compares items by the topics of their documents, as `find_topics` finds them."""

    vectors: np.ndarray
    name: ClassVar[str] = "topics"

    def kernels(self, train: np.ndarray, test: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As in the protocol of a reader: alike as a Gaussian of the distance, of which the median is the unit."""
        centre = self.vectors[train].mean(0)
        learned, seen, known = (normalize(self.vectors[rows] - centre) for rows in (train, test, landmarks))
        distances = [np.maximum(2 - 2 * (each @ known.T), 0) for each in (learned, seen)]
        unit = float(np.median(distances[0])) or 1.0
        return np.exp(-distances[0] / unit), np.exp(-distances[1] / unit)


def find_topics(
    documents: Documents, corpus: pd.Series, held_out: pd.Series, config: TopicsConfig, *, mask: bool
) -> np.ndarray:
    """Learn topics from a corpus, and find those of the documents: float64 (items, topics), of length 1.

    There are no topics if there are too few texts to learn them from. Source: Deerwester et al. 1990, latent semantic
    analysis.

    Args:
        corpus: texts of any items.
        held_out: the `text_id`s of those of the corpus that are left out, because they are about rated items. Where the
            corpus is the documents themselves it is none of them: topics know no positions.
        mask: leave out proper names.
    """
    none = np.zeros((len(documents.items), 0))
    known = set(held_out)
    unread = [plain_text(text) for text in corpus if text_id(text) not in known] if config.n_topics else []
    if len(unread) < 10 * config.min_texts:
        return none
    rows = np.random.default_rng(config.seed).permutation(len(unread))[: config.max_texts]
    weigh = TfidfVectorizer(sublinear_tf=True, min_df=config.min_texts, max_df=0.5, dtype=np.float32)
    proper_names = frozenset(documents.proper_names if mask else ())
    texts, own = (
        [mask_names(text, proper_names) for text in each] if mask else each
        for each in ([unread[row] for row in rows], list(document_texts(documents)))
    )
    try:
        vectors = weigh.fit_transform(texts)
    except ValueError:
        return none
    n_topics = min(config.n_topics, min(vectors.shape) - 1)
    if n_topics < 1:
        return none
    topics = TruncatedSVD(n_topics, n_iter=2, random_state=config.seed).fit(vectors)
    return np.asarray(normalize(topics.transform(weigh.transform(own)).astype(np.float64)))
