"""The labels that each film's reviews will carry."""

from latentflix.factors.labels import LabelConfig, label_films
from tasks.stage import Artifact, Handle, Store, stage


@stage("labels", "labels-{config.rule}")
def label_all_films(artifact: Artifact, store: Store, factors: Handle, ratings: Handle, *, config: LabelConfig) -> None:
    """Give each film the axes that stand for it as labels."""
    n_ratings = store.read_table(ratings, "films")["ratings"]
    labels = label_films(store.read_table(factors, "scores"), store.read_table(factors, "axes"), n_ratings, config)
    artifact.write_table("films", labels.films)
    artifact.write_table("labels", labels.labels)
    artifact.metrics.update(
        films=labels.films["movie_id"].nunique(),
        labels=len(labels.labels),
        unlabelled=labels.unlabelled,
        dominating=labels.dominating,
        dropped=labels.dropped,
        shares=labels.labels["share"].to_dict(),
    )
