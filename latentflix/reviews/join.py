"""Joining reviews to items: by the text of the review and the IMDb id of the item, never by the order of rows.

An item has an IMDb id if the table of items has a column `tconst`, nullable, with a value for it.
"""

import hashlib
import logging
from dataclasses import dataclass
from typing import Any, Literal, Self

import pandas as pd
from pydantic import model_validator

from latentflix.config import StageConfig, setting
from latentflix.data.datasets import CorpusName
from latentflix.data.large_movie import review_links
from latentflix.errors import DataError, NotEnoughData, StoreError
from latentflix.reviews.sources.protocol import Kind
from latentflix.reviews.store import ReviewStore
from latentflix.text.cleaning import plain_text, text_id

_STORED = ("tconst", "source", "kind", "text", "rating", "attribution", "content_sha256", "training_allowed")
_COLUMNS = {"review_id": "str", "item_id": "int32", "tconst": "str", "text": "str", "stars": "Int8"}

logger = logging.getLogger(__name__)


class ReviewConfig(StageConfig):
    """Which reviews are used."""

    corpus: CorpusName = setting(
        "imdb_reviews",
        "imdb_reviews, the 25,000 reviews of the labelled training half, or large_movie_reviews, all 100,000",
    )
    max_characters: int = setting(100_000, "longest review that is accepted", unit="characters", ge=100)
    # Artifacts depend on the store's id and version, not on the place where it is.
    store: str | None = setting(
        None, "a review store to read instead of the corpus: a folder, or s3://bucket/folder", exclude=True
    )
    storage_options: dict[str, str] = setting(
        {}, "options of deltalake for reaching the store, as aws_region, except keys", exclude=True
    )
    store_version: int | None = setting(None, "version of the store; not set: the newest", ge=0)
    store_id: str | None = setting(None, "id that the store must have; not set: any")
    kinds: tuple[Kind, ...] = setting(("review",), "kinds of texts of a store that are used: review, reception, plot")
    ids: Literal["imdb", "own"] = setting(
        "imdb", "ids by which a store knows items; own: those of the ratings' or vectors' own source"
    )

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        if self.ids == "own" and self.store is None:
            raise ValueError("own ids are those of a review store, and none is named with --reviews.store")
        return self


@dataclass(frozen=True)
class Coverage:
    """How many items have reviews, and how many reviews were left out."""

    items_asked: int
    items_linked: int
    items_with_review: int
    reviews: int
    ambiguous_reviews: int
    unlicensed_reviews: int = 0
    store_version: int | None = None
    ids: str = "imdb"

    @property
    def linked(self) -> str:
        """What it means that an item is linked."""
        return "linked to IMDb" if self.ids == "imdb" else "with an id of their own"

    def sentence(self) -> str:
        """Describe the coverage in one line."""
        of_store = (
            f", {self.unlicensed_reviews:,} because no model may learn from them; "
            f"version {self.store_version} of the review store"
        )
        return (
            f"{self.items_asked:,} items asked for, {self.items_linked:,} of them {self.linked}, "
            f"{self.items_with_review:,} with a review, {self.reviews:,} reviews; "
            f"{self.ambiguous_reviews:,} reviews left out because they belong to several items"
            f"{'' if self.store_version is None else of_store}"
        )


def with_store_version(config: ReviewConfig) -> ReviewConfig:
    """Add the store's id and current version to the settings, if reviews are read from a store. Raises StoreError."""
    if config.store is None:
        return config
    store = ReviewStore(config.store, config.storage_options)
    if not store.reviews.exists():
        raise StoreError(
            "there is no review store",
            where=config.store,
            hint="fill one with python -m flows.refresh_reviews, or name another with --reviews.store",
        )
    found = store.table_id()
    if config.store_id not in (None, found):
        raise StoreError("this is another review store", where=config.store, found=found, expected=str(config.store_id))
    version = store.reviews.open(config.store_version).version()
    return config.model_copy(update={"store_id": found, "store_version": version})


