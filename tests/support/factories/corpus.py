"""Small corpora, texts of a small vocabulary as token ids, and language models that nobody trained."""

from collections.abc import Sequence

import numpy as np
import torch
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config
from fastai.text.models.core import get_language_model

from latentflix.text.language_model import LanguageModel, LanguageModelConfig, model_weights
from latentflix.text.token_corpus import TokenCorpus, TokenCorpusConfig, tokenize_corpus

VOCABULARY = ["xxunk", "xxpad", "xxbos", *(f"w{number}" for number in range(47))]
PADDING = 1
SIZES = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}
WORD_CYCLE = ["bread", "milk", "stone", "river", "cloud", "horse", "table", "green", "piano", "seven", "apple", "chair"]
TINY = LanguageModelConfig(
    embedding_size=24,
    hidden_size=32,
    n_layers=1,
    dropout=0.01,
    max_tokens=4000,
    min_frequency=1,
    batch_size=8,
    sequence_length=20,
    epochs=6,
    learning_rate=2e-2,
    valid_share=0.1,
    rate_steps=0,
    sentences=0,
)


def make_corpus(texts: Sequence[str]) -> TokenCorpus:
    return tokenize_corpus(len(texts), [texts], TokenCorpusConfig())


def repeating_texts(n_texts=100, length=36):
    """Texts in which every word is followed by the next of WORD_CYCLE."""
    starts = range(n_texts)
    return [" ".join(WORD_CYCLE[(start + step) % len(WORD_CYCLE)] for step in range(length)) for start in starts]


def draw_reviews(lengths, seed=0):
    """Token ids of reviews of these lengths."""
    random = np.random.default_rng(seed)
    return [random.integers(2, len(VOCABULARY), length) for length in lengths]


def fastai_model(n_tokens, seed=0, **sizes):
    """fastai's own language model, untrained."""
    torch.manual_seed(seed)
    return get_language_model(AWD_LSTM, n_tokens, {**awd_lstm_lm_config, **SIZES, **sizes})


def untrained_language_model(seed=0, vocabulary=VOCABULARY, **sizes):
    return LanguageModel(model_weights(fastai_model(len(vocabulary), seed, **sizes)), list(vocabulary))
