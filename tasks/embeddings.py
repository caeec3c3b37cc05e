"""The vectors of plots or reviews."""

from latentflix.text.sentence_embeddings import EmbeddingConfig, Embeddings, embed_texts, load_encoder
from tasks.stage import Artifact, Handle, Store, stage

_ARRAYS = ("mean", "greatest", "slices", "unknown")
# The column of texts in the table that has the stage's own name.
_TEXTS = {"plots": "plot", "reviews": "text"}


@stage("embeddings", "embeddings-{config.reading}", fetches=True)
def embed_all_texts(artifact: Artifact, store: Store, source: Handle, *, config: EmbeddingConfig) -> None:
    """Read every text with a sentence transformer."""
    texts = store.read_table(source, source.stage)[_TEXTS[source.stage]]
    embedded = embed_texts(list(texts), load_encoder(config), config)
    artifact.write_arrays("embeddings", {name: getattr(embedded, name) for name in _ARRAYS})
    artifact.metrics.update(
        size=embedded.mean.shape[1],
        slices=int(embedded.slices.sum()),
        most_slices=int(embedded.slices.max()),
        mostly_unknown=int((embedded.unknown > 0.5).sum()),
    )


def read_embeddings(store: Store, handle: Handle) -> Embeddings:
    """The vectors of an embeddings artifact."""
    return Embeddings(**store.read_arrays(handle, "embeddings"))
