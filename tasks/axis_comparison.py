"""Kinds of axes, compared on the same fits and texts."""

from typing import Annotated

from latentflix.factors.axis_comparison import ComparedAxesConfig
from latentflix.factors.axis_comparison import compare_axes as compare_kinds
from latentflix.factors.documents import Documents
from latentflix.recommender.halves import HalfFits
from latentflix.recommender.item_vectors import ItemVectors
from latentflix.recommender.model import Recommender, seed_fits
from tasks.readers import load_readers
from tasks.stage import Artifact, Handle, Store, stage


@stage("axis_comparison", "axis_comparison")
def compare_axes(
    artifact: Artifact,
    store: Store,
    *,
    ratings: Handle,
    fits: Annotated[tuple[Handle, ...], "collab"],
    halves: tuple[Handle, ...],
    item_factors: tuple[Handle, ...],
    documents: Handle,
    reviews: Handle,
    topics: Handle,
    embeddings: tuple[Handle, ...],
    config: ComparedAxesConfig,
) -> None:
    """Compare kinds of axes on the same fits, or item vectors of the user's own, texts and folds."""
    read = store.read(documents, Documents)
    trained = [fit for group in fits for fit in seed_fits(store.read(group, Recommender))]
    given = [fit for vectors in item_factors for fit in store.read(vectors, ItemVectors).fits()]
    compared = compare_kinds(
        [*trained, *given],
        [pair for part in halves for pair in store.read(part, HalfFits).pairs()],
        read,
        store.read_table(ratings, "items"),
        load_readers(store, read, ratings, reviews, topics, embeddings, config.readers),
        config,
    )
    artifact.write(compared)
    artifact.metrics.update(
        {f"stable_and_hold_{kind}": int(n) for kind, n in compared.kinds["stable_and_hold"].items()}
    )
