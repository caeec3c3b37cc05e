"""The pages about factors and recommenders, and what changed since the previous report."""

from typing import Annotated

from latentflix.factors.axis_comparison import AxisComparison
from latentflix.factors.meanings.llm_names import LlmNames
from latentflix.factors.naming import Names
from latentflix.factors.tags import TagFindings
from latentflix.factors.user_groups import UserGroups
from latentflix.recommender.analysis import Analysis
from latentflix.recommender.saved_fits import FITS
from latentflix.recommender.trials import Trials
from latentflix.report.changes import Changes, ChangesConfig, compare_snapshots, read_snapshot
from latentflix.report.inputs import (
    NETWORK_STAGES,
    PageConfig,
    ReportConfig,
    ReportInputs,
    read_network,
    read_recommender,
)
from latentflix.report.page import build_report
from latentflix.report.recommender import build_analysis_page
from tasks.stage import Artifact, Handle, Store, stage


@stage("changes", "changes")
def compare_with_previous(
    artifact: Artifact,
    store: Store,
    *,
    factors: Handle,
    evaluation: Handle,
    names: Handle,
    histograms: Handle,
    previous: Annotated[tuple[Handle, ...], "factors", "evaluation", "names", "histograms"],
    config: ChangesConfig,
) -> None:
    """Compare what was found with the previous report, given as its four artifacts of the same stages, or none."""
    current = read_snapshot(store, (factors, evaluation, names, histograms))
    changes = compare_snapshots(current, read_snapshot(store, previous) if previous else None, config)
    artifact.write(changes)
    artifact.metrics["since"] = changes.since


@stage("report", "report")
def write_report(
    artifact: Artifact,
    store: Store,
    *,
    sources: Annotated[tuple[Handle, ...], "datasets", "ratings_source", "item_factors"],
    corpus: Annotated[tuple[Handle, ...], "datasets"],
    ratings: Handle,
    recommender: Annotated[tuple[Handle, ...], "trials", "analysis"],
    factors: Handle,
    labels: Handle,
    reviews: Handle,
    documents: Handle,
    positions: Handle,
    reader: Handle,
    network: Annotated[tuple[Handle, ...], *NETWORK_STAGES],
    evaluation: Handle,
    names: Handle,
    histograms: Handle,
    tags: tuple[Handle, ...],
    axis_comparison: tuple[Handle, ...],
    llm_names: tuple[Handle, ...],
    user_groups: tuple[Handle, ...],
    changes: Handle,
    fits: Annotated[tuple[Handle, ...], *FITS],
    halves: tuple[Handle, ...],
    config: ReportConfig,
) -> None:
    """Build the report from the results of all stages."""
    stages = (
        *(*sources, *corpus, ratings, *recommender, *halves, factors, labels, reviews, documents, positions, reader),
        *(*network, evaluation, names, histograms, *tags, *axis_comparison, *llm_names, *user_groups, changes, *fits),
    )
    named = store.read(names, Names)
    inputs = ReportInputs(
        items=store.read_table(ratings, "items"),
        scores=store.read_table(factors, "scores"),
        axes=store.read_table(factors, "axes"),
        item_labels=store.read_table(labels, "items"),
        labels=store.read_table(labels, "labels"),
        reviews=store.read_table(reviews, "reviews"),
        axis_scores=store.read_table(evaluation, "axes"),
        reader_scores=store.read_table(evaluation, "readers"),
        kind_scores=store.read_table(evaluation, "kinds"),
        overall=store.manifest(evaluation).metrics,
        terms=named.terms,
        pole_items=named.items,
        genres=named.genres,
        name_tests=named.tests,
        names=named.names,
        shares=store.read_table(histograms, "shares"),
        most_frequent=store.manifest(histograms).metrics["most_frequent"],
        network=read_network(store, network),
        recommender=read_recommender(store, recommender),
        changes=store.read(changes, Changes),
        tags=[store.read(handle, TagFindings) for handle in tags],
        axis_comparison=[store.read(handle, AxisComparison) for handle in axis_comparison],
        llm_names=[store.read(handle, LlmNames) for handle in llm_names],
        user_groups=[store.read(handle, UserGroups) for handle in user_groups],
        # Vectors of one's own are both source and fits.
        manifests=[store.manifest(handle) for handle in dict.fromkeys(stages)],
    )
    artifact.metrics.update(build_report(artifact.folder, inputs, config))


@stage("analysis_page", "analysis_page")
def write_analysis_page(
    artifact: Artifact,
    store: Store,
    *,
    sources: Annotated[tuple[Handle, ...], "datasets", "ratings_source"],
    ratings: Handle,
    trials: Handle,
    analysis: Handle,
    fits: Annotated[tuple[Handle, ...], "collab"],
    config: PageConfig,
) -> None:
    """Build the page of one recommender and of those that it is compared with."""
    manifests = [store.manifest(handle) for handle in (*sources, ratings, trials, *fits, analysis)]
    figures = build_analysis_page(
        artifact.folder, store.read(analysis, Analysis), store.read(trials, Trials), manifests, config.nouns
    )
    artifact.metrics.update(figures)
