"""How often factors seem predictable, and poles get words, when positions have nothing to do with words.

Readers are trained on the reviews of a planted world, with positions drawn at random, many factors at once; so every
factor that holds is a false alarm. Two nulls are compared: readers that learn anew for every permutation, and readers
that keep what they learned from the true positions. Words that mark a pole are false alarms too, and so are names that
hold.

Run it with `python -m benchmarks.null_calibration`.
"""

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmarks.output import print_results
from flows.command_line import parse_command_line
from latentflix.factors.crossfit import cross_fit
from latentflix.factors.documents import DocumentConfig, Documents, gather_documents
from latentflix.factors.naming import NameConfig, find_names
from latentflix.factors.readers.registry import ReadersConfig, build_readers
from latentflix.factors.readers.stacked import STACKED
from latentflix.factors.readers.topics import TopicsConfig, find_topics
from latentflix.metrics import rank_correlations
from latentflix.text.cleaning import text_id
from tests.support.synthetic_world import World, join_world, make_world, read_items


class BenchmarkSettings(BaseModel):
    """How many chances for a false alarm there are."""

    worlds: int = Field(20, ge=1, description="planted worlds, each with its own texts")
    factors: int = Field(100, ge=1, description="factors of each, drawn at random")
    permutations: int = Field(199, ge=19, description="permutations, for each of which the readers learn anew")
    name_worlds: int = Field(50, ge=1, description="planted worlds in which 40 factors each are named")
    items: int = Field(88, ge=20, description="items of each world")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def measure_readers(n_worlds: int, n_factors: int, n_permutations: int, n_items: int) -> pd.DataFrame:
    """Count false alarms at a nominal 5 %, for each world.

    Returns one row per world: refitted and fixed, the shares of its factors with p <= 0.05 under either null.
    """
    rows = []
    for seed in range(n_worlds):
        world, items, documents, positions = _draw_world(seed, n_factors, n_items)
        config = ReadersConfig(
            n_repeats=2, permutations=n_permutations, topics=TopicsConfig(n_topics=20, min_texts=2), seed=seed
        )
        held_out = documents.parts["text"].map(text_id)
        topics = find_topics(documents, world.reviews["text"], held_out, config.topics, mask=False)
        readers = build_readers(documents, items, pd.Series(3.0, items.index), topics, [], config)
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


def measure_names(n_worlds: int, n_items: int, n_factors: int = 40) -> pd.DataFrame:
    """Count, for each world, the false alarms of names: the shares of its factors and poles that get any."""
    rows = []
    for seed in range(n_worlds):
        _, items, documents, positions = _draw_world(seed, n_factors, n_items)
        axes = pd.DataFrame({"stable": True, "stability": 1.0}, index=positions.columns.rename("axis"))
        names = find_names(documents, positions, axes, items, NameConfig(seed=seed))
        named = names.terms["label"].drop_duplicates()
        rows.append(
            {
                "world": seed,
                "factors with a word": named.str[:-1].nunique() / n_factors,
                "poles with a word": len(named) / (2 * n_factors),
                "poles with a name that holds": float(names.tests["holds"].sum()) / (2 * n_factors),
            }
        )
    return pd.DataFrame(rows)


def _draw_world(seed: int, n_factors: int, n_items: int) -> tuple[World, pd.DataFrame, Documents, pd.DataFrame]:
    """A planted world, its items and documents, and positions that have nothing to do with them."""
    world = make_world(seed=seed, n_items=n_items)
    items = read_items(world)
    documents = gather_documents(join_world(world), items, DocumentConfig())
    drawn = np.random.default_rng(seed).normal(size=(len(items), n_factors))
    return world, items, documents, pd.DataFrame(drawn, items.index, [str(axis) for axis in range(n_factors)])


def main() -> None:
    """Print the shares of false alarms and their means."""
    settings = parse_command_line(BenchmarkSettings, "python -m benchmarks.null_calibration")
    table = measure_readers(settings.worlds, settings.factors, settings.permutations, settings.items)
    named = measure_names(settings.name_worlds, settings.items)
    means = {f"mean share of false alarms, null {name}": float(table[name].mean()) for name in ("refitted", "fixed")}
    means |= {f"mean share of {name}": float(named[name].mean()) for name in named.columns.drop("world")}
    print_results(table, means, as_json=settings.json_)


if __name__ == "__main__":
    main()
