"""What the way from ratings and texts to factors and names costs at 1,000, 5,000 and 15,000 items, and what it finds.

The world is made from planted factors: they shape the ratings, and which words a review of an item uses. How well
reviews can predict positions at all is measured by an oracle, which knows the planted words and counts nothing else.
Run it with `python -m benchmarks.reach`.
"""

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.factors.crossfit import cross_fit
from latentflix.factors.documents import DocumentConfig, Documents, gather_documents
from latentflix.factors.extraction import FactorConfig, Factors, extract_factors
from latentflix.factors.inference import EvaluationConfig, score_positions
from latentflix.factors.naming import NameConfig, find_names
from latentflix.factors.readers.metadata import TableReader
from latentflix.factors.readers.registry import build_readers
from latentflix.factors.readers.ridge import KernelRidge, choose_landmarks, fit_ridge
from latentflix.factors.readers.topics import find_topics
from latentflix.metrics import rank_correlations
from latentflix.recommender.fit import fit_recommender, seed_groups
from latentflix.recommender.halves import fit_halves
from latentflix.recommender.model import seed_fits
from latentflix.settings import FullSettings, Profile

Made = TypeVar("Made")

N_FACTORS = 8
# Of a review: how many words, and how many of them an item's strongest factors may choose.
WORDS, WORD_SHARE = 80, 0.04
WORDS_PER_POLE, FILLER_WORDS = 20, 20_000
NOISE = 0.7


class ReachSettings(BaseModel):
    """Seconds, memory and scores from ratings and texts to factors and names."""

    items: tuple[int, ...] = Field((1000, 5000, 15_000), description="items of each world")
    ratings: tuple[int, ...] = Field((100_000, 1_000_000, 5_000_000), description="ratings of each world")
    reviews_per_item: float = Field(5.0, gt=0, description="mean number of reviews of an item")
    profile: Profile = Field("ulmfit", description="whose recommender, halves and readers are run")
    json_: bool = Field(False, alias="json", description="print one JSON object")


@dataclass(frozen=True)
class World:
    """Ratings, items and reviews as the stages read them, and what they were made from.

    Attributes:
        positions: float64 (items, N_FACTORS), where items stand on the planted factors.
        counts: float32 (items, N_FACTORS), words of the plus pole less words of the minus pole, for each word read.
    """

    ratings: pd.DataFrame
    items: pd.DataFrame
    reviews: pd.DataFrame
    corpus: pd.Series
    positions: np.ndarray
    counts: np.ndarray


@dataclass
class Clock:
    """Seconds of each stage, and the most memory of the process up to its end."""

    seconds: dict[str, float] = field(default_factory=dict)
    gib: dict[str, float] = field(default_factory=dict)

    def run(self, stage: str, make: Callable[[], Made]) -> Made:
        """Run a stage and note what it cost."""
        started = time.monotonic()
        made = make()
        self.seconds[stage] = time.monotonic() - started
        self.gib[stage] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return made


