"""Item vectors of one's own: what any recommender has learned of its items, in a file for each fit."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from latentflix.artifacts import Arrays
from latentflix.config import StageConfig, setting
from latentflix.data.files import hash_file, require_file
from latentflix.data.ids import list_some, require_unique
from latentflix.data.items import describe_items, index_table, number_items
from latentflix.data.tables import read_file, require_columns
from latentflix.errors import DataError
from latentflix.recommender.latent_factors import ItemFactors
from latentflix.recommender.vector_files import FORMS, OPTION, Vectors, read_vectors

_NAMED = 10
# The vectors of more items, at a hundred dimensions, do not fit into the memory of most machines several times over.
_MOST_ITEMS = 5_000_000


class ItemFactorsSource(StageConfig):
    """Which item vectors are explained instead of those of a recommender that is trained here."""

    path: tuple[Path, ...] = setting(
        (),
        "item vectors of your own, a file for each fit of the recommender: parquet, csv, npz, safetensors or word2vec",
    )
    id_column: str = setting("item_id", "the column of ids in these files, and in that of the items")
    users_path: tuple[Path, ...] = setting(
        (), "the user vectors of each fit, in the same order: they say how much each direction matters"
    )
    user_id_column: str = setting("user_id", "the column of ids in the files of users")
    items_path: Path | None = setting(
        None,
        "a csv or parquet file of the items: title, and any further columns, as genres, year, ratings (how many users "
        "an item has), categories, numbers, dates",
    )
    title_column: str = setting("title", "the column of titles in the file of items")

    @model_validator(mode="after")
    def _check_paths(self) -> Self:
        if self.users_path and len(self.users_path) != len(self.path):
            raise ValueError(f"{len(self.path)} files of item vectors and {len(self.users_path)} of user vectors")
        if self.items_path and not self.path:
            raise ValueError("items_path says more of the items in path, and path is not given")
        return self


class ItemFactorsConfig(ItemFactorsSource):
    """Item vectors of one's own, identified by what the files hold: elsewhere they make the same artifact."""

    path: tuple[Path, ...] = Field(exclude=True, description="as in ItemFactorsSource")
    users_path: tuple[Path, ...] = setting((), "as in ItemFactorsSource", exclude=True)
    items_path: Path | None = setting(None, "as in ItemFactorsSource", exclude=True)
    sha256: str = Field(description="SHA-256 of what the files hold")


def with_fingerprint(source: ItemFactorsSource) -> ItemFactorsConfig:
    """Add the hash of its files to a source. Raises DataError if one is not there."""
    files = {
        f"{role} {number}": path
        for role, paths in (("items", source.path), ("users", source.users_path), ("table", (source.items_path,)))
        for number, path in enumerate(filter(None, paths))
    }
    for path in files.values():
        require_file(path, OPTION, FORMS)
    lines = [f"{role} {hash_file(path)}\n" for role, path in files.items()]
    return ItemFactorsConfig(**source.model_dump(), sha256=hashlib.sha256("".join(lines).encode()).hexdigest())


@dataclass(frozen=True)
class ItemVectors:
    """The item vectors of one or several fits to the same items.

    Attributes:
        numbers: item_id int32 of each item, index its id in the source, in that order.
        item_factors: by the number of the fit, float32 (items, dimensions).
        user_covariances: the same, the covariance of the user vectors, float64 (dimensions, dimensions): the identity
            where there are none, so that all directions count alike.
        dimensions: what the columns of the first fit are called; they name the raw axes.
    """

    numbers: pd.Series
    item_factors: Arrays
    user_covariances: Arrays
    dimensions: list[str]

    def fits(self) -> list[ItemFactors]:
        """The fits as those of a recommender that is trained here."""
        ids = self.numbers.to_numpy()
        return [
            ItemFactors(ids, factors, self.user_covariances[fit], self.dimensions)
            for fit, factors in self.item_factors.items()
        ]


def load_item_vectors(config: ItemFactorsConfig) -> ItemVectors:
    """Read the vectors of all fits. Raises DataError as `read_vectors` and `align_fits` do."""
    items = [read_vectors(path, config.id_column) for path in config.path]
    users = [read_vectors(path, config.user_id_column) for path in config.users_path]
    return align_fits(items, users, [str(path) for path in config.path])


