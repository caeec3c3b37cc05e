"""Recommenders on the same folds of MovieLens 100K: ours, fastai's `collab_learner`, Surprise's SVD and SVD++.

Run it with `python -m benchmarks.collab`, after `pip install 'latentflix[benchmarks]'`.
"""

import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, get_args

import numpy as np
import pandas as pd
import torch
from fastai.collab import CollabDataLoaders, collab_learner
from pydantic import BaseModel, Field
from surprise import SVD, Dataset, Reader, SVDpp
from surprise.prediction_algorithms.algo_base import AlgoBase

from benchmarks.output import print_results, say
from flows.command_line import parse_command_line
from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.data.splits import Split, SplitConfig, split_ratings
from latentflix.recommender.fit import fit_and_score, fit_recommender
from latentflix.recommender.model import CollabConfig, predict_ratings
from latentflix.recommender.trials import TrialConfig, compare_trials, trial_configs
from latentflix.training import single_threaded

Predict = Callable[[pd.DataFrame], np.ndarray]
Fit = Callable[[pd.DataFrame], Predict]
Method = Literal[
    "ours",
    "ours-averaged",
    "ours-bayes",
    "ours-as-fastai",
    "fastai",
    "fastai-one-thread",
    "svd",
    "svd++",
]
N_FOLDS = 5
# What fastai's own tutorial of collaborative filtering takes.
TUTORIAL = CollabConfig(epochs=5, batch_size=64, learning_rate=5e-3, weight_decay=0.1, n_seeds=1)

# Nothing of it is chosen on ratings, so all of them are learned from at once.
BAYES = CollabConfig(model="bayes", n_factors=16, n_seeds=32)


class BenchmarkSettings(BaseModel):
    """Recommenders on the same folds of MovieLens 100K."""

    folds: int = Field(N_FOLDS, ge=1, le=N_FOLDS, description="how many of the five folds are gone through")
    methods: tuple[Method, ...] = Field(get_args(Method), description="what is compared")
    n_seeds: int = Field(16, ge=2, description="seeds that are averaged")
    json_: bool = Field(False, alias="json", description="print one JSON object")


def choose_and_fit(train: pd.DataFrame, config: CollabConfig, trials: TrialConfig) -> Predict:
    """Ours as a user would have it: weight decay and epoch chosen on a tenth of the training ratings, then all of them.

    Nothing but `train` is looked at.
    """
    configs = trial_configs(config, trials)
    recommenders, scores = zip(*(fit_and_score(train, trial) for trial in configs), strict=True)
    best = compare_trials(recommenders, scores, trials).trials.iloc[0]
    chosen = {"weight_decay": float(best["weight_decay"]), "epochs": int(best["best_epoch"]), "seed": 1000}
    return fit_all(train, config.model_copy(update=chosen))


def fit_all(train: pd.DataFrame, config: CollabConfig) -> Predict:
    """Ours on all of `train`, nothing held out."""
    nothing = np.zeros(len(train), bool)
    recommender = fit_recommender(train, config, Split(train=~nothing, held_out=nothing, unseen=nothing))

    def predict(asked: pd.DataFrame) -> np.ndarray:
        stars = predict_ratings(recommender, asked["user_id"].to_numpy(), asked["item_id"].to_numpy())
        return stars.mean(axis=0)

    return predict


def fit_collab_learner(train: pd.DataFrame, threads: AbstractContextManager[None]) -> Predict:
    """fastai's own way, on all of `train` but one rating, which it must have to hold out."""
    torch.manual_seed(0)
    with threads, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        columns = train[["user_id", "item_id", "rating"]].reset_index(drop=True)
        loaders = CollabDataLoaders.from_df(columns, valid_pct=1 / len(columns), bs=TUTORIAL.batch_size, seed=0)
        learner = collab_learner(loaders, n_factors=TUTORIAL.n_factors, y_range=(0, 5.5))
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(TUTORIAL.epochs, TUTORIAL.learning_rate, wd=TUTORIAL.weight_decay)

    def predict(asked: pd.DataFrame) -> np.ndarray:
        with warnings.catch_warnings(), learner.no_bar(), learner.no_logging():
            warnings.simplefilter("ignore")
            loader = loaders.test_dl(asked[["user_id", "item_id", "rating"]].reset_index(drop=True))
            return learner.get_preds(dl=loader)[0].numpy().ravel()

    return predict


def fit_surprise(train: pd.DataFrame, algorithm: AlgoBase) -> Predict:
    """One of Surprise's algorithms, with its defaults."""
    columns = Dataset.load_from_df(train[["user_id", "item_id", "rating"]], Reader(rating_scale=(1, 5)))
    algorithm.fit(columns.build_full_trainset())

    def predict(asked: pd.DataFrame) -> np.ndarray:
        return np.array(
            [algorithm.predict(user, item).est for user, item in zip(asked["user_id"], asked["item_id"], strict=True)]
        )

    return predict


