"""Tags of items: those that people gave them, and the tag genome, which says how far each of many tags applies.

Source: the README of MovieLens 25M, https://files.grouplens.org/datasets/movielens/ml-25m-README.html
"""

import io
import logging
import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
import pandas as pd

from latentflix.data.csv_records import Record, read_records, require_unique_columns
from latentflix.data.files import UNREADABLE
from latentflix.data.tables import Tables, require_columns
from latentflix.errors import DataError

logger = logging.getLogger(__name__)

TAGS, GENOME, LEFT_OUT = "tags", "genome", "tags_left_out"
TAG_TABLES = (TAGS, GENOME, LEFT_OUT)
_COLUMNS = {"userId": "user_id", "movieId": "item_id", "tag": "tag"}
# A row begins where a line begins with two ids: a tag may hold a line break, and "::" too.
_ROW_STARTS = re.compile(r"\r?\n(?=\d+::\d+::)")
_ROW = re.compile(r"(?P<user_id>\d+)::(?P<item_id>\d+)::(?P<tag>.*)::\d+\s*", re.DOTALL)


def read_tag_files(folder: Traversable) -> Tables:
    """Read what a folder of MovieLens holds of tags; without any there is no table.

    tags, genome and tags_left_out: as `count_taggers`, `read_genome` and `count_left_out` return them.
    Raises DataError if a file cannot be read.
    """
    left_out: Counter[str] = Counter()
    tables: Tables = {}
    for name, parse in (("tags.csv", parse_csv), ("tags.dat", _parse_double_colons)):
        path = folder / name
        if path.is_file():
            given = parse(decode(path.read_bytes()), str(path), _COLUMNS, left_out)
            tables[TAGS] = count_taggers(given, left_out)
    scores, names = folder / "genome-scores.csv", folder / "genome-tags.csv"
    if scores.is_file() and names.is_file():
        tables[GENOME] = read_genome(scores, names, left_out)
    elif scores.is_file():
        left_out["the tag genome, because genome-tags.csv with the names of its tags is missing"] += 1
    if tables or left_out:
        tables[LEFT_OUT] = count_left_out(left_out)
    return tables


def has_tags(metrics: Mapping[str, Any]) -> bool:
    """Whether a source has tags or a genome. metrics: of its artifact, with the rows of its tables."""
    return any(metrics.get(f"{name}_rows") for name in (TAGS, GENOME))


