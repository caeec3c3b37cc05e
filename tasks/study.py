"""One recommender looked at, and the page that shows it beside the others."""

from latentflix.recommender.analysis import Study, StudyConfig, study_recommender
from latentflix.report.recommender import build_study_page
from tasks.collab import read_recommender
from tasks.stage import Artifact, Handle, Store, stage
from tasks.trials import read_trials


@stage("study", "study")
def study_collab(
    artifact: Artifact,
    store: Store,
    source: Handle,
    ratings: Handle,
    trials: Handle,
    *collab: Handle,
    config: StudyConfig,
) -> None:
    """Look at the recommender, and build the page of it and of the trials."""
    study = study_recommender(
        [read_recommender(store, group) for group in collab],
        store.read_table(ratings, "ratings"),
        store.read_table(ratings, "films"),
        config,
    )
    artifact.write_table_fields(study)
    artifact.write_json("figures", study.figures)
    manifests = [store.manifest(handle) for handle in (source, ratings, trials, *collab)]
    artifact.metrics.update(build_study_page(artifact.folder, study, read_trials(store, trials), manifests))


def read_study(store: Store, handle: Handle) -> Study:
    """The study of a study artifact."""
    return Study(**store.read_table_fields(handle, Study), figures=store.read_json(handle, "figures"))