def film_of_each(corpus: pd.DataFrame) -> pd.DataFrame:
    """List which IMDb title each review is about, as `review_links` does; by the corpus's own `tconst` if it has it."""
    if "tconst" not in corpus:
        return review_links()
    hashes = pd.Series([hashlib.sha256(text.encode()).hexdigest() for text in corpus["text"]], dtype="str")
    films = {"review_sha256": hashes, "tconst": corpus["tconst"].array, "rating": corpus["stars"].array}
    return pd.DataFrame(films).dropna(subset="tconst").drop_duplicates(["review_sha256", "tconst"])


def imdb_links(items: pd.DataFrame) -> pd.DataFrame:
    """List the items that have an IMDb id: item_id int32 (the index of `items`), tconst str."""
    return items.reindex(columns=["tconst"]).dropna().astype("str").reset_index()


def own_links(items: pd.DataFrame) -> pd.DataFrame:
    """List all items with the ids that their own source gives them, as `imdb_links` lists those of IMDb."""
    ids = items["source_id"] if "source_id" in items else items.index.to_series().astype("str")
    return pd.DataFrame({"item_id": items.index, "tconst": ids.to_numpy()}).astype({"tconst": "str"})


def check_reviews(reviews: pd.DataFrame, config: ReviewConfig) -> None:
    """Raise DataError if there are no reviews, or one of them has no text or too long a text."""
    if "text" not in reviews.columns:
        found = ", ".join(map(str, reviews.columns))
        raise DataError("the reviews lack a column", found=found, expected="a column text")
    if reviews.empty:
        raise DataError("there are no reviews", found="0 rows", expected="at least one row")
    texts = reviews["text"].reset_index(drop=True)
    is_text = texts.map(lambda text: isinstance(text, str))
    empty = texts.where(is_text, "").str.strip() == ""
    long = texts.where(is_text, "").str.len() > config.max_characters
    for bad, what, expected in (
        (empty, "a review has no text", "a text"),
        (long, "a review is too long", f"at most {config.max_characters:,} characters"),
    ):
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise DataError(
                what,
                where=f"row {row} (counting from 0), column text; {int(bad.sum())} such rows",
                found=f"{len(texts[row]):,} characters" if is_text[row] else repr(texts.tolist()[row]),
                expected=expected,
                hint="remove these rows, or set --reviews.max-characters",
            )


def gather_reviews(
    corpus: pd.DataFrame, items: pd.DataFrame, item_ids: pd.Series, review_films: pd.DataFrame, config: ReviewConfig
) -> tuple[pd.DataFrame, Coverage]:
    """Read the reviews of items from the store if the settings name one, else from the corpus."""
    if config.store is None:
        return join_reviews(corpus, items, item_ids, review_films, config)
    return read_stored_reviews(items, item_ids, config)


def join_reviews(
    reviews: pd.DataFrame, items: pd.DataFrame, item_ids: pd.Series, review_films: pd.DataFrame, config: ReviewConfig
) -> tuple[pd.DataFrame, Coverage]:
    """Join reviews (column `text`) to those of `items` (index item_id) that are asked for by `review_films`.

    Returns review_id str (SHA-256 of the text), item_id int32, tconst str, text str, stars Int8 (missing without a
    label), sorted by review_id; and the coverage. A text of several items is left out and counted; repeated texts count
    once. `review_films` is as returned by `film_of_each`.
    Raises DataError if a review is unusable, as `check_reviews`, and NotEnoughData if no item has a review.
    """
    check_reviews(reviews, config)
    texts = pd.DataFrame({"text": reviews["text"].to_numpy()})
    texts["review_id"] = [hashlib.sha256(text.encode()).hexdigest() for text in texts["text"]]
    about = review_films.rename(columns={"review_sha256": "review_id", "rating": "stars"})
    known = about.merge(texts.drop_duplicates("review_id"), on="review_id")
    asked = items[items.index.isin(item_ids)]
    hint = "check that the reviews are the data set's own, and that the items have IMDb ids"
    joined, coverage = _link(known, asked, imdb_links(asked), hint)
    return joined[list(_COLUMNS)].astype(_COLUMNS), coverage


