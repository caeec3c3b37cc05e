"""A small world whose factors are known: they shape the ratings, the genres and the words of the reviews."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from string import ascii_uppercase

import numpy as np
import pandas as pd

from latentflix.data.movielens import GENRE_SEPARATOR, GENRES, rating_scale
from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.factors.labels import POLES
from latentflix.reviews.join import ReviewConfig, join_reviews


@dataclass(frozen=True)
class World:
    """Tables as `load_data_set`, `review_links` and `item_links` return them, and what they were made from.

    true_users: index user_id, one column per factor: how much each user likes its pole "+".
    true_factors: index item_id, one column per factor ("A", "B", …), centred, uncorrelated, of unit variance. The
    ratings weigh each factor less than the one before it. words: those of the pole "+" or "-" of a factor.
    own_words: by item_id, the word that all reviews of that item share and no other review has.
    """

    ratings: pd.DataFrame
    items: pd.DataFrame
    scale: pd.DataFrame
    reviews: pd.DataFrame
    review_films: pd.DataFrame
    item_titles: pd.DataFrame
    true_factors: pd.DataFrame
    true_users: pd.DataFrame
    words: dict[tuple[str, str], list[str]]
    own_words: dict[int, str]


def make_world(
    seed: int = 0,
    n_users: int = 300,
    n_items: int = 80,
    n_factors: int = 3,
    reviews_per_item: int = 6,
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

    corpus_reviews: reviews of items that nobody rated. word_share: chance that a word is one of the item's pole, for a
    factor on which the item is two deviations from the mean. rated_share: share of the items that a user rates. noise:
    deviation of the ratings' noise, in stars. weight_decay: a factor's weight over that of the one before.
    """
    random = np.random.default_rng(seed)
    factors = list(ascii_uppercase[:n_factors])
    item_ids = np.sort(random.choice(np.arange(1, 5 * n_items), n_items, replace=False))
    scores = _uncorrelated(random, n_items, n_factors)

    vocabulary = _invent_words(random, n_filler_words + 2 * n_factors * words_per_pole + n_items)
    poles = list(product(factors, POLES))
    pole_words = {pole: vocabulary[start * words_per_pole :][:words_per_pole] for start, pole in enumerate(poles)}
    own_words, filler = np.split(np.array(vocabulary[len(poles) * words_per_pole :]), [n_items])

    def write(item: np.ndarray, more: Sequence[str] = ()) -> str:
        chances = word_share * np.minimum(np.abs(item), 2) / 2
        kinds = random.choice(n_factors + 1, words_per_review, p=[*chances, 1 - chances.sum()])
        chosen = [str(filler[int(len(filler) ** random.random()) - 1]) for _ in kinds]
        for place in np.flatnonzero(kinds < n_factors):
            kind = kinds[place]
            chosen[place] = str(random.choice(pole_words[factors[kind], POLES[int(item[kind] < 0)]]))
        words = [chosen[0], *more, *chosen[1:]]
        return " ".join(" ".join(words[at : at + 8]).capitalize() + "." for at in range(0, len(words), 8))

    tconsts = np.array([f"tt{number:07d}" for number in random.permutation(n_items) + 1])
    texts = [write(item, [word]) for item, word in zip(scores, own_words, strict=True) for _ in range(reviews_per_item)]
    others = [write(item) for item in random.normal(size=(corpus_reviews, n_factors))]
    stars = random.choice([1, 2, 3, 4, 7, 8, 9, 10], len(texts) + len(others))
    reviews = pd.DataFrame({"text": texts + others, "positive": (stars > 5).astype(int)})
    links = pd.DataFrame(
        {
            "review_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
            "tconst": np.repeat(tconsts, reviews_per_item),
            "rating": stars[: len(texts)].astype(np.int8),
        }
    )
    weighed = scores * weight_decay ** np.arange(n_factors)
    ratings, users = _rate(random, weighed, item_ids, n_users, rated_share, noise)
    return World(
        ratings=ratings,
        items=_describe(item_ids, scores),
        scale=rating_scale(1, 5),
        reviews=reviews.sample(frac=1, random_state=seed, ignore_index=True),
        review_films=links.sample(frac=1, random_state=seed + 1, ignore_index=True),
        item_titles=pd.DataFrame({"item_id": item_ids, "tconst": tconsts, "matched_by": "title"}),
        true_factors=pd.DataFrame(scores, index=pd.Index(item_ids, name="item_id"), columns=factors),
        true_users=users.set_axis(factors, axis=1),
        words=pole_words,
        own_words=dict(zip(item_ids.tolist(), own_words.tolist(), strict=True)),
    )


def read_items(world: World) -> pd.DataFrame:
    """The items of a world with the ids under which IMDb has them."""
    items = read_ratings(world.ratings, world.items, RatingsConfig()).items
    return items.join(world.item_titles.set_index("item_id")["tconst"])


