"""The items that a recommender places next to an item."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentflix.errors import NotFound
from latentflix.recommender.latent_factors import ItemFactors, LatentFactors
from latentflix.recommender.rotation import item_loadings


def find_similar(
    fits: Sequence[LatentFactors | ItemFactors],
    item_ids: Sequence[int] | pd.Index,
    candidates: Sequence[int] | pd.Index,
    most: int,
) -> pd.DataFrame:
    """For each item, the candidates that are most similar to it, the most similar first.

    The cosine is that of the item loadings (`item_loadings`, about the mean of the candidates) of all fits side by
    side: the correlation, over all users, of what sets the predictions for two items apart. That of a single fit
    depends much on its seed.
    Returns item_id, similar_id, cosine (float64, -1 to 1), and cosine_sd: the deviation of the single fits' cosines.
    Raises NotFound if the recommender has never seen an item.
    """
    known = pd.Index(fits[0].item_ids)
    rows = known.get_indexer(item_ids)
    if (rows < 0).any():
        missing = ", ".join(str(item_id) for item_id, row in zip(item_ids, rows, strict=True) if row < 0)
        raise NotFound(
            "the recommender has never seen the item",
            found=f"item id {missing}",
            expected="an item that it learned from",
        )
    counts = known.isin(candidates)
    products, squares = np.zeros((len(known), len(rows))), np.zeros(len(known))
    of_each = []
    for fit in fits:
        loadings = item_loadings(fit, counts)
        product, square = loadings @ loadings[rows].T, (loadings**2).sum(axis=1)
        of_each.append((product / np.sqrt(square[:, None] * square[rows]))[counts])
        products, squares = products + product, squares + square
    cosines = products / np.sqrt(squares[:, None] * squares[rows])
    deviations = pd.DataFrame([one.ravel() for one in of_each]).std().to_numpy().reshape(-1, len(rows))
    tables = []
    for column, item_id in enumerate(item_ids):
        similar = {"similar_id": known[counts], "cosine": cosines[counts, column], "cosine_sd": deviations[:, column]}
        table = pd.DataFrame({"item_id": item_id, **similar})
        tables.append(table[table["similar_id"] != item_id].nlargest(most, "cosine"))
    return pd.concat(tables, ignore_index=True)
