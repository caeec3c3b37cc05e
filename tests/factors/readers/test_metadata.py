import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from latentflix.factors.readers.metadata import circumstances_reader, mean_ratings, metadata_reader

RATINGS = pd.DataFrame({"item_id": [1, 1, 2, 3], "rating": [5.0, 4.0, 4.0, 2.0]})
ITEMS = pd.DataFrame(
    {"genres": [["Drama"], ["Crime"], ["Drama", "Crime"]], "year": [1990, 1995, 1993], "ratings": [2, 1, 1]},
    index=pd.Index([1, 2, 3], name="item_id"),
).astype({"year": "Int16"})


def test_interactions_have_no_mean_rating():
    assert mean_ratings(RATINGS, ITEMS).to_dict() == {1: 4.5, 2: 4, 3: 2}
    assert mean_ratings(RATINGS, ITEMS, interactions=True).empty


def test_of_interactions_the_yardstick_knows_what_is_known_before_anybody_rates():
    rows = np.arange(3)
    known, rated = (
        metadata_reader(ITEMS, ITEMS.index, mean_ratings(RATINGS, ITEMS, interactions=interactions))
        for interactions in (True, False)
    )
    before = circumstances_reader(ITEMS, ITEMS.index).kernels(rows, rows, rows)
    for one, other in zip(known.kernels(rows, rows, rows), before, strict=True):
        assert_allclose(one, other)
    assert not np.allclose(rated.kernels(rows, rows, rows)[0], before[0])
