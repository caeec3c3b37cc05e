"""The data sets, fetched and checked."""

from latentflix.data.datasets import DataSetConfig, load_data_set
from tasks.stage import Artifact, Store, stage


@stage("datasets", "datasets-{config.name}", fetches=True)
def fetch_data_set(artifact: Artifact, _: Store, *, config: DataSetConfig) -> None:
    """Fetch a data set and keep its tables as they come."""
    artifact.write_tables(load_data_set(config))
