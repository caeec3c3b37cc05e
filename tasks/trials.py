"""Each model under several weight decays, side by side."""

from latentflix.recommender.trials import TrialConfig, Trials, compare_trials
from tasks.collab import read_recommender
from tasks.stage import Artifact, Handle, Store, stage


@stage("trials", "trials")
def compare_all_trials(artifact: Artifact, store: Store, *collab: Handle, config: TrialConfig) -> None:
    """Compare the fits and choose the best of each model."""
    recommenders = [read_recommender(store, trial) for trial in collab]
    trials = compare_trials(recommenders, [store.manifest(trial).metrics for trial in collab], config)
    artifact.write_table("trials", trials.trials)
    artifact.write_table("curves", trials.curves)
    artifact.metrics["trials"] = len(trials.trials)


def read_trials(store: Store, handle: Handle) -> Trials:
    """The trials of a trials artifact."""
    return Trials(store.read_table(handle, "trials"), store.read_table(handle, "curves"))