def make_world(n_items: int, n_ratings: int, reviews_per_item: float, seed: int = 0) -> World:
    """A world in which factor k weighs 0.85 times as much in the ratings as the one before it."""
    random = np.random.default_rng(seed)
    positions = random.normal(size=(n_items, N_FACTORS))
    popularity = (np.arange(n_items) + 50.0) ** -1.0
    users, items = _draw_pairs(random, n_ratings, n_items, popularity)
    tastes = random.normal(size=(users.max() + 1, N_FACTORS)) * 0.85 ** np.arange(N_FACTORS)
    user_bias, item_bias = random.normal(0, 0.4, len(tastes)), random.normal(0, 0.4, n_items)
    stars = np.empty(n_ratings, np.float32)
    for rows in np.array_split(np.arange(n_ratings), max(n_ratings // 10**6, 1)):
        user, item = users[rows], items[rows]
        liking = 0.35 * (tastes[user] * positions[item]).sum(1)
        stars[rows] = 3.5 + user_bias[user] + item_bias[item] + liking + random.normal(0, NOISE, len(rows))
    reviews, counts = _write_reviews(random, positions, popularity, reviews_per_item)
    others = _write_reviews(random, random.normal(size=(2000, N_FACTORS)), np.ones(2000), 2)[0]
    ids = np.arange(1, n_items + 1)
    return World(
        pd.DataFrame(
            {
                "user_id": users.astype(np.int32) + 1,
                "item_id": items.astype(np.int32) + 1,
                "rating": np.clip(np.round(stars * 2) / 2, 0.5, 5),
                "timestamp": np.zeros(n_ratings, np.int64),
            }
        ),
        pd.DataFrame({"item_id": ids, "title": [f"Item {number}" for number in ids], "genres": "Any"}),
        reviews,
        others["text"],
        positions,
        counts,
    )


def _draw_pairs(
    random: np.random.Generator, n_ratings: int, n_items: int, popularity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n_users = max(n_ratings // 150, 50)
    activity = random.lognormal(0, 1, n_users)
    drawn = np.empty(0, np.int64)
    while len(drawn) < n_ratings:
        missing = int(1.5 * (n_ratings - len(drawn))) + 100
        users = random.choice(n_users, missing, p=activity / activity.sum())
        items = random.choice(n_items, missing, p=popularity / popularity.sum())
        drawn = np.unique(np.concatenate([drawn, users * n_items + items]))
    pairs = random.permutation(drawn)[:n_ratings]
    return pairs // n_items, pairs % n_items


def _write_reviews(
    random: np.random.Generator, positions: np.ndarray, popularity: np.ndarray, reviews_per_item: float
) -> tuple[pd.DataFrame, np.ndarray]:
    """Write reviews of items, at least one of each, the more the more popular it is; and count planted words."""
    n_items = len(positions)
    more = random.poisson((reviews_per_item - 1) * n_items * popularity / popularity.sum())
    owners = np.repeat(np.arange(n_items), 1 + more)
    words = np.array(list(map(_spell, range(FILLER_WORDS + 2 * N_FACTORS * WORDS_PER_POLE))))
    chances = WORD_SHARE * np.minimum(np.abs(positions), 2)
    cumulated = np.cumsum(chances, axis=1)
    texts, counts = [], np.zeros((n_items, N_FACTORS), np.float32)
    for owner in owners:
        kinds = np.searchsorted(cumulated[owner], random.random(WORDS))
        chosen = (FILLER_WORDS ** random.random(WORDS)).astype(np.int64) - 1
        factors = kinds[kinds < N_FACTORS]
        below = positions[owner, factors] < 0
        within = random.integers(0, WORDS_PER_POLE, len(factors))
        chosen[kinds < N_FACTORS] = FILLER_WORDS + (2 * factors + below) * WORDS_PER_POLE + within
        np.add.at(counts[owner], factors, np.where(below, -1, 1))
        texts.append(" ".join(words[chosen]))
    reviews = pd.DataFrame(
        {"review_id": [f"r{row}" for row in range(len(owners))], "item_id": owners + 1, "text": texts}
    )
    return reviews, counts / (np.bincount(owners, minlength=n_items) * WORDS)[:, None].astype(np.float32)


def _spell(number: int) -> str:
    """A word of letters for each number."""
    return "w" + "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))


def measure(n_items: int, n_ratings: int, settings: ReachSettings) -> dict[str, Any]:
    """Go the whole way once, without the network: what each stage costs and how well positions are predicted."""
    clock = Clock()
    world = make_world(n_items, n_ratings, settings.reviews_per_item)
    data = clock.run("ratings", lambda: read_ratings(world.ratings, world.items, RatingsConfig()))
    flow = FullSettings(profile=settings.profile)
    tasks = seed_groups(flow.collab)
    # As many fits as the flow makes before it first looks at their agreement.
    groups = clock.run("collab", lambda: [fit_recommender(data.ratings, task) for task in tasks[:2]])
    fits = [fit for group in groups for fit in seed_fits(group)]
    epochs = int(np.nanmean(groups[0].valid_loss, axis=1).argmin()) + 1
    pairs = range(flow.halves.n_pairs)
    halves, _ = clock.run("halves", lambda: fit_halves(data.ratings, flow.collab, epochs, flow.halves, pairs))
    axes = clock.run(
        "factors",
        lambda: extract_factors(fits, data.items["ratings"], FactorConfig(n_axes=N_FACTORS), halves.pairs()),
    )
    documents = clock.run("documents", lambda: gather_documents(world.reviews, data.items, DocumentConfig()))
    config = flow.readers
    means = data.ratings.groupby("item_id")["rating"].mean()
    none = pd.Series([], dtype="str")
    topics = clock.run("topics", lambda: find_topics(documents, world.corpus, none, config.topics, mask=False))
    readers = clock.run("readers", lambda: build_readers(documents, data.items, means, topics, [], config))
    fit = clock.run("positions", lambda: cross_fit(documents, axes.scores, readers, config))
    scores = clock.run(
        "evaluation",
        lambda: score_positions(fit, documents, axes.scores, axes.axes["stable"], None, EvaluationConfig()),
    )
    names = clock.run("names", lambda: find_names(documents, axes.scores, axes.axes, data.items, NameConfig()))
    return {
        "items": len(documents.items),
        "ratings": n_ratings,
        "reviews": len(world.reviews),
        **{f"{stage} s": seconds for stage, seconds in clock.seconds.items()},
        **{f"{stage} GiB": gib for stage, gib in clock.gib.items()},
        "mean rho": float(scores.axes["rho"].mean()),
        "mean rho of the oracle": _ask_oracle(world, documents, axes, fit.folds[0]),
        "factors that hold": int(scores.axes["holds"].sum()),
        "factors": len(scores.axes),
        "names that hold": int(names.tests["holds"].sum()),
    }


def _ask_oracle(world: World, documents: Documents, axes: Factors, folds: np.ndarray) -> float:
    """The mean rho of a ridge regression on the planted words alone, on the same folds."""
    rows = documents.items.index.to_numpy() - 1
    reader = TableReader("oracle", world.counts[rows].astype(np.float64))
    truth = axes.scores.loc[documents.items.index].to_numpy(np.float64)
    weights, predicted = documents.items["weight"].to_numpy(), np.zeros_like(truth)
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        chosen = choose_landmarks(len(train))
        learned, seen = reader.kernels(train, test, train[chosen])
        ridge = KernelRidge.decompose(learned, weights[train], chosen)
        predicted[test] = fit_ridge(ridge, truth[train]).predict(ridge.project(seen))
    return float(rank_correlations(predicted, truth, folds, weights).mean())


def main() -> None:
    """Measure each size in a process of its own, and print what it cost and how that grows."""
    settings = parse_command_line(ReachSettings, "python -m benchmarks.reach")
    rows = []
    for n_items, n_ratings in zip(settings.items, settings.ratings, strict=True):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as process:
            rows.append(process.submit(measure, n_items, n_ratings, settings).result())
        say(f"{n_items:,} items: {rows[-1]}")
    table = pd.DataFrame(rows)
    grown = {
        f"{column}, from {first['items']:,.0f} to {last['items']:,.0f} items": float(last[column] / first[column])
        for (_, first), (_, last) in zip(table.iloc[:-1].iterrows(), table.iloc[1:].iterrows(), strict=True)
        for column in table.columns
        if column in ("items", "ratings", "reviews") or column.endswith(" s")
    }
    print_results(table, grown, as_json=settings.json_)


if __name__ == "__main__":
    main()
