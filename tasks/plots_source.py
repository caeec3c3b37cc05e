"""Plots of the user's own."""

from latentflix.genres.plot_file import PlotsSourceConfig, load_plots_source
from tasks.stage import Artifact, Store, stage


@stage("plots_source", "plots_source")
def read_plots_source(artifact: Artifact, _: Store, *, config: PlotsSourceConfig) -> None:
    """Read plots and genres from where the user has them, and keep them as they come."""
    artifact.write_tables(load_plots_source(config))
