"""Labelled reviews in a folder of the user's own."""

from latentflix.sentiment.source import SentimentSourceConfig, load_sentiment_source
from tasks.stage import Artifact, Store, stage


@stage("sentiment_source", "sentiment_source")
def read_sentiment_source(artifact: Artifact, _: Store, *, config: SentimentSourceConfig) -> None:
    """Read the reviews of the folder, and name the files that cannot be read."""
    for name, table in load_sentiment_source(config).items():
        artifact.write_table(name, table)
        artifact.metrics[name] = len(table)
