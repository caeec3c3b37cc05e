"""The recommender: fitted from several seeds, compared with others, and analysed."""

from statistics import mean
from typing import Annotated

from latentflix.recommender.analysis import AnalysisConfig, analyse_recommender
from latentflix.recommender.fit import fit_and_score
from latentflix.recommender.halves import PairsConfig, fit_halves
from latentflix.recommender.model import CollabConfig, Recommender
from latentflix.recommender.trials import TrialConfig, compare_trials
from tasks.stage import Artifact, Handle, Store, stage


@stage("collab", "collab-{config.model}-seed-{config.seed}-and-on")
def fit(artifact: Artifact, store: Store, *, ratings: Handle, config: CollabConfig) -> None:
    """Fit the recommender from several seeds side by side."""
    recommender, scores = fit_and_score(store.read_table(ratings, "ratings"), config)
    artifact.write(recommender)
    artifact.metrics.update(scores)


@stage("halves", "halves-{config.pairs}")
def fit_user_halves(
    artifact: Artifact,
    store: Store,
    *,
    ratings: Handle,
    fits: Annotated[tuple[Handle, ...], "collab"],
    config: PairsConfig,
) -> None:
    """Fit the same recommender on halves of the users, for as many epochs as its validation chose."""
    epochs = round(mean(store.manifest(group).metrics["best_epoch"] for group in fits))
    collab = store.read_field(fits[0], Recommender, "config")
    halves, seconds = fit_halves(store.read_table(ratings, "ratings"), collab, epochs, config, config.pairs)
    artifact.write(halves)
    artifact.metrics.update(pairs=len(config.pairs), seeds=config.n_seeds, epochs=epochs, seconds=seconds)


@stage("trials", "trials")
def compare_models(
    artifact: Artifact, store: Store, *, fits: Annotated[tuple[Handle, ...], "collab"], config: TrialConfig
) -> None:
    """Compare the models under several weight decays, and choose the best of each."""
    recommenders = [store.read(trial, Recommender) for trial in fits]
    trials = compare_trials(recommenders, [store.manifest(trial).metrics for trial in fits], config)
    artifact.write(trials)
    artifact.metrics["trials"] = len(trials.trials)


@stage("analysis", "analysis")
def analyse(
    artifact: Artifact,
    store: Store,
    *,
    ratings: Handle,
    fits: Annotated[tuple[Handle, ...], "collab"],
    config: AnalysisConfig,
) -> None:
    """Analyse the recommender: its predictions or rankings, biases, similar items and map."""
    analysis = analyse_recommender(
        [store.read(group, Recommender) for group in fits],
        store.read_table(ratings, "ratings"),
        store.read_table(ratings, "items"),
        config,
    )
    artifact.write(analysis)
    artifact.metrics.update(analysis.scores)
