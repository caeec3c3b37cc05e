"""Plots and genres, cleaned and dealt."""

from latentflix.genres.plot_summaries import PlotConfig, prepare_plots
from tasks.stage import Artifact, Handle, Store, stage


@stage("plots", "plots")
def prepare_all_plots(artifact: Artifact, store: Store, source: Handle, *, config: PlotConfig) -> None:
    """Clean plots and genres, and deal the plots into train, valid and test."""
    prepared = prepare_plots(store.read_table(source, "plots"), config)
    artifact.write_table_fields(prepared)
    artifact.metrics.update(
        plots=len(prepared.plots),
        genres=len(prepared.carried.columns),
        left_out=len(prepared.left_out),
        rare_genres=len(prepared.rare),
        parts=prepared.plots["part"].value_counts().to_dict(),
    )
