"""What an epoch costs from 100 thousand ratings to 25 million, of the shape of MovieLens 25M.

The ratings are made from planted factors, so that the validation score says whether the model still learns at the
batch size that so many ratings ask for. Run it with `python -m benchmarks.scale`.
"""

import multiprocessing
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, Field

from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.data.splits import SplitConfig, split_ratings
from latentflix.recommender.fit import fit_recommender, score_recommender
from latentflix.recommender.model import CollabConfig
from latentflix.recommender.posterior import PosteriorConfig

# MovieLens 25M; fewer ratings are those of fewer of its users.
N_RATINGS, N_USERS, N_ITEMS = 25_000_095, 162_541, 59_047
N_FACTORS = 8
NOISE = 0.7


class ScaleSettings(BaseModel):
    """What an epoch costs from 100 thousand ratings to 25 million."""

    millions: tuple[float, ...] = Field((0.1, 1, 5, 25), description="ratings, in millions")
    model: Literal["bias", "bayes"] = Field("bias", description="the recommender")
    epochs: int = Field(3, ge=1, description="passes over the ratings")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def make_ratings(n_ratings: int, seed: int = 0) -> pd.DataFrame:
    """Ratings of half stars, 0.5 to 5, by planted factors, biases and noise.

    user_id and item_id int32, rating float32, timestamp int64; no user rates a film twice. How often a film is rated
    falls off with its rank by a power law, how much a user rates is log-normal.
    """
    random = np.random.default_rng(seed)
    n_users = max(round(N_USERS * n_ratings / N_RATINGS), 50)
    # The most rated film of MovieLens 25M has 81,491 ratings, half of the films have six or fewer.
    popularity = (np.arange(N_ITEMS) + 150) ** -1.5
    activity = random.lognormal(0, 1.1, n_users)
    drawn = np.empty(0, np.int64)
    while len(drawn) < n_ratings:
        missing = int(1.2 * (n_ratings - len(drawn))) + 100
        users = random.choice(n_users, missing, p=activity / activity.sum())
        items = random.choice(N_ITEMS, missing, p=popularity / popularity.sum())
        drawn = np.unique(np.concatenate([drawn, users * N_ITEMS + items]))
    pairs = random.permutation(drawn)[:n_ratings]
    users, items = pairs // N_ITEMS, pairs % N_ITEMS
    user_factors, item_factors = (
        random.normal(size=(rows, N_FACTORS)).astype(np.float32) for rows in (n_users, N_ITEMS)
    )
    user_bias, item_bias = (random.normal(0, 0.4, rows).astype(np.float32) for rows in (n_users, N_ITEMS))
    stars = np.empty(n_ratings, np.float32)
    for rows in np.array_split(np.arange(n_ratings), max(n_ratings // 10**6, 1)):
        user, item = users[rows], items[rows]
        liking = (user_factors[user] * item_factors[item]).sum(axis=1) * 0.6 / np.sqrt(N_FACTORS)
        stars[rows] = 3.5 + user_bias[user] + item_bias[item] + liking + random.normal(0, NOISE, len(rows))
    return pd.DataFrame(
        {
            "user_id": (users + 1).astype(np.int32),
            "item_id": (items + 1).astype(np.int32),
            "rating": np.clip(np.round(stars * 2) / 2, 0.5, 5),
            "timestamp": np.zeros(n_ratings, np.int64),
        }
    )


def write_ratings(n_ratings: int, path: Path) -> None:
    """Make ratings and write them, in a process of its own, whose memory is not that of the fit."""
    make_ratings(n_ratings).to_parquet(path)


def measure(path: Path, model: Literal["bias", "bayes"], epochs: int) -> dict[str, Any]:
    """Fit the recommender to the ratings at a path: what it cost, and how far its predictions are off."""
    ratings = pd.read_parquet(path)
    # As the artifact store does.
    pa.default_memory_pool().release_unused()
    split_config = SplitConfig(share=0.02)
    config = CollabConfig(
        model=model,
        n_factors=50 if model == "bias" else 20,
        epochs=epochs,
        # The first fit is kept after the warm-up, in the last pass.
        posterior=PosteriorConfig(warm_up=epochs - 1),
        n_seeds=1,
        learning_rate=1e-2,
        weight_decay=0.05,
        split=split_config,
    )
    split = split_ratings(ratings, split_config)
    recommender = fit_recommender(ratings, config, split)
    # Before the scores are asked for: those are no part of an epoch.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    held_out = ratings[split.held_out]
    off = held_out["rating"] - ratings.loc[split.train, "rating"].mean()
    seconds = recommender.seconds / epochs
    return {
        "ratings": len(ratings),
        "users": len(recommender.user_ids),
        "items": len(recommender.item_ids),
        "seconds_an_epoch": seconds,
        "rows_per_second": split.train.sum() / seconds,
        "peak_gib": peak,
        "rmse": score_recommender(recommender, held_out)["rmse"],
        "rmse_of_the_mean": float(np.sqrt((off**2).mean())),
        "rmse_by_epoch": [round(float(loss) ** 0.5, 4) for loss in recommender.valid_loss[:, 0]],
    }


def main() -> None:
    """Measure each size in a process of its own and print what came of it."""
    settings = parse_command_line(ScaleSettings, "python -m benchmarks.scale")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.parquet"
        for millions in settings.millions:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as process:
                process.submit(write_ratings, round(millions * 10**6), path).result()
                rows.append(process.submit(measure, path, settings.model, settings.epochs).result())
            say(f"{millions:g} million: {rows[-1]}")
    table = pd.DataFrame(rows)
    first, last = table.iloc[0], table.iloc[-1]
    grown = {
        "ratings, last over first": float(last["ratings"] / first["ratings"]),
        "seconds an epoch, last over first": float(last["seconds_an_epoch"] / first["seconds_an_epoch"]),
        "noise of the ratings, in stars": NOISE,
    }
    print_results(table, grown, as_json=settings.json_)


if __name__ == "__main__":
    main()
