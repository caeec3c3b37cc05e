"""Language models of several sizes, each trained for the same processor time, and which is best at the end of it.

Perplexities of different vocabularies say nothing beside one another: the fewer tokens are known, the more of the text
is one and the same unknown token. So what counts is bits a character, with log2 of the number of kinds of token that a
vocabulary lacks for each token that it does not know. Run it with `python -m benchmarks.language_model`.
"""

import time
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.rnn import rnn_cbs
from fastai.losses import CrossEntropyLossFlat
from fastai.text.core import UNK
from fastai.text.models.awdlstm import awd_lstm_lm_split
from pydantic import BaseModel, Field

from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.text.batches import LanguageModelBatches
from latentflix.text.language_model import LanguageModelConfig, build_language_model
from latentflix.text.token_corpus import TEXTS_PER_CHUNK, TokenCorpus, TokenCorpusConfig, tokenize_corpus
from latentflix.training import make_learner

# What the search began with; what is tried otherwise, each by itself; and what is best together.
_FIRST = {"vocabulary_size": 8000, "batch_size": 32}
TRIED: dict[str, dict[str, Any]] = {
    "8,000 tokens, batch 32": _FIRST,
    "vocabulary 2,000": {**_FIRST, "vocabulary_size": 2000},
    "vocabulary 4,000": {**_FIRST, "vocabulary_size": 4000},
    "vocabulary 16,000": {**_FIRST, "vocabulary_size": 16_000},
    "200 x 400": {**_FIRST, "embedding_size": 200, "hidden_size": 400},
    "2 layers": {**_FIRST, "n_layers": 2},
    "batch 16": {**_FIRST, "batch_size": 16},
    "batch 64": {**_FIRST, "batch_size": 64},
    "sequence 36": {**_FIRST, "sequence_length": 36},
    "sequence 144": {**_FIRST, "sequence_length": 144},
    "dropout 0.3": {**_FIRST, "dropout": 0.3},
    "rate 5e-3": {**_FIRST, "learning_rate": 5e-3},
    "rate 2e-2": {**_FIRST, "learning_rate": 2e-2},
    "the sample profile: 4,000 tokens, batch 16": {},
    "the same, 200 x 400": {"embedding_size": 200, "hidden_size": 400},
}


class BenchmarkSettings(BaseModel):
    """Language models of several sizes, each trained for the same processor time."""

    seconds: float = Field(40, gt=0, description="processor time that each is trained")
    documents: int = Field(6000, ge=100, description="reviews that are read, a twentieth of them held out")
    tried: tuple[str, ...] = Field(tuple(TRIED), description="what is tried, by name")
    json_: bool = Field(False, alias="json", description="print one JSON object")


class TimeLimit(Callback):
    """Ends a training when its processor time is over, and has the schedule follow that time."""

    order = -5

    def __init__(self, seconds: float) -> None:
        """Count from the first step."""
        self.seconds = seconds

    def before_fit(self) -> None:
        """Start the clock."""
        self.started = time.process_time()

    def before_batch(self) -> None:
        """Set the progress before the schedule sets the rate."""
        if self.training:
            self.learn.pct_train = min((time.process_time() - self.started) / self.seconds, 1)

    def after_batch(self) -> None:
        """End it."""
        if self.training and time.process_time() - self.started > self.seconds:
            raise CancelFitException


def train_and_score(corpus: TokenCorpus, config: LanguageModelConfig, seconds: float) -> dict[str, float]:
    """Train for a time; returns steps and tokens read, perplexity, and bits a character of the held-out texts."""
    torch.manual_seed(0)
    size = corpus.vocabulary_size(config.vocabulary_size, config.min_frequency)
    texts = corpus.texts(np.arange(len(corpus.text_ids)), size, len(corpus.ids))
    n_valid = len(texts) // 20
    valid = LanguageModelBatches(texts[:n_valid], 32, 72)
    train = LanguageModelBatches(texts[n_valid:], config.batch_size, config.sequence_length, np.random.default_rng(0))
    learner = make_learner(
        "a language model",
        train,
        valid,
        build_language_model(size, config),
        loss_func=CrossEntropyLossFlat(),
        splitter=awd_lstm_lm_split,
        cbs=[*rnn_cbs(alpha=2, beta=1), TimeLimit(seconds)],
        moms=(0.8, 0.7, 0.8),
    )
    with learner.no_logging():
        learner.fit_one_cycle(1, config.learning_rate, wd=config.weight_decay)
    nats, unknown, n_tokens = 0.0, 0, 0
    unknown_id = corpus.vocabulary.index(UNK)
    model = learner.model.eval()
    model.reset()
    with torch.inference_mode():
        for tokens, following in valid:
            loss = torch.nn.functional.cross_entropy(model(tokens)[0].flatten(0, 1), following.flatten())
            nats += float(loss) * following.numel()
            n_tokens += following.numel()
            unknown += int((following == unknown_id).sum())
    rows = np.arange(n_valid)
    every = np.concatenate(corpus.texts(rows, len(corpus.vocabulary), len(corpus.ids)))
    characters = int(np.array([len(token) for token in corpus.vocabulary])[every].sum())
    missing = len(corpus.vocabulary) - size
    bits = nats / np.log(2) + unknown * np.log2(max(missing, 1))
    return {
        "steps": learner.train_iter,
        "thousand_tokens": learner.train_iter * config.batch_size * config.sequence_length / 1000,
        "perplexity": float(np.exp(nats / n_tokens)),
        "unknown_share": unknown / n_tokens,
        "bits_per_character": float(bits / characters * len(every) / n_tokens),
    }


def main() -> None:
    """Train each in turn and print what came of it."""
    settings = parse_command_line(BenchmarkSettings, "python -m benchmarks.language_model")
    reviews = load_data_set(DataSetConfig(name="imdb_reviews"))["reviews"]
    texts = list(reviews["text"].sample(settings.documents, random_state=0))
    chunks = (texts[start : start + TEXTS_PER_CHUNK] for start in range(0, len(texts), TEXTS_PER_CHUNK))
    corpus = tokenize_corpus(len(texts), chunks, TokenCorpusConfig(processes=1))
    rows = []
    for name in settings.tried:
        config = LanguageModelConfig.model_validate(TRIED[name])
        rows.append({"tried": name, **train_and_score(corpus, config, settings.seconds)})
        say(f"{name}: {rows[-1]}")
    table = pd.DataFrame(rows)
    bits = table.set_index("tried")["bits_per_character"]
    first, *others = bits.index
    ratios = {f"bits a character, {name} over {first}": float(bits[name] / bits[first]) for name in others}
    print_results(table, ratios, as_json=settings.json_)


if __name__ == "__main__":
    main()
