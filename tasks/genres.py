"""Genres from plot summaries: prepared, learned, scored, compared with MovieLens, and shown."""

from typing import Annotated

import pandas as pd

from latentflix.calibration import calibration_error
from latentflix.data.title_plots import join_plots
from latentflix.genres.evaluation import (
    GenreEvaluation,
    GenreEvaluationConfig,
    evaluate_genres,
    read_probabilities,
)
from latentflix.genres.model import GenreConfig, TrainedGenres, train_genres
from latentflix.genres.movielens_comparison import MovieLensComparisonConfig, compare_genres
from latentflix.genres.plot_file import PlotSourceConfig, load_plot_source
from latentflix.genres.plot_summaries import PlotSummaries, PlotSummaryConfig, prepare_plots
from latentflix.report.genres import GenrePageConfig, build_genre_page
from latentflix.text.sentence_embeddings import read_embeddings
from tasks.stage import Artifact, Handle, Store, stage


@stage("plot_source", "plot_source")
def read_plot_file(artifact: Artifact, _: Store, *, config: PlotSourceConfig) -> None:
    """Read the user's own plot summaries and genres, and keep them as they are."""
    artifact.write_tables(load_plot_source(config))


@stage("plot_summaries", "plot_summaries")
def prepare(
    artifact: Artifact,
    store: Store,
    *,
    source: Annotated[Handle, "datasets", "plot_source"],
    config: PlotSummaryConfig,
) -> None:
    """Clean plot summaries and genres, and split them into train, valid and test."""
    prepared = prepare_plots(store.read_table(source, "plots"), config)
    artifact.write(prepared)
    artifact.metrics.update(prepared.summary())


@stage("genres", "genres")
def train(
    artifact: Artifact,
    store: Store,
    *,
    plot_summaries: Handle,
    embeddings: tuple[Handle, ...],
    config: GenreConfig,
) -> None:
    """Train networks and a TF-IDF model, choose among the settings, and predict the genres of every plot."""
    trained = train_genres(
        store.read_table(plot_summaries, "plot_summaries"),
        store.read_table(plot_summaries, "has_genre"),
        read_embeddings(store, embeddings),
        config,
    )
    artifact.write(trained)
    artifact.metrics.update(threshold=trained.model.thresholds.shared, mixture=trained.model.mixture.tolist())


@stage("genre_evaluation", "genre_evaluation")
def evaluate(
    artifact: Artifact, store: Store, *, plot_summaries: Handle, genres: Handle, config: GenreEvaluationConfig
) -> None:
    """Score the genres of the test plots beside TF-IDF alone and beside the prevalence of each genre."""
    evaluation = evaluate_genres(
        read_probabilities(store, genres),
        store.read_table(plot_summaries, "has_genre"),
        store.read_table(plot_summaries, "plot_summaries")["part"],
        store.manifest(genres).config["shrinkage"],
        config,
    )
    artifact.write(evaluation)
    artifact.metrics["calibration_error"] = calibration_error(evaluation.calibration)


@stage("genre_comparison", "genre_comparison")
def compare_with_movielens(
    artifact: Artifact,
    store: Store,
    *,
    plot_summaries: Handle,
    genres: Handle,
    ratings: Handle,
    config: MovieLensComparisonConfig,
) -> None:
    """Join films and plots, and compare the predicted genres with those of MovieLens."""
    plots = store.read_table(plot_summaries, "plot_summaries")
    films, ambiguous = join_plots(store.read_table(ratings, "items"), plots, config.years_apart)
    model = store.read_field(genres, TrainedGenres, "model")
    compared = compare_genres(
        films, store.read_table(genres, "probabilities"), pd.Series(model.thresholds.each, model.genres)
    )
    artifact.write_table("films", compared.join(plots["part"], on="plot_id"))
    artifact.metrics.update(films=len(compared), ambiguous=ambiguous)


@stage("genre_page", "genre_page")
def write_page(
    artifact: Artifact,
    store: Store,
    *,
    source: Annotated[Handle, "datasets", "plot_source"],
    plot_summaries: Handle,
    genres: Handle,
    evaluation: Annotated[Handle, "genre_evaluation"],
    comparison: Annotated[Handle, "genre_comparison"],
    embeddings: tuple[Handle, ...],
    config: GenrePageConfig,
) -> None:
    """Build the page from the results of the stages."""
    stages = (source, plot_summaries, *embeddings, genres, evaluation, comparison)
    figures = build_genre_page(
        artifact.folder,
        config,
        evaluation=store.read(evaluation, GenreEvaluation),
        trials=store.read_table(genres, "trials"),
        left_out=store.read_field(plot_summaries, PlotSummaries, "left_out"),
        rare=store.read_field(plot_summaries, PlotSummaries, "rare"),
        films=store.read_table(comparison, "films"),
        ambiguous=store.manifest(comparison).metrics["ambiguous"],
        threshold=store.manifest(genres).metrics["threshold"],
        manifests=[store.manifest(handle) for handle in stages],
    )
    artifact.metrics.update(figures)
