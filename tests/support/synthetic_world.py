"""A small world whose factors are known: they shape the ratings, the genres and the words of the reviews."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from string import ascii_uppercase

import numpy as np
import pandas as pd

from latentflix.data.movielens import GENRE_SEPARATOR, GENRES, whole_stars
from latentflix.factors.labels import POLES


@dataclass(frozen=True)
class World:
    """ratings, items, scale, reviews: as `load_data_set` gives them. review_films: as `review_links`. film_titles: as
    `film_links`.

    true_factors: index movie_id, one column a factor ("A", "B", …), centred, uncorrelated, of unit variance. The
    ratings weigh each factor less than the one before it. words: what marks the pole "+" or "-" of a factor.
    own_words: by movie_id, the word that all reviews of that film share and no other review has.
    """

    ratings: pd.DataFrame
    items: pd.DataFrame
    scale: pd.DataFrame
    reviews: pd.DataFrame
    review_films: pd.DataFrame
    film_titles: pd.DataFrame
    true_factors: pd.DataFrame
    words: dict[tuple[str, str], list[str]]
    own_words: dict[int, str]


def make_world(
    seed: int = 0,
    n_users: int = 300,
    n_films: int = 80,
    n_factors: int = 3,
    reviews_per_film: int = 6,
    corpus_reviews: int = 200,
    words_per_review: int = 48,
    words_per_pole: int = 8,
    n_filler_words: int = 300,
    word_share: float = 0.12,
    rated_share: float = 0.7,
    noise: float = 0.3,
    weight_decay: float = 0.7,
) -> World:
    """A world drawn from a seed.

    corpus_reviews: reviews of films that nobody rated. word_share: chance that a word marks the pole at which the
    film stands, for a factor on which it stands two deviations off. rated_share: share of the films that a user
    rates. noise: deviation of the ratings' noise, in stars. weight_decay: a factor's weight over that of the last.
    """
    random = np.random.default_rng(seed)
    factors = list(ascii_uppercase[:n_factors])
    movie_ids = np.sort(random.choice(np.arange(1, 5 * n_films), n_films, replace=False))
    scores = _uncorrelated(random, n_films, n_factors)

    vocabulary = _invent_words(random, n_filler_words + 2 * n_factors * words_per_pole + n_films)
    poles = list(product(factors, POLES))
    marking = {pole: vocabulary[start * words_per_pole :][:words_per_pole] for start, pole in enumerate(poles)}
    own_words, filler = np.split(np.array(vocabulary[len(poles) * words_per_pole :]), [n_films])

    def write(film: np.ndarray, more: Sequence[str] = ()) -> str:
        chances = word_share * np.minimum(np.abs(film), 2) / 2
        kinds = random.choice(n_factors + 1, words_per_review, p=[*chances, 1 - chances.sum()])
        chosen = [_zipf_choice(random, filler) for _ in kinds]
        for place in np.flatnonzero(kinds < n_factors):
            kind = kinds[place]
            chosen[place] = str(random.choice(marking[factors[kind], POLES[int(film[kind] < 0)]]))
        return _sentences([chosen[0], *more, *chosen[1:]])

    tconsts = np.array([f"tt{number:07d}" for number in random.permutation(n_films) + 1])
    texts = [write(film, [word]) for film, word in zip(scores, own_words, strict=True) for _ in range(reviews_per_film)]
    others = [write(film) for film in random.normal(size=(corpus_reviews, n_factors))]
    stars = random.choice([1, 2, 3, 4, 7, 8, 9, 10], len(texts) + len(others))
    reviews = pd.DataFrame({"text": texts + others, "positive": (stars > 5).astype(int)})
    links = pd.DataFrame(
        {
            "review_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
            "tconst": np.repeat(tconsts, reviews_per_film),
            "rating": stars[: len(texts)].astype(np.int8),
        }
    )
    return World(
        ratings=_rate(random, scores * weight_decay ** np.arange(n_factors), movie_ids, n_users, rated_share, noise),
        items=_describe(movie_ids, scores),
        scale=whole_stars(),
        reviews=reviews.sample(frac=1, random_state=seed, ignore_index=True),
        review_films=links.sample(frac=1, random_state=seed + 1, ignore_index=True),
        film_titles=pd.DataFrame({"movie_id": movie_ids, "tconst": tconsts, "matched_by": "title"}),
        true_factors=pd.DataFrame(scores, index=pd.Index(movie_ids, name="movie_id"), columns=factors),
        words=marking,
        own_words=dict(zip(movie_ids.tolist(), own_words.tolist(), strict=True)),
    )


def shuffle_links(world: World, seed: int) -> World:
    """The same world, in which every film has the reviews of another one."""
    order = np.random.default_rng(seed).permutation(len(world.film_titles))
    tconsts = world.film_titles["tconst"].to_numpy(copy=True)
    tconsts[order] = tconsts[np.roll(order, 1)]
    return replace(world, film_titles=world.film_titles.assign(tconst=tconsts))


def _uncorrelated(random: np.random.Generator, n_rows: int, n_columns: int) -> np.ndarray:
    drawn = random.normal(size=(n_rows, n_columns))
    return np.linalg.qr(drawn - drawn.mean(0))[0] * np.sqrt(n_rows)


def _invent_words(random: np.random.Generator, count: int) -> list[str]:
    syllables = ["".join(letters) for letters in product("bdfgklmnprtvz", "aeiou")]
    words = ["".join(parts) for parts in product(syllables, syllables)]
    return [f"{words[index]}n" for index in random.choice(len(words), count, replace=False)]


def _zipf_choice(random: np.random.Generator, words: np.ndarray) -> str:
    return str(words[int(len(words) ** random.random()) - 1])


def _sentences(words: Sequence[str], length: int = 8) -> str:
    return " ".join(" ".join(words[at : at + length]).capitalize() + "." for at in range(0, len(words), length))


def _rate(
    random: np.random.Generator, films: np.ndarray, ids: np.ndarray, n_users: int, share: float, noise: float
) -> pd.DataFrame:
    users = _uncorrelated(random, n_users, films.shape[1])
    biases = random.normal(0, 0.2, (n_users, 1)) + random.normal(0, 0.2, len(ids))
    liking = 3.2 + 0.9 * users @ films.T + biases + random.normal(0, noise, (n_users, len(ids)))
    user_rows, film_rows = np.nonzero(random.random(liking.shape) < share)
    user_ids = np.sort(random.choice(np.arange(1, 5 * n_users), n_users, replace=False))
    stars = np.clip(np.rint(liking[user_rows, film_rows]), 1, 5).astype(int)
    table = pd.DataFrame({"user_id": user_ids[user_rows], "movie_id": ids[film_rows], "rating": stars})
    return table.assign(timestamp=880_000_000 + random.permutation(len(table)))


def _describe(movie_ids: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """One genre for each pole of a factor, in the order of both."""
    titles = [f"Film {number:03d} ({1990 + number % 9})" for number in range(1, len(movie_ids) + 1)]
    genres = [
        [
            genre
            for factor, position in enumerate(film)
            for genre, holds in ((GENRES[1 + 2 * factor], position > 0.5), (GENRES[2 + 2 * factor], position < -0.5))
            if holds
        ]
        for film in scores
    ]
    return pd.DataFrame(
        {"movie_id": movie_ids, "movie_title": titles, "genres": [GENRE_SEPARATOR.join(names) for names in genres]}
    )
