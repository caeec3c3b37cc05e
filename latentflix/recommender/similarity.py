"""The films that a recommender takes for alike."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentflix.artifacts import Store
from latentflix.errors import UnknownFilm
from latentflix.recommender.latent_factors import CollabFit, unpack_fits
from latentflix.recommender.rotation import in_users_metric
from latentflix.runs import Run


def read_fits(store: Store, run: Run) -> list[CollabFit]:
    """The factors of all seeds from which a run's factors were made.

    Raises ArtifactError as `Store.read_arrays` does, NoSharedFactors if the recommender has none.
    """
    fits: list[CollabFit] = []
    for handle in store.manifest(run.handle("factors")).inputs:
        if handle.stage == "collab":
            model = store.manifest(handle).config["model"]
            fits += unpack_fits(store.read_arrays(handle, "recommender"), model)
    return fits


def find_neighbours(
    fits: Sequence[CollabFit], movie_id: int, candidates: Sequence[int] | pd.Index, most: int
) -> pd.Series:
    """The candidates that are most like a film: their cosine, -1 to 1 (float64, index movie_id), the greatest first.

    The cosine is that of the item factors of all fits side by side, in the users' metric (`in_users_metric`) and about
    the mean of the candidates: of what sets the predictions for a film apart, over all users. Raises UnknownFilm if the
    recommender has never seen the film.
    """
    known = pd.Index(fits[0].movie_ids, name="movie_id")
    if movie_id not in known:
        raise UnknownFilm(
            "the recommender has never seen the film", found=f"movie id {movie_id}", expected="a film with ratings"
        )
    row = known.get_loc(movie_id)
    counts = np.asarray(known.isin(candidates))
    products, squares = np.zeros(len(known)), np.zeros(len(known))
    for fit in fits:
        vectors = in_users_metric(fit, counts)
        products += vectors @ vectors[row]
        squares += (vectors**2).sum(axis=1)
    cosines = pd.Series(products / np.sqrt(squares * squares[row]), known, name="cosine")
    return cosines[counts & (known != movie_id)].nlargest(most)
