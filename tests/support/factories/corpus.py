"""Small corpora, texts of a small vocabulary as token ids, and language models that nobody trained."""

from collections.abc import Sequence

import numpy as np
import torch
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config
from fastai.text.models.core import get_language_model

from latentflix.text.language_model import LanguageModel, model_weights
from latentflix.text.token_corpus import TokenCorpus, TokenCorpusConfig, tokenize_corpus

VOCABULARY = ["xxunk", "xxpad", "xxbos", *(f"w{number}" for number in range(47))]
PADDING = 1
SIZES = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}


def make_corpus(texts: Sequence[str]) -> TokenCorpus:
    return tokenize_corpus(len(texts), [texts], TokenCorpusConfig())


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
