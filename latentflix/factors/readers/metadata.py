"""The yardstick that reads no words: categories, year, popularity, mean rating and other numbers of an item."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentflix.data.items import NUMBER, category_flags

METADATA, CIRCUMSTANCES = "metadata", "circumstances"


@dataclass(frozen=True)
class TableReader:
    """Sees an item as a row of a table. table: float64 (items, columns); NaN where a value is not known."""

    name: str
    table: np.ndarray

    def kernels(self, train: np.ndarray, test: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As in the protocol of a reader: columns in standard deviations over `train`, unknown values at its mean."""
        known = np.where(np.isnan(self.table[train]).all(0), 0.0, self.table)
        mean, deviation = np.nanmean(known[train], 0), np.nanstd(known[train], 0)
        scaled = np.nan_to_num((known - mean) / np.where(deviation > 0, deviation, 1))
        return scaled[train] @ scaled[landmarks].T, scaled[test] @ scaled[landmarks].T


def mean_ratings(ratings: pd.DataFrame, items: pd.DataFrame, *, interactions: bool = False) -> pd.Series:
    """The mean rating of each item: float, index item_id; of no item if the ratings are interactions.

    items: with `mean_rating` if it is known without ratings.
    """
    if interactions:
        ratings = ratings.head(0)
    return items.get("mean_rating", ratings.groupby("item_id")["rating"].mean())


def metadata_reader(items: pd.DataFrame, item_ids: pd.Index, means: pd.Series) -> TableReader:
    """See items by what `circumstances_reader` sees, and the mean rating.

    Args:
        items: index item_id; genres, year (nullable), ratings, and any numbers, in columns that begin with NUMBER.
        means: index item_id, of those items whose mean rating is known.
    """
    table = np.column_stack([_circumstances(items.loc[item_ids]), means.reindex(item_ids).to_numpy(np.float64)])
    return TableReader(METADATA, table)


def circumstances_reader(items: pd.DataFrame, item_ids: pd.Index) -> TableReader:
    """See items by genres, year, the logarithm of the number of ratings, and further numbers.

    That is what is known before anybody has rated them. Of the year and the numbers also the squares.
    """
    return TableReader(CIRCUMSTANCES, _circumstances(items.loc[item_ids]))


def _circumstances(items: pd.DataFrame) -> np.ndarray:
    year = items["year"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    decades = (year - np.nanmean(year)) / 10 if np.isfinite(year).any() else year
    columns = [category_flags(items["genres"]).to_numpy(np.float64), decades, decades**2, np.log1p(items["ratings"])]
    for name in items.columns[items.columns.str.startswith(NUMBER)]:
        number = items[name].to_numpy(np.float64)
        spread = np.nanstd(number) if np.isfinite(number).any() else 0.0
        scaled = (number - np.nanmean(number)) / spread if spread > 0 else np.full(len(number), np.nan)
        columns += [scaled, scaled**2]
    return np.column_stack(columns)
