"""Each model with several weight decays, or `als` with several regularizations, compared on what is held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.recommender.model import CollabConfig, Recommender
from latentflix.recommender.networks import StarModelName
from latentflix.recommender.ranking import MEASURES

_SCORES = ("best_epoch", "rmse", "ensemble_rmse", "ensemble_mae", "seconds")
_RANKING_SCORES = (*MEASURES, "seconds")


class TrialConfig(StageConfig):
    """Which fits are compared; all else is as in the recommender."""

    models: Annotated[tuple[StarModelName, ...], Field(min_length=1)] = setting(
        ("dot", "dot_range", "bias", "neural"), "models to compare, of ratings"
    )
    weight_decays: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)] = setting(
        (0.1, 0.5), "weight decays to try each model with"
    )
    regularizations: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)] = setting(
        (1.0, 10.0, 30.0, 100.0), "regularizations to try `als` with, of interactions"
    )
    n_seeds: int = setting(2, "seeds of each trial", ge=1, le=1000)
    chosen_by: Literal["rmse", "ensemble_rmse", "ensemble_mae"] = setting(
        "rmse",
        "the held-out score by which the best trial is chosen: of single fits, or of the seeds' mean prediction; of "
        "interactions it is the NDCG of single fits",
    )


@dataclass(frozen=True)
class Trials:
    """The results of the trials.

    Attributes:
        trials: one row per trial, the best first: model str, weight_decay, n_seeds, the rows and widths of the
            embeddings (users, items, user_width, item_width), best_epoch counting from 1, rmse, ensemble_rmse and
            ensemble_mae as in `score_recommender`, seconds of the fit of all seeds, chosen bool: the best of its model.
            Of `als` regularization instead of weight_decay, and the scores of `score_ranking`.
        curves: model, weight_decay, epoch counting from 1, rmse: mean over the seeds on the held-out ratings, in stars.
            Of `als` no row.
    """

    trials: pd.DataFrame
    curves: pd.DataFrame


def trial_configs(collab: CollabConfig, config: TrialConfig) -> list[CollabConfig]:
    """The config of each trial: that of the recommender with another model, weight decay and number of seeds.

    A recommender of interactions has another regularization instead.
    """
    if collab.ranks:
        return [
            collab.model_copy(
                update={
                    "als": collab.als.model_copy(update={"regularization": regularization}),
                    "n_seeds": config.n_seeds,
                }
            )
            for regularization in config.regularizations
        ]
    return [
        collab.model_copy(update={"model": model, "weight_decay": weight_decay, "n_seeds": config.n_seeds})
        for model in config.models
        for weight_decay in config.weight_decays
    ]


def compare_trials(
    recommenders: Sequence[Recommender], scores: Sequence[Mapping[str, Any]], config: TrialConfig
) -> Trials:
    """Compare the trials; the one with the lowest error, or the highest NDCG, is chosen for each model.

    scores: those of each recommender, as `fit_and_score` returns them. Epoch and weight decay were chosen on the same
    ratings, so the scores of a chosen trial are slightly optimistic.
    """
    ranks = recommenders[0].config.ranks
    names, chosen_by = (_RANKING_SCORES, "ndcg") if ranks else (_SCORES, config.chosen_by)
    trials = pd.DataFrame(
        [
            {**_name(recommender), **_sizes(recommender), **{name: score[name] for name in names}}
            for recommender, score in zip(recommenders, scores, strict=True)
        ]
    ).sort_values(chosen_by, ascending=not ranks, ignore_index=True)
    curves = [
        {**_name(recommender), "epoch": epoch, "rmse": rmse}
        for recommender in recommenders
        for epoch, rmse in enumerate(np.nanmean(np.sqrt(recommender.valid_loss), axis=1).tolist(), start=1)
    ]
    columns = ["model", "weight_decay", "epoch", "rmse"]
    return Trials(trials.assign(chosen=~trials.duplicated("model")), pd.DataFrame(curves, columns=columns))


def chosen_sentence(trials: pd.DataFrame) -> str:
    """The chosen trial of each model in one line, the best first."""
    if "ndcg" in trials:
        return "; ".join(
            f"{trial['model']} recall {trial['recall']:.3f} and NDCG {trial['ndcg']:.3f} at 10, popularity "
            f"{trial['popularity_recall']:.3f} and {trial['popularity_ndcg']:.3f} (regularization "
            f"{trial['regularization']:g}, {trial['seconds']:.0f} s)"
            for trial in trials[trials["chosen"]].to_dict("records")
        )
    return "; ".join(
        f"{trial['model']} {trial['rmse']:.3f} RMSE ({trial['ensemble_rmse']:.3f} averaged over {trial['n_seeds']} "
        f"seeds; weight decay {trial['weight_decay']:g}, epoch {trial['best_epoch']}, {trial['seconds']:.0f} s)"
        for trial in trials[trials["chosen"]].to_dict("records")
    )


def _name(recommender: Recommender) -> dict[str, Any]:
    config = recommender.config
    decay = {"regularization": config.als.regularization} if config.ranks else {"weight_decay": config.weight_decay}
    return {"model": config.model, **decay}


def _sizes(recommender: Recommender) -> dict[str, int]:
    neural = recommender.config.model == "neural"
    of_users, of_items = ("embeds.0.weight", "embeds.1.weight") if neural else ("u_weight.weight", "i_weight.weight")
    n_seeds, users, user_width = recommender.weights[of_users].shape
    _, items, item_width = recommender.weights[of_items].shape
    return {"n_seeds": n_seeds, "users": users, "user_width": user_width, "items": items, "item_width": item_width}
