"""Kinds of axes, compared on the same fits and texts."""

from typing import Annotated

from latentflix.factors.axis_comparison import ComparedAxesConfig
from latentflix.factors.axis_comparison import compare_axes as compare_kinds
from latentflix.factors.documents import Documents
from latentflix.recommender.halves import read_pairs
from latentflix.recommender.saved_fits import FITS, read_fits
from tasks.readers import load_readers
from tasks.stage import Artifact, Handle, Store, stage


@stage("axis_comparison", "axis_comparison")
def compare_axes(
    artifact: Artifact,
    store: Store,
    *,
    ratings: Handle,
    fits: Annotated[tuple[Handle, ...], *FITS],
    halves: tuple[Handle, ...],
    documents: Handle,
    reviews: Handle,
    topics: Handle,
    embeddings: tuple[Handle, ...],
    config: ComparedAxesConfig,
) -> None:
    """Compare kinds of axes on the same fits, texts and folds."""
    read = store.read(documents, Documents)
    compared = compare_kinds(
        read_fits(store, fits),
        read_pairs(store, halves),
        read,
        store.read_table(ratings, "items"),
        load_readers(store, read, ratings, reviews, topics, embeddings, config.readers),
        config,
    )
    artifact.write(compared)
    artifact.metrics.update(
        {f"stable_and_hold_{kind}": int(n) for kind, n in compared.kinds["stable_and_hold"].items()}
    )
