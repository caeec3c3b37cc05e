"""The items that a recommender takes for alike."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentflix.artifacts import Store
from latentflix.errors import NotFound
from latentflix.recommender.latent_factors import ARRAYS, LatentFactors, unpack_fits
from latentflix.recommender.rotation import item_loadings
from latentflix.runs import Run


def read_fits(store: Store, run: Run) -> list[LatentFactors]:
    """The factors of all seeds from which a run's factors were made.

    Raises ArtifactError as `Store.read_arrays` does, ModelError if the recommender has none.
    """
    fits: list[LatentFactors] = []
    for handle in store.manifest(run.handle("factors")).input_handles:
        if handle.stage == "collab":
            model = store.manifest(handle).config["model"]
            fits += unpack_fits(store.read_arrays(handle, ARRAYS), model)
    return fits


def find_neighbours(
    fits: Sequence[LatentFactors], item_id: int, candidates: Sequence[int] | pd.Index, most: int
) -> pd.Series:
    """The candidates that are most like an item: their cosine, -1 to 1 (float64, index item_id), the greatest first.

    The cosine is that of the item factors of all fits side by side, in the users' metric (`item_loadings`) and about
    the mean of the candidates: of what sets the predictions for an item apart, over all users. Raises NotFound if the
    recommender has never seen the item.
    """
    known = pd.Index(fits[0].item_ids, name="item_id")
    if item_id not in known:
        raise NotFound(
            "the recommender has never seen the item", found=f"movie id {item_id}", expected="an item with ratings"
        )
    row = known.get_loc(item_id)
    counts = np.asarray(known.isin(candidates))
    products, squares = np.zeros(len(known)), np.zeros(len(known))
    for fit in fits:
        vectors = item_loadings(fit, counts)
        products += vectors @ vectors[row]
        squares += (vectors**2).sum(axis=1)
    cosines = pd.Series(products / np.sqrt(squares * squares[row]), known, name="cosine")
    return cosines[counts & (known != item_id)].nlargest(most)
