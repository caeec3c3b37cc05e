"""The page that says it all."""

from latentflix.report.inputs import Findings, ReportConfig
from latentflix.report.page import build_report
from tasks.changes import read_changes
from tasks.encoders import read_comparison
from tasks.stage import Artifact, Handle, Store, stage
from tasks.study import read_study
from tasks.trials import read_trials


@stage("report", "report")
def write_report(
    artifact: Artifact,
    store: Store,
    movielens: Handle,
    corpus: Handle,
    ratings: Handle,
    trials: Handle,
    study: Handle,
    factors: Handle,
    labels: Handle,
    reviews: Handle,
    tokens: Handle,
    language_model: Handle,
    classifier: Handle,
    predictions: Handle,
    baseline: Handle,
    evaluation: Handle,
    encoders: Handle,
    names: Handle,
    histograms: Handle,
    changes: Handle,
    *collab: Handle,
    config: ReportConfig,
) -> None:
    """Build the report from what all stages left."""
    stages = (
        *(movielens, corpus, ratings, trials, study, factors, labels, reviews, tokens, language_model),
        *(classifier, predictions, baseline, evaluation, encoders, names, histograms, changes, *collab),
    )
    findings = Findings(
        films=store.read_table(ratings, "films"),
        scores=store.read_table(factors, "scores"),
        axes=store.read_table(factors, "axes"),
        film_labels=store.read_table(labels, "films"),
        labels=store.read_table(labels, "labels"),
        reviews=store.read_table(reviews, "reviews"),
        label_scores=store.read_table(evaluation, "labels"),
        axis_scores=store.read_table(evaluation, "axes"),
        overall=store.manifest(evaluation).metrics,
        encoders=read_comparison(store, encoders),
        rare=store.read_table(encoders, "rare"),
        terms=store.read_table(names, "terms"),
        pole_films=store.read_table(names, "films"),
        genres=store.read_table(names, "genres"),
        names=store.read_json(names, "names"),
        shares=store.read_table(histograms, "shares"),
        dominating=store.manifest(histograms).metrics["dominating"],
        language_model_history=store.read_table(language_model, "history"),
        language_model_rates=store.read_table(language_model, "rates"),
        sentences=store.read_table(language_model, "sentences"),
        classifier_history=store.read_table(classifier, "history"),
        trials=read_trials(store, trials),
        study=read_study(store, study),
        changes=read_changes(store, changes),
        manifests=[store.manifest(handle) for handle in stages],
    )
    artifact.metrics.update(build_report(artifact.folder, findings, config))
