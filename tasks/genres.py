"""Genres from plots, learned."""

from latentflix.genres.model import GenreConfig, train_genres
from latentflix.text.sentence_embeddings import EmbeddingConfig
from tasks.embeddings import read_embeddings
from tasks.stage import Artifact, Handle, Store, stage


@stage("genres", "genres")
def train_on_plots(artifact: Artifact, store: Store, plots: Handle, *embeddings: Handle, config: GenreConfig) -> None:
    """Train heads and words, choose among what is tried, and say how probable every genre is for every plot."""
    trained = train_genres(
        store.read_table(plots, "plots"),
        store.read_table(plots, "carried"),
        [
            (EmbeddingConfig.model_validate(store.manifest(handle).config), read_embeddings(store, handle))
            for handle in embeddings
        ],
        config,
    )
    artifact.write_arrays("model", trained.model.arrays())
    artifact.write_json("model", trained.model.names())
    artifact.write_table_fields(trained)
    artifact.metrics.update(threshold=trained.model.thresholds.shared, mixture=trained.model.mixture.tolist())
