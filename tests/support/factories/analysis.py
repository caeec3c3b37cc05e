"""Trials and an analysis of four items, with values that differ on a page."""

from typing import Any

import pandas as pd

from latentflix.recommender.analysis import Analysis
from latentflix.recommender.ranking import MEASURES
from latentflix.recommender.trials import Trials

HANDLER = '<img src=x onerror="alert(1)">'
TITLES = ["Alpha (1990)", f"Beta {HANDLER}", "Gamma & Co", "Delta"]


def make_trials() -> Trials:
    """Two models, one of them with two trials."""
    trials = pd.DataFrame(
        [("bias", 0.4, 0.9017, True), ("neural", 0.8, 0.9178, True), ("bias", 0.1, 0.95, False)],
        columns=["model", "weight_decay", "rmse", "chosen"],
    ).assign(ensemble_rmse=0.8988, ensemble_mae=0.7098, n_seeds=2, best_epoch=2, seconds=3.14)
    curves = [
        (trial.model, trial.weight_decay, epoch, trial.rmse + 0.1 / epoch)
        for trial in trials.itertuples()
        for epoch in (1, 2, 3)
    ]
    return Trials(
        trials.assign(users=944, user_width=50, items=1658, item_width=51),
        pd.DataFrame(curves, columns=["model", "weight_decay", "epoch", "rmse"]),
    )


def make_analysis(**changes: Any) -> Analysis:
    """An analysis of 32 seeds, with some fields replaced."""
    items = pd.DataFrame({"title": TITLES, "ratings": [90, 80, 70, 60]}, index=pd.Index([2, 3, 5, 7], name="item_id"))
    parts = {
        "predicted": pd.DataFrame(
            {
                "user_id": range(40),
                "item_id": 2,
                "title": [f"Film {number}" for number in range(39)] + [HANDLER],
                "rating": [1.0] * 20 + [5.0] * 20,
                "predicted": [2.0] * 10 + [3.0] * 10 + [4.5] * 20,
                "predicted_sd": 0.25,
            }
        ),
        "biases": items.assign(mean_rating=[4.5, 4.0, 2.0, 1.5], bias=[0.4, 0.1, -0.1, -0.35], bias_sd=0.02),
        "similar": pd.DataFrame(
            {"item_id": 3, "title": TITLES[1], "similar_id": [2, 7], "similar_title": [TITLES[0], TITLES[3]]}
        ).assign(cosine=[0.95, 0.5], cosine_sd=[0.01, float("nan")]),
        "positions": items.assign(year=pd.array([1990, None, 1992, 1993], "Int16"), axis_1=0.1, axis_2=0.2, axis_3=0.0),
        "figures": {
            "model": "bias",
            "weight_decay": 0.4,
            "n_seeds": 32,
            "min_ratings": 30,
            "explained": [0.48, 0.162, 0.09],
            "rmse": 0.9071,
        },
    }
    return Analysis(**parts | changes)


def make_rankings() -> Trials:
    """Two trials of a recommender that ranks."""
    trials = pd.DataFrame({"model": "als", "regularization": [10.0, 1.0], "chosen": [True, False]})
    scores = dict.fromkeys(MEASURES, 0.2) | {"recall": [0.31, 0.3], "ndcg": [0.27, 0.25]}
    return Trials(trials.assign(**scores, n_seeds=2, seconds=0.44), pd.DataFrame())


def make_ranking_analysis() -> Analysis:
    """The same analysis of a recommender that ranks."""
    scores = {name: 0.01 * place for place, name in enumerate(MEASURES, start=41)}
    figures = {name: make_analysis().figures[name] for name in ("n_seeds", "min_ratings", "explained")}
    return make_analysis(
        predicted=pd.DataFrame(),
        biases=pd.DataFrame(),
        figures={"model": "als", "regularization": 10.0, "alpha": 1.0, **figures, **scores},
    )
