"""The data sets, fetched and checked."""

from latentflix.datasets import DataSetConfig, load_data_set
from tasks.stage import Artifact, Store, stage


@stage("datasets", "datasets-{config.name}", fetches=True)
def fetch_data_set(artifact: Artifact, _: Store, *, config: DataSetConfig) -> None:
    """Fetch a data set and keep its tables as they come."""
    for name, table in load_data_set(config).items():
        artifact.write_table(name, table)
        artifact.metrics[f"{name}_rows"] = len(table)