def load_items(numbers: pd.Series, config: ItemFactorsConfig) -> pd.DataFrame:
    """Read what is known of the items of vectors, as `describe_items` returns it. Raises DataError as that does."""
    if config.items_path is None:
        return describe_items(numbers, None)
    where = str(config.items_path)
    table = read_file(config.items_path, [config.id_column])
    require_columns(where, table.columns, [config.id_column], "name it with --item-factors.id-column")
    table = index_table(table, config.id_column, where).rename(columns={config.title_column: "title"})
    return describe_items(numbers, table, where)


def align_fits(items: Sequence[Vectors], users: Sequence[Vectors], where: Sequence[str]) -> ItemVectors:
    """Check the vectors of one or several fits, and bring their items into one order.

    Args:
        items: of each fit, its item vectors.
        users: of each fit, its user vectors; none if they are not known.
        where: what errors call the item vectors of each fit.

    Raises:
        DataError: vectors are of no use, or two fits are of different items.
    """
    for vectors, name in zip(items, where, strict=True):
        _check_vectors(vectors, name)
    numbers = number_items(items[0].ids)
    factors, covariances = {}, {}
    for fit, (vectors, name) in enumerate(zip(items, where, strict=True)):
        rows = pd.Index(vectors.ids).get_indexer(numbers.index)
        if len(vectors.ids) != len(numbers) or (rows < 0).any():
            raise DataError(
                "two fits are not of the same items",
                where=f"{where[0]} and {name}",
                found=f"only in the first: {list_some(sorted(set(items[0].ids) - set(vectors.ids)))}; "
                f"only in the second: {list_some(sorted(set(vectors.ids) - set(items[0].ids)))}",
                expected="a vector of every item in every fit",
                hint="leave out items that not every fit knows",
            )
        factors[str(fit)] = np.ascontiguousarray(vectors.values[rows], np.float32)
        size = vectors.values.shape[1]
        covariances[str(fit)] = np.eye(size)
        if users:
            _check_users(users[fit], vectors, name)
            covariances[str(fit)] = np.cov(users[fit].values.astype(np.float64), rowvar=False).reshape(size, size)
    return ItemVectors(numbers, factors, covariances, items[0].dimensions)


def _check_vectors(vectors: Vectors, where: str) -> None:
    n_items, size = vectors.values.shape
    if n_items < 2:
        raise DataError("there is only one item", where=where, found=f"{n_items:,} items", expected="at least 2")
    if n_items > _MOST_ITEMS:
        raise DataError(
            "there are more items than can be read at once",
            where=where,
            found=f"{n_items:,} items",
            expected=f"at most {_MOST_ITEMS:,}",
            hint="keep the items that have texts, or the most popular ones",
        )
    require_unique(vectors.ids, where)
    wrong = ~np.isfinite(vectors.values).all(1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            "a vector has a value that is missing or not finite",
            where=f"{where}, item {vectors.ids[row]}; {int(wrong.sum()):,} such items",
            found=", ".join(f"{value:g}" for value in vectors.values[row][:_NAMED]),
            expected="a number in every dimension",
            hint="leave these items out",
        )
    if size > n_items:
        raise DataError(
            "there are more dimensions than items",
            where=where,
            found=f"{n_items:,} items of {size:,} dimensions",
            expected="more items than dimensions",
            hint="is the table transposed? Rows are items",
        )
    if (vectors.values == vectors.values[0]).all():
        raise DataError(
            "all items have the same vector",
            where=where,
            found=f"{n_items:,} times {', '.join(f'{value:g}' for value in vectors.values[0][:_NAMED])}",
            expected="vectors that differ",
        )


def _check_users(users: Vectors, items: Vectors, where: str) -> None:
    if users.values.shape[1] != items.values.shape[1]:
        raise DataError(
            "the vectors of users and of items are not of the same length",
            where=where,
            found=f"{items.values.shape[1]:,} dimensions of items, {users.values.shape[1]:,} of users",
            expected="the same number",
        )
    if len(users.values) < 2 or not np.isfinite(users.values).all():
        raise DataError(
            "the vectors of users are of no use",
            where=f"the users of {where}",
            found=f"{len(users.values):,} users",
            expected="at least 2 users, with a number in every dimension",
        )