def read_stored_reviews(
    items: pd.DataFrame, item_ids: pd.Series, config: ReviewConfig
) -> tuple[pd.DataFrame, Coverage]:
    """Read the reviews of those items that are asked for from the store.

    The result is as of `join_reviews`, except that there are columns kind, source and attribution, and that the text is
    cleaned while review_id is the SHA-256 of the stored text. Texts that no model may learn from, that are of other
    `kinds`, empty or too long are left out.
    Raises StoreError if the store cannot be read, and NotEnoughData if no item has a review.
    """
    asked = items[items.index.isin(item_ids)]
    store = ReviewStore(str(config.store), config.storage_options)
    links = own_links(asked) if config.ids == "own" else imdb_links(asked)
    stored = store.read(links["tconst"], config.store_version, _STORED)
    of_kind = stored[stored["kind"].isin(config.kinds)]
    usable = of_kind[of_kind["training_allowed"]].rename(columns={"content_sha256": "review_id", "rating": "stars"})
    usable = usable[usable["text"].str.len() <= config.max_characters]
    texts = usable["text"].map(plain_text).astype("str")
    usable = usable.assign(text=texts)[texts != ""]
    joined, coverage = _link(
        usable.sort_values("source", kind="stable"),
        asked,
        links,
        "fill the store with python -m flows.refresh_reviews, or leave out --reviews.store",
        unlicensed_reviews=int((~of_kind["training_allowed"]).sum()),
        store_version=config.store_version,
        ids=config.ids,
    )
    joined = joined.assign(stars=joined["stars"].round())
    return joined[[*_COLUMNS, "kind", "source", "attribution"]].astype(_COLUMNS), coverage


def _link(
    reviews: pd.DataFrame, asked: pd.DataFrame, links: pd.DataFrame, hint: str, **counts: Any
) -> tuple[pd.DataFrame, Coverage]:
    """Join reviews to items by tconst, each text once, sorted by review_id; without the texts of several titles."""
    linked = reviews.merge(links, on="tconst")
    ambiguous = linked["review_id"].map(reviews.groupby("review_id")["tconst"].nunique()) > 1
    ordered = linked[~ambiguous].sort_values("review_id", kind="stable")
    joined = ordered.drop_duplicates("review_id", ignore_index=True)
    coverage = Coverage(
        items_asked=len(asked),
        items_linked=links["item_id"].nunique(),
        items_with_review=joined["item_id"].nunique(),
        reviews=len(joined),
        ambiguous_reviews=linked.loc[ambiguous, "review_id"].nunique(),
        **counts,
    )
    logger.info("reviews: %s", coverage.sentence())
    if joined.empty:
        expected = "at least one review of an item"
        raise NotEnoughData("no item has a review", found=coverage.sentence(), expected=expected, hint=hint)
    return joined, coverage


def read_own_reviews(items: pd.DataFrame, config: ReviewConfig) -> tuple[pd.DataFrame, Coverage, pd.DataFrame]:
    """Read the texts of all items from a store that knows them by the ids of their own source.

    Returns as `read_stored_reviews`, and the text_id of each text, as `held_out_texts` does. Raises as the former.
    """
    reviews, coverage = read_stored_reviews(items, items.index.to_series(), config)
    return reviews, coverage, pd.DataFrame({"text_id": reviews["text"].map(text_id)})


def held_out_texts(
    reviews: pd.DataFrame, items: pd.DataFrame, item_ids: pd.Series, review_films: pd.DataFrame
) -> pd.DataFrame:
    """List what a language model must not read, since every item is held out once: text_id str, unique.

    These are the joined `reviews` and all others known to be about one of the items; parameters as of `join_reviews`.
    """
    titles = imdb_links(items[items.index.isin(item_ids)])["tconst"]
    about = review_films.loc[review_films["tconst"].isin(titles), "review_sha256"]
    own = reviews["text"].map(text_id)
    return pd.DataFrame({"text_id": pd.concat([own, about]).astype("str").unique()})
