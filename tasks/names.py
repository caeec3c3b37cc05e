"""What each pole of a stable axis is called."""

from latentflix.factors.naming import NameConfig, name_poles
from tasks.stage import Artifact, Handle, Store, stage


@stage("names", "names-{config.n_terms}-terms")
def name_all_poles(
    artifact: Artifact,
    store: Store,
    reviews: Handle,
    corpus: Handle,
    labels: Handle,
    factors: Handle,
    ratings: Handle,
    *,
    config: NameConfig,
) -> None:
    """Find the words, films and genres that mark each pole."""
    names = name_poles(
        store.read_table(reviews, "reviews"),
        store.read_table(labels, "films"),
        store.read_table(factors, "scores"),
        store.read_table(factors, "axes"),
        store.read_table(ratings, "films"),
        store.read_table(corpus, "reviews")["text"],
        config,
    )
    artifact.write_table("terms", names.terms)
    artifact.write_table("films", names.films)
    artifact.write_table("genres", names.genres)
    artifact.write_json("names", names.names)
