"""Plots whose words name their genres, an encoder that reads them without a model, and predictions of genres."""

from functools import cache

import numpy as np
import pandas as pd
import torch

from latentflix.artifacts import Handle
from latentflix.config import StageConfig
from latentflix.data.splits import TEST, TRAIN, VALID
from latentflix.genres.evaluation import COMBINED, TFIDF
from latentflix.genres.head import HeadConfig
from latentflix.genres.model import GenreConfig, train_genres
from latentflix.genres.plot_summaries import PlotSummaryConfig, prepare_plots
from latentflix.text.sentence_embeddings import EmbeddingConfig, embed_texts

WORDS = {"Western": "sheriff saloon horse", "Horror": "ghost vampire crypt", "Comedy": "prank wedding laugh"}
FILLER = [f"word{number}" for number in range(60)]
SIZE = 16
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", *FILLER, *" ".join(WORDS.values()).split()]
QUICK = GenreConfig(
    head=HeadConfig(hidden_size=32, epochs=6, dropout=0.1, learning_rate=1e-2),
    losses=("plain",),
    resampling=(False,),
    n_seeds=2,
)


class WordTokenizer:
    """Words are tokens; what is not in the vocabulary is unknown."""

    pad_token_id, unk_token_id, model_max_length = 0, 1, 32

    def __call__(self, texts, add_special_tokens=True, **_):
        if isinstance(texts, str):
            return {"input_ids": self([texts], add_special_tokens)["input_ids"][0]}
        ids = [[VOCABULARY.index(word) if word in VOCABULARY else 1 for word in text.lower().split()] for text in texts]
        return {"input_ids": [[2, *row, 3] if add_special_tokens else row for row in ids]}


class WordEncoder:
    """The mean of fixed vectors of its words, whatever else is in the batch."""

    device, max_seq_length, tokenizer = torch.device("cpu"), 32, WordTokenizer()

    def __init__(self):
        self.vectors = torch.from_numpy(
            np.random.default_rng(0).normal(size=(len(VOCABULARY), SIZE)).astype(np.float32)
        )
        self.read = []

    def eval(self):
        return self

    def get_embedding_dimension(self):
        return SIZE

    def __call__(self, features):
        ids, mask = features["input_ids"], features["attention_mask"]
        self.read.append(tuple(ids.shape))
        assert bool(((ids == 0) == (mask == 0)).all())
        summed = (self.vectors[ids] * mask[..., None]).sum(1)
        return {"sentence_embedding": summed / mask.sum(1, keepdim=True)}


def make_plots(n_plots=240, seed=0):
    """plot_id, title, plot, genres: one or two genres per plot, with three words of each among the filler."""
    random = np.random.default_rng(seed)
    rows = []
    for plot in range(n_plots):
        genres = random.choice(list(WORDS), random.choice([1, 2], p=[0.8, 0.2]), replace=False, p=[0.3, 0.35, 0.35])
        words = [*random.choice(FILLER, 12), *(word for genre in genres for word in WORDS[genre].split())]
        rows.append((plot, f"Film {plot}", " ".join(random.permutation(words)), ", ".join(f'"{g}"' for g in genres)))
    return pd.DataFrame(rows, columns=["plot_id", "title", "plot", "genres"])


def prepare(table=None, **config):
    return prepare_plots(make_plots() if table is None else table, PlotSummaryConfig(**{"min_films": 5, **config}))


def embed(plots, **config):
    config = EmbeddingConfig(**config)
    return config, embed_texts(list(plots), WordEncoder(), config)


def save(model, store):
    """A genres artifact with the model."""
    handle = Handle(stage="genres", key="one")
    return store.ensure(handle, {}, StageConfig(), lambda artifact: artifact.write(model, "model_"))


@cache
def train_small():
    """What was trained on the plots of `make_plots`."""
    prepared = prepare()
    plots = prepared.plot_summaries
    return train_genres(plots, prepared.has_genre, [embed(plots["plot"])], QUICK)


def make_methods(n_plots=1500, genres=("Drama", "Comedy", "War")):
    """Probabilities of two methods, the true ones and blurred ones; which plots have which genres; and their parts."""
    random = np.random.default_rng(0)
    logits = random.normal([0, -1, -3], 2, size=(n_plots, 3))
    true = 1 / (1 + np.exp(-logits))
    index = pd.RangeIndex(n_plots, name="plot_id")
    has_genre = pd.DataFrame(random.random(true.shape) < true, index, genres)
    blurred = 1 / (1 + np.exp(-logits - random.normal(0, 2, logits.shape)))
    methods = {name: pd.DataFrame(each, index, genres) for name, each in ((COMBINED, true), (TFIDF, blurred))}
    return methods, has_genre, pd.Series(np.array([TRAIN, VALID, TEST])[np.arange(n_plots) % 3], index)