def decode(content: bytes) -> str:
    """The text of a file in UTF-8, or else in Latin-1, as the oldest sets are."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def parse_csv(text: str, where: str, columns: Mapping[str, str], left_out: Counter[str]) -> pd.DataFrame:
    """Parse rows of tags with commas, semicolons or tabs between them, whichever the first line has.

    A tag may hold any of these, quotes and line breaks, if it stands in quotes. Rows with more or fewer fields than the
    first line are left out, and counted as the lines that they span. pandas is not used because it reads the tag "null"
    as none.

    columns: what the columns are called in the text, and in the result; that of `user_id` may be missing. Returns
    columns of str. Raises DataError if a column is missing, if two have the same name, or if a quote is never closed.
    """
    separator = _separator(text.split("\n", 1)[0])
    records = (_require_sound(record, where) for record in read_records(io.StringIO(text, newline=""), separator))
    header = next(records, Record(1, 1, [])).cells
    require_columns(where, header, [name for name, column in columns.items() if column != "user_id"])
    require_unique_columns(where, header)
    places = {column: header.index(name) for name, column in columns.items() if name in header}
    kept = []
    for record in records:
        if len(record.cells) == len(header):
            kept.append([record.cells[place] for place in places.values()])
        elif record.cells:
            lines = record.last - record.first + 1
            left_out["lines of tags with more or fewer fields than the first line"] += lines
    return pd.DataFrame(kept, columns=list(places), dtype="str")


def _require_sound(record: Record, where: str) -> Record:
    if record.fault:
        raise DataError(
            "tags cannot be read",
            where=f"{where}, line {record.first:,}",
            found=record.fault,
            expected="a tag with a quote in it in quotes, its own quote twice",
            hint="correct the file, or remove it: ratings can be read without tags",
        )
    return record


def _parse_double_colons(text: str, _: str, columns: Mapping[str, str], left_out: Counter[str]) -> pd.DataFrame:
    rows = [_ROW.fullmatch(row) for row in _ROW_STARTS.split(text) if row.strip()]
    kept = [row.groupdict() for row in rows if row]
    if len(kept) < len(rows):
        left_out["rows of tags that are not user::item::tag::time"] += len(rows) - len(kept)
    return pd.DataFrame(kept, columns=list(columns.values()), dtype="str")


def count_taggers(given: pd.DataFrame, left_out: Counter[str], *, named: bool = False) -> pd.DataFrame:
    """Count the users who gave each tag to each item.

    Tags are compared in lower case, with single blanks. Without users each row is one of its own.

    Args:
        given: item_id, tag, and perhaps user_id, of str.
        left_out: counts the rows without a tag, and those of an item whose id is not a number.
        named: ids of items are names, not numbers.

    Returns:
        item_id int32, or str if `named`; tag str; int32 users, who gave it to the item, taggers, who gave the item any
        tag, and givers, who gave the tag to any item.
    """
    users = given["user_id"] if "user_id" in given else given.index.to_series()
    numbers = given["item_id"] if named else pd.to_numeric(given["item_id"], errors="coerce")
    tags = [" ".join(tag.lower().split()) if isinstance(tag, str) else "" for tag in given["tag"]]
    table = pd.DataFrame({"item_id": numbers, "tag": pd.Series(tags, given.index, dtype="str"), "user_id": users})
    empty = table["tag"] == ""
    unknown = ~empty & (numbers.isna() if named else ~(numbers.between(0, np.iinfo(np.int32).max) & (numbers % 1 == 0)))
    for what, rows in (("rows without a tag", empty), ("tags of an item whose id is not a number", unknown)):
        if rows.any():
            left_out[what] += int(rows.sum())
    table = table[~empty & ~unknown].drop_duplicates()
    counts = table.groupby(["item_id", "tag"]).size().astype("int32").rename("users").reset_index()
    for name, column in (("taggers", "item_id"), ("givers", "tag")):
        counts[name] = counts[column].map(table.groupby(column)["user_id"].nunique()).astype("int32")
    return counts if named else counts.astype({"item_id": "int32"})


def tags_by_item(tags: pd.DataFrame, item_ids: pd.Series) -> pd.DataFrame:
    """The tags as `count_taggers` counts them, of the items that `Ratings.item_ids` names; of unknown ones none.

    Items that were merged have the tags and taggers of all; a user who tagged two of them counts twice.
    """
    known = tags.assign(item=tags["item_id"].map(item_ids)).dropna(subset="item")
    taggers = known.drop_duplicates("item_id").groupby("item")["taggers"].sum()
    counts = known.groupby(["item", "tag"]).agg({"users": "sum", "taggers": "sum", "givers": "first"}).reset_index()
    counts["taggers"] = counts["item"].map(taggers)
    numbers = ["item_id", "users", "taggers", "givers"]
    return counts.rename(columns={"item": "item_id"}).astype(dict.fromkeys(numbers, "int32"))


def genome_by_item(genome: pd.DataFrame, item_ids: pd.Series) -> pd.DataFrame:
    """The genome of the items that `Ratings.item_ids` names; of items that were merged, the mean."""
    known = genome[genome.index.isin(item_ids.index)]
    return known.groupby(item_ids.reindex(known.index).to_numpy()).mean().rename_axis("item_id")


def read_genome(scores: Traversable, names: Traversable, left_out: Counter[str]) -> pd.DataFrame:
    """Read the tag genome: index item_id int32, and a float32 column for each tag, its relevance from 0 to 1.

    A pair of item and tag that is not listed has relevance 0; scores of a tag that has no name are left out.
    Raises DataError if a file cannot be read, or if a relevance is not from 0 to 1.
    """
    types = {"movieId": "int32", "tagId": "int32", "relevance": "float32"}
    try:
        with scores.open("rb") as file:
            separator = _separator(file.readline().decode("latin-1"))
            file.seek(0)
            table = pd.read_csv(file, sep=separator, usecols=list(types), dtype=types)
        listed = parse_csv(decode(names.read_bytes()), str(names), {"tagId": "item_id", "tag": "tag"}, left_out)
        named = listed.set_index(pd.to_numeric(listed["item_id"]))["tag"].str.lower().str.split().str.join(" ")
    except UNREADABLE as error:
        raise DataError(
            "the tag genome cannot be read",
            where=f"{scores} or {names.name}",
            found=str(error).splitlines()[0],
            expected=", ".join(types),
            hint="unpack the data set again, or remove the file: ratings can be read without it",
        ) from error
    outside = ~table["relevance"].between(0, 1)
    if outside.any():
        row = int(outside.to_numpy().argmax())
        raise DataError(
            "a relevance of the tag genome is out of bounds",
            where=f"{scores}, row {row} (counting from 0); {int(outside.sum())} such rows",
            found=f"{table['relevance'].iloc[row]:g}",
            expected="a number from 0 to 1",
            hint="unpack the data set again, or remove the file: ratings can be read without it",
        )
    tag_ids = named[~named.index.duplicated() & ~named.duplicated() & (named != "")].sort_index()
    columns = pd.Index(tag_ids.index).get_indexer(table["tagId"])
    if (columns < 0).any():
        left_out["scores of the tag genome for a tag without a name of its own"] += int((columns < 0).sum())
    rows, items = pd.factorize(table["movieId"], sort=True)
    relevance = np.zeros((len(items), len(tag_ids)), np.float32)
    relevance[rows[columns >= 0], columns[columns >= 0]] = table["relevance"].to_numpy()[columns >= 0]
    return pd.DataFrame(relevance, pd.Index(np.asarray(items, np.int32), name="item_id"), tag_ids.to_numpy())


def _separator(first_line: str) -> str:
    return max(",;\t", key=first_line.count)


def count_left_out(left_out: Mapping[str, int]) -> pd.DataFrame:
    """What was left out of the tags, as a table: reason str, rows int64; and log it."""
    for reason, rows in left_out.items():
        logger.warning("left out: %s (%d)", reason, rows)
    return pd.DataFrame(list(left_out.items()), columns=["reason", "rows"]).astype({"reason": "str", "rows": "int64"})
