"""What one recommender has learned of its films: what it predicts, likes, takes for alike, and where it places them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.splits import split_ratings
from latentflix.errors import TooFewFilms
from latentflix.recommender.latent_factors import CollabFit
from latentflix.recommender.model import Recommender, predict_ratings, seed_fits
from latentflix.recommender.rotation import find_axes

N_AXES = 3


class StudyConfig(StageConfig):
    """How much of the recommender is looked at."""

    n_predicted: int = setting(2000, "held-out ratings that are put beside their predictions", ge=1)
    min_ratings: int = setting(30, "ratings a film needs to be listed by its bias or as similar to another", ge=1)
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
    positions: index movie_id, the most rated first: title, year Int16, ratings, axis_1, axis_2, axis_3 float32: what
    sets the film's predictions apart, as a deviation over the users, before the sigmoid.
    figures: the model, its weight_decay, n_seeds, min_ratings of the films that are compared, explained: the share of
    the variance on each axis, and rmse over `predicted`, in stars.
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
    config: StudyConfig,
) -> Study:
    """Look at a recommender whose seeds were fitted in one or several groups.

    ratings, films: as `read_ratings` gives them. Raises NoSharedFactors if users and films have no factors in common,
    TooFewFilms if no more than two films have `min_ratings`.
    """
    fits = [fit for group in recommenders for fit in seed_fits(group)]
    often = _often_rated(fits, films, config)
    positions, explained = place_films(fits, films, often, config)
    predicted = predict_held_out(recommenders, ratings, films, config)
    return Study(
        predicted=predicted,
        biases=rank_biases(fits, ratings, films, often),
        similar=find_similar(fits, films, often, config),
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


def rank_biases(fits: Sequence[CollabFit], ratings: pd.DataFrame, films: pd.DataFrame, often: pd.Index) -> pd.DataFrame:
    """The films of `often` by what they are liked beyond what their factors explain, as `Study.biases`."""
    biases = pd.DataFrame([fit.item_bias for fit in fits], columns=pd.Index(fits[0].movie_ids, name="movie_id"))
    ranked = often if biases.to_numpy().any() else often[:0]
    table = films.loc[ranked, ["title", "ratings"]].assign(
        mean_rating=ratings.groupby("movie_id")["rating"].mean().reindex(ranked),
        bias=biases[ranked].mean(),
        bias_sd=biases[ranked].std(),
    )
    return table.sort_values("bias", ascending=False)


def find_similar(fits: Sequence[CollabFit], films: pd.DataFrame, often: pd.Index, config: StudyConfig) -> pd.DataFrame:
    """For the most-rated films those of `often` with the greatest cosine of item factors, as `Study.similar`.

    The cosine is averaged over the seeds, for that of one fit hangs much on its seed: on MovieLens 100K, of the five
    films most similar to one with 50 ratings or more, two single fits share 45 %, and two groups of eight 76 %.
    """
    asked = films.loc[often, "ratings"].nlargest(config.n_films).index
    cosines = np.stack([_cosines(fit, asked, often) for fit in fits])
    mean, deviation = cosines.mean(axis=0), pd.DataFrame(cosines.reshape(len(fits), -1)).std().to_numpy()
    mean[asked.to_numpy()[:, None] == often.to_numpy()] = -np.inf
    nearest = np.argsort(-mean, axis=1, kind="stable")[:, : min(config.n_similar, len(often) - 1)]
    rows = np.repeat(np.arange(len(asked)), nearest.shape[1])
    columns = nearest.ravel()
    return pd.DataFrame(
        {
            "movie_id": asked[rows],
            "title": films["title"].loc[asked[rows]].to_numpy(),
            "similar_id": often[columns],
            "similar_title": films["title"].loc[often[columns]].to_numpy(),
            "cosine": mean[rows, columns],
            "cosine_sd": deviation.reshape(mean.shape)[rows, columns],
        }
    )


def place_films(
    fits: Sequence[CollabFit], films: pd.DataFrame, often: pd.Index, config: StudyConfig
) -> tuple[pd.DataFrame, list[float]]:
    """Where the most-rated films stand on three principal axes, as `Study.positions`, and what these explain.

    The axes are those of the item factors of all seeds side by side, in the users' metric (`in_users_metric`), for
    films may be stretched along a factor, and users shrunk, without changing a prediction. The films of `often` find
    the axes, each counting alike. The longer tail of an axis is its positive end; an axis too few is all 0.
    """
    movie_ids = pd.Index(fits[0].movie_ids, name="movie_id")
    positions, explained = find_axes(fits, movie_ids.isin(often).astype(np.float64), "pca", N_AXES)
    positions = positions * np.where((positions**3).sum(axis=0) < 0, -1, 1) / np.sqrt(len(fits))
    names = pd.RangeIndex(1, N_AXES + 1)
    axes = pd.DataFrame(positions, movie_ids, names[: positions.shape[1]]).reindex(columns=names, fill_value=0.0)
    shown = films.loc[movie_ids, ["title", "year", "ratings"]].nlargest(config.n_mapped, "ratings")
    return shown.join(axes.add_prefix("axis_").astype(np.float32)), explained.tolist()


def _often_rated(fits: Sequence[CollabFit], films: pd.DataFrame, config: StudyConfig) -> pd.Index:
    known = films.loc[fits[0].movie_ids, "ratings"]
    often = known.index[known >= config.min_ratings]
    if len(often) < 3:
        raise TooFewFilms(
            "too few films have enough ratings to be compared",
            found=f"{len(often)} films with {config.min_ratings} ratings or more",
            expected="at least 3",
            remedy="lower --study.min-ratings",
        )
    return often


def _cosines(fit: CollabFit, asked: pd.Index, often: pd.Index) -> np.ndarray:
    """float32 (asked, often)."""
    factors = fit.item_factors / np.linalg.norm(fit.item_factors, axis=1, keepdims=True)
    known = pd.Index(fit.movie_ids)
    left, right = (factors[known.get_indexer(films)] for films in (asked, often))
    return left @ right.T
