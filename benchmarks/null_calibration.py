"""How often factors seem predictable when positions have nothing to do with words.

Readers are trained on the reviews of a planted world, with positions drawn at random, many factors at once; so every
factor that holds is a false alarm. Two nulls are compared: readers that learn anew for every permutation, and readers
that keep what they learned from the true positions.

Run it with `python -m benchmarks.null_calibration`.
"""

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmarks.output import print_results
from flows.command_line import parse_command_line
from latentflix.factors.crossfit import cross_fit
from latentflix.factors.documents import DocumentConfig, gather_documents
from latentflix.factors.readers.registry import ReadersConfig, build_readers
from latentflix.factors.readers.stacked import STACKED
from latentflix.factors.readers.topics import TopicsConfig
from latentflix.metrics import rank_correlations
from latentflix.text.cleaning import text_id
from tests.support.synthetic_world import join_world, make_world, read_items


class BenchmarkSettings(BaseModel):
    """How many chances for a false alarm there are."""

    worlds: int = Field(20, ge=1, description="planted worlds, each with its own texts")
    factors: int = Field(100, ge=1, description="factors of each, drawn at random")
    permutations: int = Field(199, ge=19, description="permutations, for each of which the readers learn anew")
    items: int = Field(88, ge=20, description="items of each world")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def measure(n_worlds: int, n_factors: int, n_permutations: int, n_items: int) -> pd.DataFrame:
    """Count false alarms at a nominal 5 %, for each world.

    Returns one row per world: refitted and fixed, the shares of its factors with p <= 0.05 under either null.
    """
    rows = []
    for seed in range(n_worlds):
        world = make_world(seed=seed, n_items=n_items)
        items = read_items(world)
        documents = gather_documents(join_world(world), items, DocumentConfig())
        random = np.random.default_rng(seed)
        positions = pd.DataFrame(
            random.normal(size=(len(items), n_factors)), items.index, [str(axis) for axis in range(n_factors)]
        )
        config = ReadersConfig(
            n_repeats=2, permutations=n_permutations, topics=TopicsConfig(n_topics=20, min_texts=2), seed=seed
        )
        held_out = documents.parts["text"].map(text_id)
        readers = build_readers(
            documents, items, pd.Series(3.0, items.index), world.reviews["text"], held_out, [], config
        )
        fit = cross_fit(documents, positions, readers, config)
        truth, weights = positions.loc[documents.items.index].to_numpy(), documents.items["weight"].to_numpy()
        rho = np.mean(
            [
                rank_correlations(predicted, truth, folds, weights)
                for predicted, folds in zip(fit.held_out[STACKED], fit.folds, strict=True)
            ],
            axis=0,
        )
        alarms = {
            name: float(((1 + (null >= rho).sum(0)) / (1 + len(null)) <= 0.05).mean())
            for name, null in (("refitted", fit.null), ("fixed", fit.null_words))
        }
        rows.append({"world": seed, **alarms})
    return pd.DataFrame(rows)


def main() -> None:
    """Print the shares of false alarms and their means."""
    settings = parse_command_line(BenchmarkSettings, "python -m benchmarks.null_calibration")
    table = measure(settings.worlds, settings.factors, settings.permutations, settings.items)
    means = {f"mean share of false alarms, null {name}": float(table[name].mean()) for name in ("refitted", "fixed")}
    print_results(table, means, as_json=settings.json_)


if __name__ == "__main__":
    main()
