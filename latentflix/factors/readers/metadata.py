"""The yardstick that reads no words: genres, year, popularity and mean rating of an item."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

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


def metadata_reader(items: pd.DataFrame, item_ids: pd.Index, mean_ratings: pd.Series) -> TableReader:
    """See items by genres, year, its square, the logarithm of the number of ratings, and the mean rating.

    Args:
        items: index item_id; genres, year (nullable), ratings.
        mean_ratings: index item_id.
    """
    table = np.column_stack([_circumstances(items.loc[item_ids]), mean_ratings.loc[item_ids]])
    return TableReader(METADATA, table)


def circumstances_reader(items: pd.DataFrame, item_ids: pd.Index) -> TableReader:
    """See items as `metadata_reader` does, without the mean rating: what is known before anybody has rated them."""
    return TableReader(CIRCUMSTANCES, _circumstances(items.loc[item_ids]))


def _circumstances(items: pd.DataFrame) -> np.ndarray:
    genres = pd.get_dummies(items["genres"].explode()).groupby(level=0, sort=False).max().loc[items.index]
    year = items["year"].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    decades = (year - np.nanmean(year)) / 10 if np.isfinite(year).any() else year
    return np.column_stack([genres.to_numpy(np.float64), decades, decades**2, np.log1p(items["ratings"])])
