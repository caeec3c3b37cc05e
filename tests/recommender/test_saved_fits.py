import numpy as np

from latentflix.artifacts import Handle, Store
from latentflix.config import StageConfig
from latentflix.recommender.item_vectors import align_fits
from latentflix.recommender.saved_fits import read_fits, read_fits_of
from latentflix.recommender.vector_files import Vectors


def test_item_vectors_are_read_as_fits_with_the_names_of_their_dimensions(tmp_path):
    store, vectors = Store(tmp_path), Vectors(["a", "b", "c"], ["left", "right"], np.eye(3, 2, dtype=np.float32))
    source = Handle(stage="item_factors", key="0")
    with store.new(source, {}, StageConfig()) as artifact:
        artifact.write(align_fits([vectors], [], ["here"]))
    factors = Handle(stage="factors", key="0")
    with store.new(factors, {"ratings": (Handle(stage="ratings", key="0"),), "fits": (source,)}, StageConfig()):
        pass
    for (fit,) in (read_fits(store, [source]), read_fits_of(store, factors)):
        np.testing.assert_array_equal(fit.item_factors, vectors.values)
        assert list(fit.dimensions) == ["left", "right"]