def methods(settings: BenchmarkSettings) -> dict[Method, Fit]:
    """What is compared, by name."""
    one = TrialConfig(models=("bias",), weight_decays=(0.3, 0.4, 0.5), n_seeds=1, chosen_by="rmse")
    # What seeds differ in averages out, so each may fit closer and in fewer epochs than one alone.
    several = TrialConfig(models=("bias",), weight_decays=(0.05, 0.1, 0.2), n_seeds=4, chosen_by="ensemble_rmse")
    return {
        "ours": lambda train: choose_and_fit(train, CollabConfig(n_seeds=1), one),
        "ours-averaged": lambda train: choose_and_fit(train, CollabConfig(n_seeds=settings.n_seeds, epochs=5), several),
        "ours-bayes": lambda train: fit_all(train, BAYES),
        "ours-as-fastai": lambda train: fit_all(train, TUTORIAL),
        "fastai": lambda train: fit_collab_learner(train, nullcontext()),
        "fastai-one-thread": lambda train: fit_collab_learner(train, single_threaded()),
        "svd": lambda train: fit_surprise(train, SVD(random_state=0)),
        # Ratings kept in memory: Surprise's own way to make it faster.
        "svd++": lambda train: fit_surprise(train, SVDpp(random_state=0, cache_ratings=True)),
    }


def measure(fit: Fit, train: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, float]:
    """How far the predictions are off, and how long they took."""
    started = time.perf_counter()
    predict = fit(train)
    fitted = time.perf_counter()
    off = predict(held_out) - held_out["rating"].to_numpy()
    predicted = time.perf_counter()
    return {
        "rmse": float(np.sqrt((off**2).mean())),
        "mae": float(np.abs(off).mean()),
        "fit_seconds": fitted - started,
        "predict_rows_per_second": len(held_out) / (predicted - fitted),
    }


def ratios(table: pd.DataFrame) -> dict[str, float]:
    """The figures of two methods over one another, where both were measured."""
    by_method = table.set_index("method")
    pairs = {
        "fit seconds, fastai over ours with its settings": (
            "fastai",
            "ours-as-fastai",
            "fit_seconds",
        ),
        "fit seconds, fastai on one thread over ours with its settings": (
            "fastai-one-thread",
            "ours-as-fastai",
            "fit_seconds",
        ),
        "MSE, ours with fastai's settings over fastai": ("ours-as-fastai", "fastai", "mse"),
        "fit seconds, SVD++ over ours": ("svd++", "ours", "fit_seconds"),
        "fit seconds, SVD++ over ours with seeds averaged": ("svd++", "ours-averaged", "fit_seconds"),
        "RMSE, ours drawn from the posterior over SVD++": ("ours-bayes", "svd++", "rmse"),
        "RMSE, ours over SVD++": ("ours", "svd++", "rmse"),
        "RMSE, ours with seeds averaged over SVD++": ("ours-averaged", "svd++", "rmse"),
    }
    return {
        name: float(by_method.loc[upper, column] / by_method.loc[lower, column])
        for name, (upper, lower, column) in pairs.items()
        if {upper, lower} <= set(by_method.index)
    }


def main() -> None:
    """Go through the folds and print what came of it."""
    settings = parse_command_line(BenchmarkSettings, "python -m benchmarks.collab")
    tables = load_data_set(DataSetConfig(name="movielens_100k"))
    ratings = read_ratings(tables["ratings"], tables["items"], RatingsConfig()).ratings
    compared = methods(settings)
    say("warming up: each method on few ratings, for what a first call costs is no method's merit")
    for name in settings.methods:
        compared[name](ratings.head(3000))
    rows = []
    for fold in range(1, settings.folds + 1):
        split = split_ratings(ratings, SplitConfig(kind="k_fold", n_folds=N_FOLDS, fold=fold))
        say(f"fold {fold}: {split.counts()}")
        for name in settings.methods:
            rows.append({"method": name, **measure(compared[name], ratings[split.train], ratings[split.held_out])})
            say(f"  {name}: RMSE {rows[-1]['rmse']:.4f}, fit {rows[-1]['fit_seconds']:.1f} s")
    frame = pd.DataFrame(rows)
    frame["mse"] = frame["rmse"] ** 2
    table = frame.groupby("method", sort=False).mean().reset_index()
    print_results(table, ratios(table), as_json=settings.json_)


if __name__ == "__main__":
    main()
