"""The reviews of the items, joined exactly: by what a review says, never by its place in a table."""

import hashlib
import logging
from dataclasses import dataclass
from importlib.resources import as_file, files

import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.errors import DataError, NotEnoughData, StoreError
from latentflix.reviews.sources.protocol import Kind
from latentflix.reviews.store import ReviewStore
from latentflix.text.cleaning import plain_text, text_id

_STORED = ("tconst", "source", "kind", "text", "rating", "attribution", "content_sha256", "training_allowed")

logger = logging.getLogger(__name__)


class ReviewConfig(StageConfig):
    """Which reviews count."""

    max_characters: int = setting(100_000, "longest review that is taken for one", unit="characters", ge=100)
    # Where a store lies makes no other reviews; which store it is, and its version, do.
    store: str | None = Field(
        None, exclude=True, description="a review store to read instead of the corpus: a folder, or s3://bucket/folder"
    )
    storage_options: dict[str, str] = Field(
        {},
        exclude=True,
        description="what deltalake needs to reach the store, as aws_region, but for keys",
    )
    store_version: int | None = setting(None, "version of the store that is read; not given: the newest", ge=0)
    store_id: str | None = setting(None, "which store it has to be; not given: whichever is there")
    kinds: tuple[Kind, ...] = setting(("review",), "kinds of texts of a store that count: review, reception, plot")


@dataclass(frozen=True)
class Coverage:
    """How much of what was asked there is."""

    items_asked: int
    items_linked: int
    items_with_review: int
    reviews: int
    ambiguous_reviews: int
    unlicensed_reviews: int = 0
    store_version: int | None = None

    def sentence(self) -> str:
        """The coverage in words."""
        return (
            f"{self.items_asked:,} items asked, {self.items_linked:,} of them linked to IMDb, "
            f"{self.items_with_review:,} with a review, {self.reviews:,} reviews; "
            f"{self.ambiguous_reviews:,} reviews left out because they stand under several items"
            f"{self._of_store()}"
        )

    def _of_store(self) -> str:
        if self.store_version is None:
            return ""
        return (
            f", {self.unlicensed_reviews:,} because no model may learn from them; "
            f"version {self.store_version} of the review store"
        )


def with_store_version(config: ReviewConfig) -> ReviewConfig:
    """The settings with the store and its version as they are now, if reviews are read from a store.

    Raises StoreError if the store cannot be read, is not the one that is asked for or has no such version.
    """
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


def review_links() -> pd.DataFrame:
    """Which item each review of the Large Movie Review Dataset's training half is about.

    Columns: review_sha256 str (of the UTF-8 text), tconst str, rating int8 (stars, 1 to 10).
    """
    with as_file(files("latentflix.reviews") / "imdb_train_review_titles.parquet") as path:
        return pd.read_parquet(path)


def film_links(items: pd.DataFrame) -> pd.DataFrame:
    """Which IMDb title each item is, of those whose title the source knows: item_id int32, tconst str.

    items: index item_id, with `tconst` (nullable) if the source knows any.
    """
    links = items.reindex(columns=["tconst"]).dropna()
    return links.astype("str").reset_index()


