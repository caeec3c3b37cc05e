"""PlotSummaries to genres: speed beside `SentenceTransformer.encode`, and quality on several splits beside words alone.

Run it with `python -m benchmarks.genres`, after `pip install 'latentflix[genres]'`.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.genres.evaluation import COMBINED, TFIDF, GenreEvaluationConfig, evaluate_genres
from latentflix.genres.model import GenreConfig, train_genres
from latentflix.genres.plot_summaries import PlotSummaryConfig, prepare_plots
from latentflix.text.sentence_embeddings import EmbeddingConfig, Embeddings, LongTextStrategy, embed_texts, load_encoder


class BenchmarkSettings(BaseModel):
    """PlotSummaries to vectors, and vectors to genres."""

    plots: int = Field(256, ge=8, description="plots that are read for the speed")
    rounds: int = Field(3, ge=1, description="times that each is measured, in turns; the fastest counts")
    splits: int = Field(0, ge=0, description="splits on which the quality is measured; all plots are then read")
    first_split: int = Field(0, ge=0, description="seed of the first of them; those after it count on")
    strategies: tuple[LongTextStrategy, ...] = Field(
        ("chunks",), description="ways to read long plots that are compared"
    )
    data_dir: Path | None = Field(None, description="a folder with data sets that were fetched by hand")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def measure_speed(texts: Sequence[str], encoder: Any, rounds: int) -> pd.DataFrame:
    """Documents a second of both, which read the same tokens: the start of each plot, as much as the model takes."""
    config = EmbeddingConfig(long_texts="head")
    ways = {
        "SentenceTransformer.encode": lambda: encoder.encode(list(texts), show_progress_bar=False),
        "ours": lambda: embed_texts(texts, encoder, config).mean,
    }
    seconds = dict.fromkeys(ways, np.inf)
    vectors = {}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            vectors[name] = way()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
            say(f"{name}: {len(texts) / seconds[name]:.1f} documents a second")
    first, second = vectors.values()
    least = float((first * second).sum(axis=1).min())
    return pd.DataFrame(
        [
            {"method": name, "documents_per_second": len(texts) / taken, "least_cosine": least}
            for name, taken in seconds.items()
        ]
    )


def measure_quality(plots: pd.DataFrame, encoder: Any, settings: BenchmarkSettings) -> pd.DataFrame:
    """Scores on the test plots of every split, of ours, of words alone, and of each way of reading by itself."""
    configs = [EmbeddingConfig(long_texts=strategy) for strategy in settings.strategies]
    embedded: dict[LongTextStrategy, Embeddings] = {}
    for config in configs:
        embedded[config.long_texts] = embed_texts(list(plots["plot"].str.strip()), encoder, config)
    places = pd.Series(np.arange(len(plots)), plots["plot_id"])
    rows: list[dict[str, Any]] = []
    for split in range(settings.first_split, settings.first_split + settings.splits):
        prepared = prepare_plots(plots, PlotSummaryConfig(seed=split))
        kept = places[prepared.plot_summaries.index].to_numpy()
        trained = train_genres(
            prepared.plot_summaries,
            prepared.has_genre,
            [(config, _rows(embedded[config.long_texts], kept)) for config in configs],
            GenreConfig(),
        )
        evaluation = evaluate_genres(
            {COMBINED: trained.probabilities, TFIDF: trained.tfidf},
            prepared.has_genre,
            prepared.plot_summaries["part"],
            GenreConfig().shrinkage,
            GenreEvaluationConfig(bootstraps=20),
        )
        scores = evaluation.scores.set_index(["method", "thresholds", "metric"])["score"]
        rows += [
            {"split": split, "method": method, **{"_".join(key): score for key, score in scores[method].items()}}
            for method in (COMBINED, TFIDF)
        ]
        say(f"split {split}:\n{trained.trials.to_string(index=False)}")
    return pd.DataFrame(rows)


def _rows(embeddings: Embeddings, kept: np.ndarray) -> Embeddings:
    parts = (embeddings.mean, embeddings.maximum, embeddings.chunks, embeddings.unknown)
    return Embeddings(*(part[kept] for part in parts))


def main() -> None:
    """Measure speed and, if asked, quality, and print what came of it."""
    settings = parse_command_line(BenchmarkSettings, "python -m benchmarks.genres")
    plots = load_data_set(DataSetConfig(name="film_plots", data_dir=settings.data_dir))["plots"]
    encoder = load_encoder(EmbeddingConfig(data_dir=settings.data_dir))
    speed = measure_speed(list(plots["plot"].head(settings.plots)), encoder, settings.rounds)
    rates = speed.set_index("method")["documents_per_second"]
    ratios = {"documents a second, ours over encode": float(rates["ours"] / rates["SentenceTransformer.encode"])}
    table = speed
    if settings.splits:
        table = measure_quality(plots, encoder, settings)
        means = table.drop(columns="split").groupby("method").mean()
        ratios |= {
            f"{name}, combined over TF-IDF": float(means.loc[COMBINED, name] / means.loc[TFIDF, name]) for name in means
        }
    print_results(table, ratios, as_json=settings.json_)


if __name__ == "__main__":
    main()
