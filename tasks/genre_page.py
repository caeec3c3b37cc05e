"""The page about genres."""

from latentflix.report.genres import GenreFindings, GenrePageConfig, build_genre_page
from tasks.genre_evaluation import read_evaluation
from tasks.stage import Artifact, Handle, Store, stage


@stage("genre_page", "genre_page")
def write_genre_page(
    artifact: Artifact,
    store: Store,
    source: Handle,
    plots: Handle,
    genres: Handle,
    evaluation: Handle,
    films: Handle,
    *embeddings: Handle,
    config: GenrePageConfig,
) -> None:
    """Build the page from what the stages left."""
    findings = GenreFindings(
        evaluation=read_evaluation(store, evaluation),
        trials=store.read_table(genres, "trials"),
        left_out=store.read_table(plots, "left_out"),
        rare=store.read_table(plots, "rare"),
        films=store.read_table(films, "films"),
        ambiguous=store.manifest(films).metrics["ambiguous"],
        threshold=store.manifest(genres).metrics["threshold"],
        manifests=[store.manifest(handle) for handle in (source, plots, *embeddings, genres, evaluation, films)],
    )
    artifact.metrics.update(build_genre_page(artifact.folder, findings, config))
