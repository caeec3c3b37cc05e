"""Documents: all that is known of an item in words, as one text in parts, and how well its position is known."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.title_groups import group_titles
from latentflix.errors import NotEnoughData
from latentflix.reviews.sources.protocol import Kind
from latentflix.text.cleaning import plain_text

REVIEW, TITLE, DATA_PLOT = "review", "title", "data_plot"
_MID_SENTENCE = re.compile(r"(?<=[a-z,;] )[^\W\d_]{2,}")
_WORD = re.compile(r"\b[^\W\d_]{2,}\b")


class DocumentConfig(StageConfig):
    """Which items are read about, and what of their texts is read."""

    min_ratings: int = setting(10, "ratings an item needs; with fewer its position is hardly known", ge=1)
    half_known: float = setting(
        30.0, "ratings that make an item count half as much as one whose position is known exactly", gt=0
    )
    kinds: tuple[Kind, ...] = setting(
        ("review", "reception", "plot"),
        "which of the kinds of texts that sources of reviews have are read; kinds of your own always are",
    )
    english: bool = setting(
        True,
        "texts are English: stop words are left out of names, plurals count as their singular, and words that are "
        "written with a capital as proper names",
    )
    plots: bool = setting(False, "read the plots of the data set film_plots too, joined by title")
    titles: bool = setting(False, "read the item's title too")


class LeftOutConfig(StageConfig):
    """Which texts are left out of documents, to see what the others say without them."""

    kind: str = setting(REVIEW, "the kind of which no text is read")


@dataclass(frozen=True)
class Documents:
    """The texts of the items.

    Attributes:
        parts: item_id int32, kind str ("review", "reception", "plot", "data_plot" or "title"), part_id str (of a text
            that is among the run's reviews its review_id), text str: plain text, in the order of the items.
        items: index item_id; title str, ratings int64, weight float64 (0 to 1: how well the position is known), group
            int64 (items that are held out together), parts int64, words int64.
        proper_names: words in lower case that are mostly written with a capital within a sentence.
        repeated: parts left out because another part of the same item, or parts of two items, have the same text.
        english: whether the texts are English.
    """

    parts: pd.DataFrame
    items: pd.DataFrame
    proper_names: list[str]
    repeated: int
    english: bool = True


def gather_documents(
    reviews: pd.DataFrame, items: pd.DataFrame, config: DocumentConfig, plots: pd.DataFrame | None = None
) -> Documents:
    """Gather what is known of each item in words.

    Raises NotEnoughData if fewer than four items with enough ratings have a text.

    Args:
        reviews: review_id, item_id, text, and kind unless all are reviews.
        items: index item_id; title, ratings.
        plots: item_id, part_id, text; of items that have another text.
    """
    rated = items[items["ratings"] >= config.min_ratings]
    kind = reviews["kind"] if "kind" in reviews else pd.Series(REVIEW, reviews.index)
    reviews = reviews.assign(kind=kind)[~kind.isin(set(get_args(Kind)) - set(config.kinds))]
    known = reviews[reviews["item_id"].isin(rated.index)].sort_values(["item_id", "review_id"], kind="stable")
    texts = known["text"].map(plain_text)
    # A text of two items says nothing of either; a second copy says nothing new.
    usable = (texts.str.strip() != "") & ~texts.duplicated(keep="first")
    shared = known["item_id"].groupby(texts).transform("nunique") > 1
    usable &= ~shared
    parts = pd.DataFrame(
        {
            "item_id": known.loc[usable, "item_id"].astype("int32"),
            "kind": known.loc[usable, "kind"],
            "part_id": known.loc[usable, "review_id"].astype("str"),
            "text": texts[usable].astype("str"),
        }
    )
    item_ids = np.unique(parts["item_id"])
    if len(item_ids) < 4:
        raise NotEnoughData(
            "too few items have texts to learn from some and predict others",
            found=f"{len(item_ids)} items with {config.min_ratings} ratings or more and a text",
            expected="at least 4",
            hint="bring more reviews, or lower --documents.min-ratings",
        )
    proper_names = find_proper_names(parts["text"]) if config.english else []
    if plots is not None:
        parts = pd.concat([parts, plots[plots["item_id"].isin(item_ids)].assign(kind=DATA_PLOT)])
    if config.titles:
        title = rated.loc[item_ids, "title"]
        named = pd.DataFrame({"item_id": item_ids, "kind": TITLE, "part_id": TITLE, "text": title.to_numpy()})
        parts = pd.concat([parts, named])
    parts = parts.sort_values("item_id", kind="stable", ignore_index=True)
    parts = parts.astype({"item_id": "int32", "kind": "str", "part_id": "str"})
    table = rated.loc[item_ids, ["title", "ratings"]].astype({"ratings": "int64"})
    by_item = parts.groupby("item_id")["text"]
    table["weight"] = table["ratings"] / (table["ratings"] + config.half_known)
    table["group"] = group_titles(table["title"])
    table["parts"] = by_item.size()
    table["words"] = by_item.agg(lambda of_item: sum(len(_WORD.findall(text)) for text in of_item))
    return Documents(parts, table.rename_axis("item_id"), proper_names, int((~usable).sum()), config.english)


def review_parts(documents: Documents) -> pd.DataFrame:
    """The parts that are texts of the run's reviews, of whatever kind."""
    return documents.parts[~documents.parts["kind"].isin((TITLE, DATA_PLOT))]


def separable_kinds(documents: Documents) -> list[str]:
    """The kinds of texts that can be left out, the most frequent first: none if all texts are of one kind."""
    kinds = [str(kind) for kind in documents.parts["kind"].value_counts().index]
    return kinds if len(kinds) > 1 else []


def leave_out_kind(documents: Documents, config: LeftOutConfig) -> Documents:
    """The documents of the same items without the texts of a kind; one that has no other becomes empty."""
    parts = documents.parts[documents.parts["kind"] != config.kind]
    bare = documents.items.index.difference(parts["item_id"]).to_numpy(np.int32)
    empty = pd.DataFrame({"item_id": bare, "kind": "", "part_id": "", "text": ""})
    parts = pd.concat([parts, empty]).sort_values("item_id", kind="stable", ignore_index=True)
    return replace(documents, parts=parts)


def find_proper_names(texts: pd.Series) -> list[str]:
    """Find the words that are more often written with a capital than without within a sentence, in lower case."""
    capital: Counter[str] = Counter()
    small: Counter[str] = Counter()
    for text in texts:
        for word in _MID_SENTENCE.findall(text):
            (capital if word[0].isupper() else small)[word.lower()] += 1
    return sorted(word for word, count in capital.items() if count > small[word])


def mask_names(text: str, proper_names: frozenset[str]) -> str:
    """A text's words in lower case without proper names, separated by blanks."""
    return " ".join(word for word in map(str.lower, _WORD.findall(text)) if word not in proper_names)
