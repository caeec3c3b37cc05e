"""Fits as artifacts hold them: read without what trained them."""

from collections.abc import Iterable

from latentflix.artifacts import Handle, Store
from latentflix.recommender.item_vectors import ItemVectors
from latentflix.recommender.latent_factors import ItemFactors, LatentFactors, split_seeds

# The stages whose artifacts `read_fits` reads: a recommender that was trained, and item vectors of one's own.
FITS = ("collab", "item_factors")


def read_fits(store: Store, handles: Iterable[Handle]) -> list[LatentFactors | ItemFactors]:
    """Read all fits of artifacts of the stages FITS, in their order. Raises ArtifactError or ModelError."""
    fits: list[LatentFactors | ItemFactors] = []
    for handle in handles:
        if handle.stage == "item_factors":
            fits += store.read(handle, ItemVectors).fits()
        else:
            user_ids, item_ids = (store.read_arrays(handle, name)[name] for name in ("user_ids", "item_ids"))
            weights, model = store.read_arrays(handle, "weights"), store.manifest(handle).config["model"]
            fits += split_seeds(user_ids, item_ids, weights, model)
    return fits


def read_fits_of(store: Store, factors: Handle) -> list[LatentFactors | ItemFactors]:
    """Read all fits that an artifact of factors was made from. Raises as `read_fits` does."""
    return read_fits(store, (each for each in store.manifest(factors).input_handles if each.stage in FITS))