def check_reviews(reviews: pd.DataFrame, config: ReviewConfig) -> None:
    """Raise DataError if a review has no text or an absurdly long one, or if there is none."""
    if "text" not in reviews.columns:
        found = ", ".join(map(str, reviews.columns))
        raise DataError("the reviews lack a column", where="text", found=found, expected="a column text")
    if reviews.empty:
        raise DataError("there are no reviews", found="0 rows", expected="at least one row")
    texts = reviews["text"].reset_index(drop=True)
    is_text = texts.map(lambda text: isinstance(text, str))
    empty = texts.where(is_text, "").str.strip() == ""
    long = texts.where(is_text, "").str.len() > config.max_characters
    for bad, what, expected in (
        (empty, "a review has no text", "a text"),
        (long, "a review is absurdly long", f"at most {config.max_characters:,} characters"),
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


def join_reviews(
    reviews: pd.DataFrame,
    items: pd.DataFrame,
    item_ids: pd.Series,
    review_films: pd.DataFrame,
    item_titles: pd.DataFrame,
    config: ReviewConfig,
) -> tuple[pd.DataFrame, Coverage]:
    """The reviews of the items `item_ids`, and how many of those items have any.

    reviews: with `text`. items: index item_id, `title` (one row an item; an item that was merged into another is
    not among them). review_films: as `review_links`. item_titles: as `film_links`.
    Returns review_id str (the text's SHA-256), item_id int32, tconst str, text str, stars int8, sorted by review_id.
    A text that stands under several items is left out and counted; one that stands twice counts once.
    Raises DataError as `check_reviews` does, NotEnoughData if no item has a review.
    """
    check_reviews(reviews, config)
    texts = pd.DataFrame({"text": reviews["text"].to_numpy()})
    texts["review_id"] = [hashlib.sha256(text.encode()).hexdigest() for text in texts["text"]]
    texts = texts.drop_duplicates("review_id")

    asked = items.index.intersection(pd.Index(item_ids.unique()))
    titles = item_titles[item_titles["item_id"].isin(asked)]
    linked = review_films.rename(columns={"review_sha256": "review_id", "rating": "stars"}).merge(titles, on="tconst")
    linked = linked[linked["review_id"].isin(texts["review_id"])]
    every_title = review_films.groupby("review_sha256")["tconst"].nunique()
    ambiguous = linked["review_id"].map(every_title) > 1
    joined = linked[~ambiguous].merge(texts, on="review_id").drop_duplicates("review_id")
    joined = joined.sort_values("review_id", ignore_index=True)
    coverage = Coverage(
        items_asked=len(asked),
        items_linked=titles["item_id"].nunique(),
        items_with_review=joined["item_id"].nunique(),
        reviews=len(joined),
        ambiguous_reviews=linked.loc[ambiguous, "review_id"].nunique(),
    )
    logger.info("reviews: %s", coverage.sentence())
    if joined.empty:
        raise NotEnoughData(
            "no item has a review",
            found=coverage.sentence(),
            expected="at least one review of an item",
            hint="check that the reviews are the data set's own, and that the source of the ratings has IMDb ids",
        )
    columns = {"review_id": "str", "item_id": "int32", "tconst": "str", "text": "str", "stars": "int8"}
    return joined[list(columns)].astype(columns), coverage


def gather_reviews(
    corpus: pd.DataFrame,
    items: pd.DataFrame,
    item_ids: pd.Series,
    review_films: pd.DataFrame,
    item_titles: pd.DataFrame,
    config: ReviewConfig,
) -> tuple[pd.DataFrame, Coverage]:
    """The reviews of the items, of the store if the settings name one, else of the corpus: as `join_reviews`.

    Raises what `join_reviews` and `read_stored_reviews` raise.
    """
    if config.store is None:
        return join_reviews(corpus, items, item_ids, review_films, item_titles, config)
    return read_stored_reviews(items, item_ids, item_titles, config)


def read_stored_reviews(
    items: pd.DataFrame, item_ids: pd.Series, item_titles: pd.DataFrame, config: ReviewConfig
) -> tuple[pd.DataFrame, Coverage]:
    """The reviews of the items in the store, and how many of the items have any.

    As `join_reviews`, but that stars may be missing (Int8), that source and attribution are there as well, and that
    review_id is the SHA-256 of the text as it came while text is cleaned. Texts that no model may learn from, that
    are not of the `kinds`, are empty or too long are left out. Raises StoreError if the store cannot be read,
    NotEnoughData if no item has a review.
    """
    asked = items.index.intersection(pd.Index(item_ids.unique()))
    titles = item_titles[item_titles["item_id"].isin(asked)]
    store = ReviewStore(str(config.store), config.storage_options)
    stored = store.read(titles["tconst"], config.store_version, _STORED)
    of_kind = stored[stored["kind"].isin(config.kinds)]
    usable = of_kind[of_kind["training_allowed"]].rename(columns={"content_sha256": "review_id", "rating": "stars"})
    texts = usable["text"].map(plain_text).astype("str")
    usable = usable.assign(text=texts)[(texts != "") & (texts.str.len() <= config.max_characters)]
    ambiguous = usable["review_id"].map(usable.groupby("review_id")["tconst"].nunique()) > 1
    joined = usable[~ambiguous].sort_values(["review_id", "source"]).drop_duplicates("review_id")
    joined = joined.merge(titles, on="tconst").sort_values("review_id", ignore_index=True)
    coverage = Coverage(
        items_asked=len(asked),
        items_linked=titles["item_id"].nunique(),
        items_with_review=joined["item_id"].nunique(),
        reviews=len(joined),
        ambiguous_reviews=usable.loc[ambiguous, "review_id"].nunique(),
        unlicensed_reviews=int((~of_kind["training_allowed"]).sum()),
        store_version=config.store_version,
    )
    logger.info("reviews: %s", coverage.sentence())
    if joined.empty:
        raise NotEnoughData(
            "no item has a review in the store",
            found=coverage.sentence(),
            expected="at least one review of an item",
            hint="fill the store with python -m flows.refresh_reviews, or leave out --reviews.store",
        )
    stars = joined["stars"].round().astype("Int8")
    columns = {"review_id": "str", "item_id": "int32", "tconst": "str", "text": "str", "stars": "Int8"}
    return joined.assign(stars=stars)[[*columns, "source", "attribution"]].astype(columns), coverage


def held_out_texts(
    reviews: pd.DataFrame, item_ids: pd.Series, review_films: pd.DataFrame, item_titles: pd.DataFrame
) -> pd.DataFrame:
    """What a language model may not read, for every item is held out once: text_id str, of each text once.

    These are the reviews themselves, and whatever else is known to be about one of the items `item_ids`. The other
    parameters are as in `join_reviews`.
    """
    titles = item_titles.loc[item_titles["item_id"].isin(item_ids), "tconst"]
    about = review_films.loc[review_films["tconst"].isin(titles), "review_sha256"]
    of_reviews = reviews["text"].map(text_id)
    return pd.DataFrame({"text_id": pd.concat([of_reviews, about]).astype("str").unique()})
