"""Texts beside fastai's own way: tokens a second, training tokens a second, predictions a second.

Run it with `python -m benchmarks.text`. Both do the same work in the same run, in turns: the same texts, the same
sizes, the same number of processes.
"""

import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.data.core import DataLoaders
from fastai.text.core import SpacyTokenizer, parallel_tokenize
from fastai.text.data import LMDataLoader, TensorText, TextDataLoaders
from fastai.text.learner import language_model_learner, text_classifier_learner
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config
from pydantic import BaseModel, Field

from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.factors.classifiers import ClassifierConfig, PredictionConfig
from latentflix.text.batches import ClassifierBatches
from latentflix.text.classifier import build_classifier, predict_proba
from latentflix.text.language_model import LanguageModelConfig, load_weights, model_weights, train_language_model
from latentflix.text.token_corpus import TEXTS_PER_CHUNK, TokenCorpus, TokenCorpusConfig, tokenize_corpus
from latentflix.text.tokenizer import numericalize, padding_id, tokenize


class BenchmarkSettings(BaseModel):
    """Texts beside fastai's own way."""

    documents: int = Field(25_000, ge=20, description="reviews that are tokenised")
    processes: int = Field(1, ge=1, description="processes that tokenise, of both")
    training_tokens: int = Field(150_000, ge=1000, description="tokens that the language models are trained on")
    predictions: int = Field(200, ge=4, description="reviews that are predicted")
    rounds: int = Field(2, ge=1, description="times that each is measured, in turns; the best counts")
    data_dir: Path | None = Field(None, description="a folder with data sets that were fetched by hand")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def fastest(ways: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, float], dict[str, Any]]:
    """The least seconds of each way, measured in turns, and what it gave back last."""
    seconds = dict.fromkeys(ways, np.inf)
    given: dict[str, Any] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            given[name] = way()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
            say(f"{name}: {seconds[name]:.2f} s")
    return seconds, given


def tokenize_by_fastai(texts: Sequence[str], processes: int) -> list[list[str]]:
    """fastai's own tokens of each text, in order."""
    found = parallel_tokenize(texts, tok=SpacyTokenizer(), n_workers=processes if processes > 1 else 0)
    return [list(tokens) for _, tokens in sorted(found, key=lambda each: each[0])]


def tokenize_by_us(texts: Sequence[str], processes: int) -> TokenCorpus:
    """Our own, with what fastai has yet to do: numericalised by a vocabulary of all tokens."""
    chunks = (texts[start : start + TEXTS_PER_CHUNK] for start in range(0, len(texts), TEXTS_PER_CHUNK))
    return tokenize_corpus(len(texts), chunks, TokenCorpusConfig(processes=processes))


def measure_tokens(texts: Sequence[str], processes: int) -> tuple[list[dict[str, Any]], TokenCorpus]:
    """Documents and tokens a second of both; raises AssertionError if a token differs."""
    ways = {
        "tokens, fastai": lambda: tokenize_by_fastai(texts, processes),
        "tokens, ours": lambda: tokenize_by_us(texts, processes),
    }
    seconds, given = fastest(ways, 1)
    corpus: TokenCorpus = given["tokens, ours"]
    every = corpus.texts(range(len(texts)), len(corpus.vocabulary), len(corpus.ids))
    for ids, tokens in zip(every, given["tokens, fastai"], strict=True):
        if [corpus.vocabulary[number] for number in ids] != tokens:
            raise AssertionError(f"other tokens than fastai's: {tokens[:20]}")
    rows = [
        {"method": name, "documents_per_second": len(texts) / taken, "tokens_per_second": len(corpus.ids) / taken}
        for name, taken in seconds.items()
    ]
    return rows, corpus


def measure_training(corpus: TokenCorpus, config: LanguageModelConfig, rounds: int) -> list[dict[str, Any]]:
    """Training tokens a second of both, an epoch with its validation, on the same texts and vocabulary."""
    size = corpus.vocabulary_size(config.vocabulary_size, config.min_frequency)
    rows = np.flatnonzero(corpus.offsets[1:] <= config.max_tokens)
    texts = [TensorText(torch.from_numpy(text)) for text in corpus.texts(rows, size, config.max_tokens)]
    n_valid = max(round(len(texts) * config.valid_share), 1)
    valid, train = texts[:n_valid], texts[n_valid:]
    n_tokens = sum(map(len, train))

    def stream(part: list[TensorText], *, shuffle: bool) -> LMDataLoader:
        items = [(text,) for text in part]
        return LMDataLoader(items, bs=config.batch_size, seq_len=config.sequence_length, shuffle=shuffle)

    def by_fastai() -> float:
        torch.manual_seed(0)
        loaders = DataLoaders(stream(train, shuffle=True), stream(valid, shuffle=False))
        loaders.train.vocab = loaders.valid.vocab = corpus.vocabulary[:size]
        sizes = {"emb_sz": config.embedding_size, "n_hid": config.hidden_size, "n_layers": config.n_layers}
        learner = language_model_learner(
            loaders,
            AWD_LSTM,
            config={**awd_lstm_lm_config, **sizes},
            drop_mult=config.dropout,
            pretrained=False,
            path=Path(tempfile.gettempdir()),
        )
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(1, config.learning_rate, wd=config.weight_decay)
        return float(np.exp(learner.recorder.values[-1][1]))

    ways = {
        "training, fastai": by_fastai,
        "training, ours": lambda: train_language_model(corpus, rows, config).history["perplexity"].iloc[-1],
    }
    seconds, perplexities = fastest(ways, rounds)
    return [
        {"method": name, "tokens_per_second": n_tokens / taken, "perplexity": perplexities[name]}
        for name, taken in seconds.items()
    ]


