"""The documents of a world whose factors are known, and a run that has them."""

import numpy as np
import pandas as pd

from latentflix.artifacts import Handle, Store
from latentflix.factors.documents import DocumentConfig, Documents, gather_documents
from latentflix.runs import Run, choose_run
from tests.support.factories.artifacts import put
from tests.support.synthetic_world import World, join_world, make_world, read_items

NAMES = {"A+": "planted, words", "A-": "other, words", "B+": "no word marks this pole", "B-": "more, words"}


def make_planted(**changed: object) -> tuple[World, Documents, pd.DataFrame]:
    """A world of two factors, its documents, and the positions of its items."""
    world = make_world(**{"n_items": 60, "n_factors": 2, "word_share": 0.25, **changed})
    documents = gather_documents(join_world(world), read_items(world), DocumentConfig())
    return world, documents, world.true_factors


def write_planted_run(
    store: Store, world: World, documents: Documents, *, embeddings: np.ndarray | None = None, key: str = "b" * 20
) -> Run:
    """Write a run whose report was made from documents through its evaluation.

    embeddings: sentence vectors of its reviews, float32 (reviews, size).
    """
    reviews = put(store, "reviews", key, tables={"reviews": join_world(world)})
    with store.new(Handle(stage="documents", key=key), {"reviews": (reviews,)}, DocumentConfig()) as artifact:
        artifact.write(documents)
    axes = pd.DataFrame({"stable": True}, index=pd.Index(list(world.true_factors.columns), name="axis"))
    factors = put(store, "factors", key, tables={"scores": world.true_factors, "axes": axes})
    vectors = []
    if embeddings is not None:
        vectors = [put(store, "embeddings", key, [reviews], arrays={"mean": {"mean": embeddings}})]
    positions = put(store, "positions", key, [artifact.handle, factors, *vectors])
    terms = [(f"{factor}{pole}", word) for (factor, pole), words in world.words.items() for word in words]
    tables = {"terms": pd.DataFrame(terms, columns=["label", "term"])}
    names = put(store, "names", key, values={"names": NAMES}, tables=tables)
    evaluation = put(store, "evaluation", key, [positions, artifact.handle, factors])
    put(store, "report", key, [evaluation, names])
    return choose_run(store, key)
