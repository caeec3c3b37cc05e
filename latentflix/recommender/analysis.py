"""What one recommender has learned of its items: predictions or rankings, biases, similar items, and a map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.splits import split_ratings
from latentflix.errors import NotEnoughData
from latentflix.recommender.latent_factors import LatentFactors
from latentflix.recommender.model import Recommender, predict_ratings, seed_fits
from latentflix.recommender.ranking import MEASURES, score_ranking
from latentflix.recommender.rotation import fit_axes
from latentflix.recommender.similarity import find_similar

N_AXES = 3


class AnalysisConfig(StageConfig):
    """How much of the recommender is analysed."""

    n_predicted: int = setting(2000, "held-out ratings that are compared with their predictions", ge=1)
    min_ratings: int = setting(30, "ratings an item needs to be listed by its bias or as similar to another", ge=1)
    n_items: int = setting(20, "items, the most rated, whose similar items are listed", ge=1)
    n_similar: int = setting(5, "similar items of each", ge=1)
    n_mapped: int = setting(300, "items on the map, the most rated", ge=1)
    seed: int = setting(0, "seed of the draw of held-out ratings", ge=0)


@dataclass(frozen=True)
class Analysis:
    """An analysed recommender. Values are means over its seeds, and `…_sd` their standard deviations.

    Attributes:
        predicted: held-out ratings in the order drawn: user_id, item_id, title, rating, predicted, predicted_sd; stars.
            No row, nor in `biases`, if the recommender ranks.
        biases: index item_id, the highest bias first: title, ratings (how many), mean_rating in stars, and bias, the
            part of the item's prediction that is the same for all users, before the sigmoid, with bias_sd.
        similar: as `find_similar`, with title and similar_title; items by ratings.
        positions: index item_id, the most rated first: title, year Int16, ratings, axis_1, axis_2, axis_3 float32: what
            distinguishes the item's predictions, as a standard deviation over the users, before the sigmoid.
        figures: the model, its weight_decay, n_seeds, min_ratings, explained (the share of the variance on each axis),
            and rmse over `predicted`, in stars; of a recommender that ranks its regularization and alpha instead of
            weight_decay, and the scores of `score_ranking` instead of rmse.
    """

    predicted: pd.DataFrame
    biases: pd.DataFrame
    similar: pd.DataFrame
    positions: pd.DataFrame
    figures: dict[str, Any]

    @property
    def scores(self) -> dict[str, float]:
        """The scores among the figures."""
        return {name: self.figures[name] for name in ("rmse", *MEASURES) if name in self.figures}


def analyse_recommender(
    recommenders: Sequence[Recommender], ratings: pd.DataFrame, items: pd.DataFrame, config: AnalysisConfig
) -> Analysis:
    """Analyse a recommender whose seeds were fitted in groups; ratings, items: as `read_ratings` returns them.

    Raises ModelError if users and items have no factors in common, NotEnoughData if fewer than three items have
    `min_ratings`.
    """
    fits, collab = [fit for group in recommenders for fit in seed_fits(group)], recommenders[0].config
    known = items.loc[fits[0].item_ids, "ratings"]
    frequent = known.index[known >= config.min_ratings]
    of_items = "interactions" if collab.ranks else "ratings"
    if len(frequent) < 3:
        raise NotEnoughData(
            f"too few items have enough {of_items} to be compared",
            found=f"{len(frequent)} items with {config.min_ratings} {of_items} or more",
            expected="at least 3",
            hint="lower --analysis.min-ratings",
        )
    positions, explained = place_items(fits, items, frequent, config)
    if collab.ranks:
        split = split_ratings(ratings, collab.split)
        predicted = biases = pd.DataFrame()
        scores = score_ranking(fits, ratings[split.train], ratings[split.held_out])
        scores |= {"regularization": collab.als.regularization, "alpha": collab.als.alpha}
    else:
        predicted = _predict_held_out(recommenders, ratings, items, config)
        biases = rank_biases(fits, ratings, items, frequent)
        rmse = float(((predicted["predicted"] - predicted["rating"]) ** 2).mean() ** 0.5)
        scores = {"weight_decay": collab.weight_decay, "rmse": rmse}
    most_rated = items.loc[frequent, "ratings"].nlargest(config.n_items).index
    similar = find_similar(fits, most_rated, frequent, config.n_similar)
    titles = items["title"]
    return Analysis(
        predicted=predicted,
        biases=biases,
        similar=similar.assign(title=similar["item_id"].map(titles), similar_title=similar["similar_id"].map(titles)),
        positions=positions,
        figures={
            "model": collab.model,
            "n_seeds": len(fits),
            "min_ratings": config.min_ratings,
            "explained": explained,
            **scores,
        },
    )


def _predict_held_out(
    recommenders: Sequence[Recommender], ratings: pd.DataFrame, items: pd.DataFrame, config: AnalysisConfig
) -> pd.DataFrame:
    held_out = ratings[split_ratings(ratings, recommenders[0].config.split).held_out]
    drawn = held_out.sample(min(config.n_predicted, len(held_out)), random_state=config.seed)
    pairs = drawn["user_id"].to_numpy(), drawn["item_id"].to_numpy()
    stars = pd.DataFrame(np.concatenate([predict_ratings(group, *pairs) for group in recommenders]))
    return pd.DataFrame(
        {
            "user_id": pairs[0],
            "item_id": pairs[1],
            "title": items["title"].loc[pairs[1]].to_numpy(),
            "rating": drawn["rating"].to_numpy(),
            "predicted": stars.mean(),
            "predicted_sd": stars.std(),
        }
    )


def rank_biases(
    fits: Sequence[LatentFactors], ratings: pd.DataFrame, items: pd.DataFrame, frequent: pd.Index
) -> pd.DataFrame:
    """Rank the items of `frequent` by what all users have in common of their predictions, as `Analysis.biases`."""
    item_ids = pd.Index(fits[0].item_ids, name="item_id")
    biases = pd.DataFrame([fit.common_item_effect for fit in fits], columns=item_ids)[frequent]
    table = items.loc[frequent, ["title", "ratings"]].assign(
        mean_rating=ratings.groupby("item_id")["rating"].mean().reindex(frequent),
        bias=biases.mean(),
        bias_sd=biases.std(),
    )
    return table.sort_values("bias", ascending=False)


def place_items(
    fits: Sequence[LatentFactors], items: pd.DataFrame, frequent: pd.Index, config: AnalysisConfig
) -> tuple[pd.DataFrame, list[float]]:
    """Place the most-rated items on three principal axes, as `Analysis.positions`, and say what each axis explains.

    The items of `frequent` determine the axes, with equal weights. The longer tail of an axis is its positive end; a
    missing axis is all 0.
    """
    item_ids = pd.Index(fits[0].item_ids, name="item_id")
    positions, explained = fit_axes(fits, item_ids.isin(frequent).astype(np.float64), "pca", N_AXES)
    positions = positions * np.where((positions**3).sum(axis=0) < 0, -1, 1) / np.sqrt(len(fits))
    names = pd.RangeIndex(1, N_AXES + 1)
    axes = pd.DataFrame(positions, item_ids, names[: positions.shape[1]]).reindex(columns=names, fill_value=0.0)
    shown = items.loc[item_ids, ["title", "year", "ratings"]].nlargest(config.n_mapped, "ratings")
    return shown.join(axes.add_prefix("axis_").astype(np.float32)), explained.tolist()
