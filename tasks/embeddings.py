"""The vectors of the plots."""

from latentflix.embeddings import EmbeddingConfig, Embeddings, embed_texts, load_encoder
from tasks.stage import Artifact, Handle, Store, stage

_ARRAYS = ("mean", "greatest", "slices", "unknown")


@stage("embeddings", "embeddings-{config.reading}", fetches=True)
def embed_plots(artifact: Artifact, store: Store, plots: Handle, *, config: EmbeddingConfig) -> None:
    """Read every plot with a sentence transformer."""
    texts = store.read_table(plots, "plots")["plot"]
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
