"""Books, with vectors, texts and readers made from planted topics: nothing in it is about films."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

N_BOOKS, N_READERS, N_TOPICS, SIZE = 120, 150, 3, 6
# Of each topic, the words of books that have much of it, and of those that have little.
WORDS = [
    tuple(words.split(" ") for words in both)
    for both in (
        ("dragon wizard sword castle kingdom quest", "office lawyer court tax contract clerk"),
        ("murder detective clue suspect corpse alibi", "garden flower orchard seed harvest compost"),
        ("ship sailor harbour whale anchor storm", "desert camel dune oasis nomad caravan"),
    )
]
_FILLER = [
    f"{first}{second}" for first in ("mel", "tor", "wan", "sil", "par") for second in ("ond", "ique", "ast", "ure")
]


@dataclass(frozen=True)
class Books:
    """What a shop of books knows.

    Attributes:
        topics: float64 (books, N_TOPICS), where the books stand on the planted topics.
        vectors: the item vectors of two fits, index item_id, a column for each dimension.
        readers: the user vectors of the same two fits.
        books: item_id, title, author, pages, published.
        texts: item_id, text.
        sales: user_id, item_id.
        ratings: the same and rating, 1 to 5.
    """

    topics: np.ndarray
    vectors: list[pd.DataFrame]
    readers: list[pd.DataFrame]
    books: pd.DataFrame
    texts: pd.DataFrame
    sales: pd.DataFrame
    ratings: pd.DataFrame


def make_books(seed: int = 0) -> Books:
    """Make books whose vectors are their topics, rotated at random in each fit, with little noise."""
    random = np.random.default_rng(seed)
    topics = random.normal(size=(N_BOOKS, N_TOPICS))
    tastes = random.normal(size=(N_READERS, N_TOPICS)) * [3, 2, 1]
    ids = [f"b{number:04d}" for number in range(N_BOOKS)]
    vectors, readers = [], []
    for _ in range(2):
        turn = np.linalg.qr(random.normal(size=(SIZE, SIZE)))[0][:N_TOPICS]
        noise = 0.02 * random.normal(size=(N_BOOKS, SIZE))
        vectors.append(pd.DataFrame(topics @ turn + noise, index=pd.Index(ids, name="item_id")))
        readers.append(pd.DataFrame(tastes @ turn))
    chances = 1 / (1 + np.exp(-(tastes @ topics.T)))
    bought = np.argwhere(random.random(chances.shape) < 0.3 * chances)
    sales = pd.DataFrame(
        {"user_id": [f"r{row}" for row in bought[:, 0]], "item_id": [ids[row] for row in bought[:, 1]]}
    )
    liking = (tastes @ topics.T)[tuple(bought.T)] + random.normal(size=len(bought))
    return Books(
        topics,
        vectors,
        readers,
        pd.DataFrame(
            {
                "item_id": ids,
                "title": [f"The Book of {_FILLER[n % 20].title()} {n}" for n in range(N_BOOKS)],
                "author": np.where(topics[:, 0] > 0, "Ann Archer", "Bob Baker"),
                "pages": (300 + 100 * topics[:, 1]).round(),
                "published": pd.to_datetime("2000-01-01") + pd.to_timedelta(random.integers(0, 5000, N_BOOKS), "D"),
            }
        ),
        pd.DataFrame(
            [(ids[n], _write(random, topics[n])) for n in range(N_BOOKS) for _ in range(4)], columns=["item_id", "text"]
        ),
        sales,
        sales.assign(rating=np.clip(np.round(3 + liking / 2), 1, 5)),
    )


def _write(random: np.random.Generator, topics: np.ndarray) -> str:
    """A text of forty words, of which each topic chooses the more the further a book is from its mean."""
    words = list(random.choice(_FILLER, 28))
    for topic, (many, few) in zip(topics, WORDS, strict=True):
        words += list(random.choice(many if topic > 0 else few, min(round(2 * abs(topic)), 4)))
    random.shuffle(words)
    return f"{' '.join(words[:20])}. {' '.join(words[20:])}."


def write_books(books: Books, folder: Path) -> None:
    """Write everything as csv, the vectors of the fits as vectors0.csv and vectors1.csv."""
    for number, (vectors, readers) in enumerate(zip(books.vectors, books.readers, strict=True)):
        vectors.rename(columns=str).reset_index().to_csv(folder / f"vectors{number}.csv", index=False)
        readers.rename(columns=str).rename_axis("user_id").reset_index().to_csv(
            folder / f"readers{number}.csv", index=False
        )
    for name in ("books", "texts", "sales"):
        getattr(books, name).to_csv(folder / f"{name}.csv", index=False)
