"""What one recommender has learned of its films: what it predicts, likes, takes for alike, and where it places them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from latentflix.collab import CollabFit, Recommender, predict_ratings, seed_fits
from latentflix.config import StageConfig, setting
from latentflix.splits import split_ratings

MAP_AXES = ("1", "2", "3")


class StudyConfig(StageConfig):
    """How much of the recommender is looked at."""

    n_predicted: int = setting(2000, "held-out ratings that are put beside their predictions", ge=1)
    min_ratings: int = setting(50, "ratings a film needs to be listed by its bias or as similar to another", ge=1)
    n_films: int = setting(20, "films, the most rated, whose similar films are listed", ge=1)
    n_similar: int = setting(5, "similar films of each", ge=1)
    n_mapped: int = setting(300, "films on the map, the most rated", ge=1)
    seed: int = setting(0, "seed of the draw of held-out ratings", ge=0)


@dataclass(frozen=True)
class Study:
    """A recommender looked at. Where there are several seeds, a value is their mean, and `…_sd` their deviation.

    predicted: one row a held-out rating, in the order drawn: user_id, movie_id, title, rating, predicted,
    predicted_sd; in stars.
    biases: index movie_id, the highest bias first: title, ratings (how many), mean_rating in stars, bias, bias_sd:
    what the model adds for the film whoever the user is, before the sigmoid. Empty if the model has no biases.
    similar: movie_id, title, similar_id, similar_title, cosine, cosine_sd; films by ratings, those alike by cosine.
    positions: index movie_id, the most rated first: title, year Int16, ratings, axis_1, axis_2, axis_3 float32.
    figures: the model, its weight_decay, n_seeds, min_ratings of the listed films, and rmse over `predicted`, in stars.
    """

    predicted: pd.DataFrame
    biases: pd.DataFrame
    similar: pd.DataFrame
    positions: pd.DataFrame
    figures: Mapping[str, Any]


def study_recommender(
    recommenders: Sequence[Recommender],
    ratings: pd.DataFrame,
    films: pd.DataFrame,
    scores: pd.DataFrame,
    config: StudyConfig,
) -> Study:
    """Look at a recommender whose seeds were fitted in one or several groups.

    ratings, films: as `read_ratings` gives them. scores: as `extract_factors` does. Raises NoSharedFactors if users
    and films have no factors in common.
    """
    fits = [fit for group in recommenders for fit in seed_fits(group)]
    predicted = predict_held_out(recommenders, ratings, films, config)
    return Study(
        predicted=predicted,
        biases=rank_biases(fits, ratings, films, config),
        similar=find_similar(fits, films, config),
        positions=place_films(scores, films, config),
        figures={
            "model": recommenders[0].config.model,
            "weight_decay": recommenders[0].config.weight_decay,
            "n_seeds": len(fits),
            "min_ratings": config.min_ratings,
            "rmse": float(((predicted["predicted"] - predicted["rating"]) ** 2).mean() ** 0.5),
        },
    )


def predict_held_out(
    recommenders: Sequence[Recommender], ratings: pd.DataFrame, films: pd.DataFrame, config: StudyConfig
) -> pd.DataFrame:
    """Some of the ratings that the fits did not learn from, beside their predictions, as `Study.predicted`."""
    held_out = ratings[split_ratings(ratings, recommenders[0].config.split).held_out]
    drawn = held_out.sample(min(config.n_predicted, len(held_out)), random_state=config.seed)
    pairs = drawn["user_id"].to_numpy(), drawn["movie_id"].to_numpy()
    stars = pd.DataFrame(np.concatenate([predict_ratings(group, *pairs) for group in recommenders]))
    return pd.DataFrame(
        {
            "user_id": pairs[0],
            "movie_id": pairs[1],
            "title": films["title"].loc[pairs[1]].to_numpy(),
            "rating": drawn["rating"].to_numpy(),
            "predicted": stars.mean(),
            "predicted_sd": stars.std(),
        }
    )


def rank_biases(
    fits: Sequence[CollabFit], ratings: pd.DataFrame, films: pd.DataFrame, config: StudyConfig
) -> pd.DataFrame:
    """Films by what they are liked beyond what their factors explain, as `Study.biases`."""
    biases = pd.DataFrame([fit.item_bias for fit in fits], columns=pd.Index(fits[0].movie_ids, name="movie_id"))
    often = _often_rated(fits, films, config) if biases.to_numpy().any() else pd.Index([], dtype="int64")
    table = films.loc[often, ["title", "ratings"]].assign(
        mean_rating=ratings.groupby("movie_id")["rating"].mean().reindex(often),
        bias=biases[often].mean(),
        bias_sd=biases[often].std(),
    )
    return table.sort_values("bias", ascending=False)


def find_similar(fits: Sequence[CollabFit], films: pd.DataFrame, config: StudyConfig) -> pd.DataFrame:
    """For the most-rated films those with the greatest cosine of item factors, as `Study.similar`.

    The cosine is averaged over the seeds: that of a single fit hangs much on its seed.
    """
    often = _often_rated(fits, films, config)
    asked = films.loc[often, "ratings"].nlargest(config.n_films).index
    cosines = np.stack([_cosines(fit, asked, often) for fit in fits])
    pairs = pd.DataFrame(
        {
            "movie_id": np.repeat(asked, len(often)),
            "similar_id": np.tile(often, len(asked)),
            "cosine": cosines.mean(axis=0).ravel(),
            "cosine_sd": pd.DataFrame(cosines.reshape(len(fits), -1)).std(),
        }
    )
    others = pairs[pairs["movie_id"] != pairs["similar_id"]].sort_values("cosine", ascending=False)
    nearest = others.groupby("movie_id", sort=False).head(config.n_similar)
    order = {movie_id: place for place, movie_id in enumerate(asked)}
    nearest = nearest.sort_values("movie_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True)
    nearest.insert(1, "title", films["title"].reindex(nearest["movie_id"]).to_numpy())
    nearest.insert(3, "similar_title", films["title"].reindex(nearest["similar_id"]).to_numpy())
    return nearest


def place_films(scores: pd.DataFrame, films: pd.DataFrame, config: StudyConfig) -> pd.DataFrame:
    """Where the most-rated films stand on the first three axes, as `Study.positions`; an axis too few is all 0."""
    shown = films.loc[scores.index, ["title", "year", "ratings"]].nlargest(config.n_mapped, "ratings")
    return shown.join(scores.reindex(columns=MAP_AXES, fill_value=np.float32(0)).add_prefix("axis_"))


def _often_rated(fits: Sequence[CollabFit], films: pd.DataFrame, config: StudyConfig) -> pd.Index:
    known = films.loc[fits[0].movie_ids, "ratings"]
    return known.index[known >= config.min_ratings]


def _cosines(fit: CollabFit, asked: pd.Index, often: pd.Index) -> np.ndarray:
    """float32 (asked, often)."""
    factors = fit.item_factors / np.linalg.norm(fit.item_factors, axis=1, keepdims=True)
    known = pd.Index(fit.movie_ids)
    left, right = (factors[known.get_indexer(films)] for films in (asked, often))
    return left @ right.T
