"""What one recommender has learned of its items: what it predicts, likes, takes for alike, and where it places them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.splits import split_ratings
from latentflix.errors import NotEnoughData
from latentflix.recommender.latent_factors import LatentFactors
from latentflix.recommender.model import Recommender, predict_ratings, seed_fits
from latentflix.recommender.rotation import fit_axes

N_AXES = 3


class AnalysisConfig(StageConfig):
    """How much of the recommender is looked at."""

    n_predicted: int = setting(2000, "held-out ratings that are put beside their predictions", ge=1)
    min_ratings: int = setting(30, "ratings an item needs to be listed by its bias or as similar to another", ge=1)
    n_items: int = setting(20, "items, the most rated, whose similar items are listed", ge=1)
    n_similar: int = setting(5, "similar items of each", ge=1)
    n_mapped: int = setting(300, "items on the map, the most rated", ge=1)
    seed: int = setting(0, "seed of the draw of held-out ratings", ge=0)


@dataclass(frozen=True)
class Analysis:
    """A recommender looked at. Where there are several seeds, a value is their mean, and `…_sd` their deviation.

    predicted: one row a held-out rating, in the order drawn: user_id, item_id, title, rating, predicted,
    predicted_sd; in stars.
    biases: index item_id, the highest bias first: title, ratings (how many), mean_rating in stars, bias, bias_sd:
    what the model adds for the item whoever the user is, before the sigmoid. Empty if the model has no biases.
    similar: item_id, title, similar_id, similar_title, cosine, cosine_sd; items by ratings, those alike by cosine.
    positions: index item_id, the most rated first: title, year Int16, ratings, axis_1, axis_2, axis_3 float32: what
    sets the item's predictions apart, as a deviation over the users, before the sigmoid.
    figures: the model, its weight_decay, n_seeds, min_ratings of the items that are compared, explained: the share of
    the variance on each axis, and rmse over `predicted`, in stars.
    """

    predicted: pd.DataFrame
    biases: pd.DataFrame
    similar: pd.DataFrame
    positions: pd.DataFrame
    figures: Mapping[str, Any]


def analyse_recommender(
    recommenders: Sequence[Recommender],
    ratings: pd.DataFrame,
    items: pd.DataFrame,
    config: AnalysisConfig,
) -> Analysis:
    """Look at a recommender whose seeds were fitted in one or several groups.

    ratings, items: as `read_ratings` gives them. Raises ModelError if users and items have no factors in common,
    NotEnoughData if no more than two items have `min_ratings`.
    """
    fits = [fit for group in recommenders for fit in seed_fits(group)]
    often = _often_rated(fits, items, config)
    positions, explained = place_items(fits, items, often, config)
    predicted = predict_held_out(recommenders, ratings, items, config)
    return Analysis(
        predicted=predicted,
        biases=rank_biases(fits, ratings, items, often),
        similar=find_similar(fits, items, often, config),
        positions=positions,
        figures={
            "model": recommenders[0].config.model,
            "weight_decay": recommenders[0].config.weight_decay,
            "n_seeds": len(fits),
            "min_ratings": config.min_ratings,
            "explained": explained,
            "rmse": float(((predicted["predicted"] - predicted["rating"]) ** 2).mean() ** 0.5),
        },
    )


def predict_held_out(
    recommenders: Sequence[Recommender], ratings: pd.DataFrame, items: pd.DataFrame, config: AnalysisConfig
) -> pd.DataFrame:
    """Some of the ratings that the fits did not learn from, beside their predictions, as `Analysis.predicted`."""
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
    fits: Sequence[LatentFactors], ratings: pd.DataFrame, items: pd.DataFrame, often: pd.Index
) -> pd.DataFrame:
    """The items of `often` by what they are liked beyond what their factors explain, as `Analysis.biases`."""
    biases = pd.DataFrame([fit.item_bias for fit in fits], columns=pd.Index(fits[0].item_ids, name="item_id"))
    ranked = often if biases.to_numpy().any() else often[:0]
    table = items.loc[ranked, ["title", "ratings"]].assign(
        mean_rating=ratings.groupby("item_id")["rating"].mean().reindex(ranked),
        bias=biases[ranked].mean(),
        bias_sd=biases[ranked].std(),
    )
    return table.sort_values("bias", ascending=False)


def find_similar(
    fits: Sequence[LatentFactors], items: pd.DataFrame, often: pd.Index, config: AnalysisConfig
) -> pd.DataFrame:
    """For the most-rated items those of `often` with the greatest cosine of item factors, as `Analysis.similar`.

    The cosine is averaged over the seeds, for that of one fit hangs much on its seed: on MovieLens 100K, of the five
    items most similar to one with 50 ratings or more, two single fits share 45 %, and two groups of eight 76 %.
    """
    asked = items.loc[often, "ratings"].nlargest(config.n_items).index
    cosines = np.stack([_cosines(fit, asked, often) for fit in fits])
    mean, deviation = cosines.mean(axis=0), pd.DataFrame(cosines.reshape(len(fits), -1)).std().to_numpy()
    mean[asked.to_numpy()[:, None] == often.to_numpy()] = -np.inf
    nearest = np.argsort(-mean, axis=1, kind="stable")[:, : min(config.n_similar, len(often) - 1)]
    rows = np.repeat(np.arange(len(asked)), nearest.shape[1])
    columns = nearest.ravel()
    return pd.DataFrame(
        {
            "item_id": asked[rows],
            "title": items["title"].loc[asked[rows]].to_numpy(),
            "similar_id": often[columns],
            "similar_title": items["title"].loc[often[columns]].to_numpy(),
            "cosine": mean[rows, columns],
            "cosine_sd": deviation.reshape(mean.shape)[rows, columns],
        }
    )


def place_items(
    fits: Sequence[LatentFactors], items: pd.DataFrame, often: pd.Index, config: AnalysisConfig
) -> tuple[pd.DataFrame, list[float]]:
    """Where the most-rated items stand on three principal axes, as `Analysis.positions`, and what these explain.

    The axes are those of the item factors of all seeds side by side, in the users' metric (`item_loadings`), for
    items may be stretched along a factor, and users shrunk, without changing a prediction. The items of `often` find
    the axes, each counting alike. The longer tail of an axis is its positive end; an axis too few is all 0.
    """
    item_ids = pd.Index(fits[0].item_ids, name="item_id")
    positions, explained = fit_axes(fits, item_ids.isin(often).astype(np.float64), "pca", N_AXES)
    positions = positions * np.where((positions**3).sum(axis=0) < 0, -1, 1) / np.sqrt(len(fits))
    names = pd.RangeIndex(1, N_AXES + 1)
    axes = pd.DataFrame(positions, item_ids, names[: positions.shape[1]]).reindex(columns=names, fill_value=0.0)
    shown = items.loc[item_ids, ["title", "year", "ratings"]].nlargest(config.n_mapped, "ratings")
    return shown.join(axes.add_prefix("axis_").astype(np.float32)), explained.tolist()


def _often_rated(fits: Sequence[LatentFactors], items: pd.DataFrame, config: AnalysisConfig) -> pd.Index:
    known = items.loc[fits[0].item_ids, "ratings"]
    often = known.index[known >= config.min_ratings]
    if len(often) < 3:
        raise NotEnoughData(
            "too few items have enough ratings to be compared",
            found=f"{len(often)} items with {config.min_ratings} ratings or more",
            expected="at least 3",
            hint="lower --analysis.min-ratings",
        )
    return often


def _cosines(fit: LatentFactors, asked: pd.Index, often: pd.Index) -> np.ndarray:
    """float32 (asked, often)."""
    factors = fit.item_factors / np.linalg.norm(fit.item_factors, axis=1, keepdims=True)
    known = pd.Index(fit.item_ids)
    left, right = (factors[known.get_indexer(items)] for items in (asked, often))
    return left @ right.T
