"""Texts of one's own about items, joined by the ids of the items."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pydantic import Field

from latentflix.config import StageConfig, setting
from latentflix.data.dates import parse_dates
from latentflix.data.files import hash_file, require_file
from latentflix.data.ids import plain_ids, require_common
from latentflix.data.tables import read_file, require_columns
from latentflix.errors import DataError
from latentflix.text.cleaning import plain_text, text_id

_HINT = "name the columns of ids; an id that is read as a number loses its leading zeros"
_FALSE = frozenset({"false", "0", "no", "n", "f", "0.0"})


class TextsSource(StageConfig):
    """Which texts of one's own are read instead of reviews from elsewhere."""

    path: Path | None = setting(
        None, "texts of your own: a csv or parquet file with an id and a text in each row, or the table of the items"
    )
    item_column: str = setting("item_id", "the column of the ids of the items")
    text_column: str = setting("text", "the column of texts")
    kind_column: str | None = setting(None, "the column that says of which kind a text is, if there is one")
    date_column: str | None = setting(None, "the column of dates, if there is one; the newest of equal texts is kept")
    licence_column: str | None = setting(
        None, "the column that says whether models may learn from a text, if there is one"
    )
    max_characters: int = setting(100_000, "longest text that is read", unit="characters", ge=100)

    @property
    def columns(self) -> dict[str, str]:
        """The names of `join_texts` by the columns that stand for them."""
        named = {
            self.item_column: "item_id",
            self.text_column: "text",
            self.kind_column: "kind",
            self.date_column: "date",
            self.licence_column: "licence",
        }
        return {column: name for column, name in named.items() if column}


class TextsSourceConfig(TextsSource):
    """A file of texts, identified by its content: the same file elsewhere makes the same artifact."""

    path: Path = Field(exclude=True, description="as in TextsSource")
    sha256: str = Field(description="SHA-256 of the file")


def with_fingerprint(source: TextsSource) -> TextsSourceConfig:
    """Add the hash of its file to a source. Raises DataError if there is no such file."""
    if source.path is None:
        raise ValueError("only a source with a path can be identified")
    require_file(source.path, "--texts.path")
    return TextsSourceConfig(**source.model_dump(), sha256=hash_file(source.path))


def read_texts(source: TextsSourceConfig) -> pd.DataFrame:
    """Read a file of texts: the columns that `join_texts` takes. Raises DataError if it cannot be read or lacks one."""
    table = read_file(source.path, [source.item_column])
    require_columns(
        str(source.path),
        table.columns,
        source.columns,
        "name them with --texts.item-column, --texts.text-column and so on",
    )
    return table[list(source.columns)].rename(columns=source.columns)


@dataclass(frozen=True)
class TextCoverage:
    """How many items have texts, and how many texts were left out.

    Attributes:
        items_asked: items there are.
        reviews: texts that are read.
        ambiguous_reviews: texts that several items share.
        repeated_reviews: texts that an item has twice.
        unlicensed_reviews: texts that no model may learn from.
        unknown_reviews: texts of no item, or that are empty or too long.
    """

    items_asked: int
    items_with_review: int
    reviews: int
    ambiguous_reviews: int
    repeated_reviews: int
    unlicensed_reviews: int
    unknown_reviews: int


def join_texts(
    texts: pd.DataFrame, numbers: pd.Series, max_characters: int, where: str = "texts"
) -> tuple[pd.DataFrame, TextCoverage]:
    """Join texts to items by the id of the item.

    Args:
        texts: item_id and text, and if there are such columns kind, date and licence (whether models may learn
            from it).
        numbers: item_id int32, index the id in the source.
        max_characters: of the longest text that is read, before it is made plain.
        where: what errors call the table of texts.

    Returns:
        review_id str (as `text_id` of the text), item_id int32, text str (plain), kind str, sorted by review_id; and
        what was left out.

    Raises:
        DataError: an id is missing, the ids are not those of the items, or all texts are the same.
    """
    require_columns(where, texts.columns, ["item_id", "text"])
    ids = plain_ids(texts["item_id"], f"{where}, column item_id")
    by_id = dict(zip(numbers.index.astype("str"), numbers, strict=True))
    require_common(ids, list(by_id), where, _HINT)
    table = pd.DataFrame(
        {
            "item_id": pd.Series(ids).map(by_id),
            "review_id": [text_id(text) if isinstance(text, str) else "" for text in texts["text"]],
            "text": [
                plain_text(text) if isinstance(text, str) and len(text) <= max_characters else ""
                for text in texts["text"]
            ],
            "kind": texts["kind"].fillna("").astype("str").array if "kind" in texts else "review",
        }
    )
    usable = table["item_id"].notna() & (table["text"] != "")
    licensed = _licensed(texts)
    if "date" in texts:
        dates = parse_dates(texts["date"].reset_index(drop=True))
        table = table.loc[dates.sort_values(ascending=False, na_position="last").index]
    read = table[(usable & licensed).loc[table.index]]
    shared = read.groupby("review_id")["item_id"].transform("nunique") > 1
    if len(read) > 1 and (read["review_id"] == read["review_id"].iloc[0]).all():
        raise DataError(
            "all texts are the same",
            where=where,
            found=f"{len(read):,} times {read['text'].iloc[0][:60]!r}",
            expected="texts that say something of the items",
        )
    unique = read[~shared].drop_duplicates("review_id").sort_values("review_id", ignore_index=True)
    coverage = TextCoverage(
        items_asked=len(numbers),
        items_with_review=unique["item_id"].nunique(),
        reviews=len(unique),
        ambiguous_reviews=int(shared.sum()),
        repeated_reviews=int((~shared).sum()) - len(unique),
        unlicensed_reviews=int((~licensed).sum()),
        unknown_reviews=int((~usable).sum()),
    )
    types = {"review_id": "str", "item_id": "int32", "text": "str", "kind": "str"}
    return unique[list(types)].astype(types), coverage


def _licensed(texts: pd.DataFrame) -> pd.Series:
    """Whether models may learn from each text: what is not said counts as no."""
    if "licence" not in texts:
        return pd.Series(True, range(len(texts)))
    said = texts["licence"].astype("object").reset_index(drop=True)
    return said.notna() & ~said.map(lambda value: str(value).strip().lower()).isin(_FALSE)