def join_world(world: World) -> pd.DataFrame:
    """The reviews of the items of a world."""
    items = read_items(world)
    return join_reviews(world.reviews, items, items.index.to_series(), world.review_films, ReviewConfig())[0]


def tag_world(world: World, seed: int = 0, n_taggers: int = 12, share: float = 0.5) -> pd.DataFrame:
    """Tags that users gave to the items of a world, item_id, user_id and tag as str: three words of a pole, and noise.

    share: of the taggers who give an item a tag of its pole, for a factor on which it is two deviations from the mean.
    """
    random = np.random.default_rng(seed)
    given = []
    for item_id, row in world.true_factors.iterrows():
        for user in random.choice(5 * n_taggers, n_taggers, replace=False):
            given.append((item_id, user, f"shelf {random.integers(20)}"))
            for factor, score in row.items():
                if random.random() < share * min(abs(score), 2) / 2:
                    words = world.words[str(factor), POLES[int(score < 0)]]
                    given.append((item_id, user, str(random.choice(words[:3]))))
    return pd.DataFrame(given, columns=["item_id", "user_id", "tag"]).astype("str")


def describe_users(world: World, seed: int = 0) -> pd.DataFrame:
    """Who the users of a world are: a side that goes with factor A, an age that goes with B, and a shelf of chance."""
    random = np.random.default_rng(seed)
    users = world.true_users
    side = np.where(users["A"] + random.normal(0, 1, len(users)) > 0, "right", "left")
    age = np.rint(40 + 10 * users["B"] + random.normal(0, 10, len(users)))
    shelf = random.choice(["top", "middle", "bottom"], len(users))
    return pd.DataFrame({"user_id": users.index, "side": side, "age": age, "shelf": shelf})


def interact(world: World) -> pd.DataFrame:
    """Interactions of the same users, user_id and item_id: two for each item with 5 stars, one for each with 4."""
    liked = world.ratings[world.ratings["rating"] >= 4]
    repeated = liked.loc[liked.index.repeat(liked["rating"] - 3), ["user_id", "item_id"]]
    return repeated.sample(frac=1, random_state=0, ignore_index=True)


def shuffle_links(world: World, seed: int) -> World:
    """The same world, in which every item has the reviews of another one."""
    order = np.random.default_rng(seed).permutation(len(world.item_titles))
    tconsts = world.item_titles["tconst"].to_numpy(copy=True)
    tconsts[order] = tconsts[np.roll(order, 1)]
    return replace(world, item_titles=world.item_titles.assign(tconst=tconsts))


def _uncorrelated(random: np.random.Generator, n_rows: int, n_columns: int) -> np.ndarray:
    drawn = random.normal(size=(n_rows, n_columns))
    return np.linalg.qr(drawn - drawn.mean(0))[0] * np.sqrt(n_rows)


def _invent_words(random: np.random.Generator, count: int) -> list[str]:
    syllables = ["".join(letters) for letters in product("bdfgklmnprtvz", "aeiou")]
    words = ["".join(parts) for parts in product(syllables, syllables)]
    return [f"{words[index]}n" for index in random.choice(len(words), count, replace=False)]


def _rate(
    random: np.random.Generator, items: np.ndarray, ids: np.ndarray, n_users: int, share: float, noise: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ratings, and the users who gave them on the factors of the items."""
    users = _uncorrelated(random, n_users, items.shape[1])
    biases = random.normal(0, 0.2, (n_users, 1)) + random.normal(0, 0.2, len(ids))
    liking = 3.2 + 0.9 * users @ items.T + biases + random.normal(0, noise, (n_users, len(ids)))
    user_rows, item_rows = np.nonzero(random.random(liking.shape) < share)
    user_ids = np.sort(random.choice(np.arange(1, 5 * n_users), n_users, replace=False))
    stars = np.clip(np.rint(liking[user_rows, item_rows]), 1, 5).astype(int)
    table = pd.DataFrame({"user_id": user_ids[user_rows], "item_id": ids[item_rows], "rating": stars})
    table = table.assign(timestamp=880_000_000 + random.permutation(len(table)))
    return table, pd.DataFrame(users, pd.Index(user_ids, name="user_id"))


def _describe(item_ids: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """One genre for each pole of a factor, in the order of both."""
    titles = [f"Film {number:03d} ({1990 + number % 9})" for number in range(1, len(item_ids) + 1)]
    # Of each factor, the columns of its positive and of its negative pole.
    holds = np.stack([scores > 0.5, scores < -0.5], axis=2).reshape(len(scores), -1)
    genres = [GENRE_SEPARATOR.join(np.array(GENRES[1 : 1 + len(row)])[row]) for row in holds]
    return pd.DataFrame({"item_id": item_ids, "title": titles, "genres": genres})