def measure_predictions(
    texts: Sequence[str], corpus: TokenCorpus, sizes: LanguageModelConfig, config: ClassifierConfig, rounds: int
) -> list[dict[str, Any]]:
    """Predictions a second: one `learn.predict` a review, our batches, and their arithmetic alone."""
    size = corpus.vocabulary_size(sizes.vocabulary_size, sizes.min_frequency)
    vocabulary = corpus.vocabulary[:size]
    encoder = {"emb_sz": sizes.embedding_size, "n_hid": sizes.hidden_size, "n_layers": sizes.n_layers}
    torch.manual_seed(0)
    model = build_classifier(size, 2, encoder, config)
    weights = model_weights(model)
    learner = fastai_classifier(texts, vocabulary, encoder, config)
    load_weights(learner.model, weights)
    ids = {token: number for number, token in enumerate(vocabulary)}
    # Of a length that both read whole.
    texts = [" ".join(text.split()[:200]) for text in texts]

    def read() -> list[np.ndarray]:
        return [numericalize(tokenize(text), ids) for text in texts]

    batches = [
        tokens
        for tokens, _ in ClassifierBatches(
            read(), np.zeros((len(texts), 2), np.float32), PredictionConfig().batch_size, padding_id(vocabulary)
        )
    ]

    def one_by_one() -> np.ndarray:
        with learner.no_bar(), learner.no_logging():
            return np.array([learner.predict(text)[2].numpy() for text in texts])

    def arithmetic() -> None:
        model.eval()
        with torch.inference_mode():
            for tokens in batches:
                model.reset()
                model(tokens)

    ways = {
        "predictions, fastai one by one": one_by_one,
        "predictions, ours": lambda: predict_proba(weights, read(), vocabulary, config),
        "predictions, the arithmetic alone": arithmetic,
    }
    seconds, _ = fastest(ways, rounds)
    return [{"method": name, "documents_per_second": len(texts) / taken} for name, taken in seconds.items()]


def fastai_classifier(
    texts: Sequence[str], vocabulary: list[str], encoder: dict[str, int], config: ClassifierConfig
) -> Any:
    """fastai's own classifier of two classes, over the same encoder and vocabulary."""
    table = pd.DataFrame({"text": list(texts[:20]), "label": ["no", "yes"] * 10})
    loaders = TextDataLoaders.from_df(
        table, text_col="text", label_col="label", text_vocab=vocabulary, bs=4, seed=0, n_workers=0
    )
    return text_classifier_learner(
        loaders,
        AWD_LSTM,
        config={**awd_lstm_clas_config, **encoder},
        drop_mult=config.dropout,
        pretrained=False,
        max_len=config.max_tokens,
        path=Path(tempfile.gettempdir()),
    )


def ratios(table: pd.DataFrame) -> dict[str, float]:
    """Ours over fastai's, each in what it is measured by."""
    documents, tokens = (table.set_index("method")[column] for column in ("documents_per_second", "tokens_per_second"))
    ours = "predictions, ours"
    return {
        "documents a second, ours over fastai's": float(documents["tokens, ours"] / documents["tokens, fastai"]),
        "training tokens a second, ours over fastai's": float(tokens["training, ours"] / tokens["training, fastai"]),
        "predictions a second, ours over one by one": float(
            documents[ours] / documents["predictions, fastai one by one"]
        ),
        "predictions a second, ours over the arithmetic alone": float(
            documents[ours] / documents["predictions, the arithmetic alone"]
        ),
    }


def main() -> None:
    """Measure all three and print what came of it."""
    settings = parse_command_line(BenchmarkSettings, "python -m benchmarks.text")
    warnings.simplefilter("ignore")
    reviews = load_data_set(DataSetConfig(name="imdb_reviews", data_dir=settings.data_dir))["reviews"]
    texts = list(reviews["text"].sample(settings.documents, random_state=0))
    say("warming up: both tokenisers, for what a first call costs is neither's merit")
    tokenize_by_fastai(texts[:20], 1), tokenize_by_us(texts[:20], 1)
    rows, corpus = measure_tokens(texts, settings.processes)
    sizes = LanguageModelConfig(max_tokens=settings.training_tokens, rate_steps=0, sentences=0)
    rows += measure_training(corpus, sizes, settings.rounds)
    rows += measure_predictions(texts[: settings.predictions], corpus, sizes, ClassifierConfig(), settings.rounds)
    table = pd.DataFrame(rows)
    print_results(table, ratios(table), as_json=settings.json_)


if __name__ == "__main__":
    main()
