"""From ratings and reviews to a page that says what the factors mean.

Run it with `python -m flows.full`; `python -m flows.full --help` lists the settings.
"""

from prefect import flow

from flows.command_line import FlowResult, main
from flows.network import Network, embed_texts, judge_network, train_network
from flows.steps import (
    compare_axes,
    fetch,
    find_factors,
    find_texts,
    finish,
    leave_out_kinds,
    load_items,
    predict_positions,
)
from latentflix.artifacts import Store
from latentflix.data.tags import has_tags
from latentflix.report.changes import find_previous
from latentflix.report.headline import headline_sentence
from latentflix.settings import FullSettings
from tasks import factors, readers, report
from tasks.stage import StageRunner

DEFAULTS = FullSettings()


@flow(name="full", flow_run_name="full-{settings.profile}-{settings.data}", persist_result=False)
def full(settings: FullSettings = DEFAULTS) -> FlowResult:
    """Learn factors from ratings, learn which words go with them, check that on held-out items, and show it.

    Args:
        settings: the settings of all stages; what is not given is as the profile has it
    """
    nouns = settings.report.nouns
    run = StageRunner(Store(settings.artifacts_dir.resolve()), settings.parallel, nouns)
    sources, ratings = load_items(run, settings)
    # Texts of other items end a run before anything is trained.
    texts = find_texts(run, ratings, settings)
    found = find_factors(run, sources, ratings, settings)
    axes = found.factors
    labels = run(factors.label, factors=axes, ratings=ratings, config=settings.labels)
    plots = [fetch(run, settings, "film_plots")] if settings.documents.plots else []
    documents = run(readers.gather, reviews=texts.joined, ratings=ratings, plots=plots, config=settings.documents)

    network = train_network(run, texts, labels, documents, axes, settings) if settings.network else Network()
    embeddings = embed_texts(run, texts.joined, settings)
    sentences = embeddings if settings.readers.sentences else []
    placed = {
        "factors": axes,
        "ratings": ratings,
        "reviews": texts.joined,
        "embeddings": sentences,
    }
    positions = predict_positions(run, texts, documents, placed, settings.readers)
    without_kind = [
        predict_positions(run, texts, rest, placed, settings.readers.model_copy(update={"permutations": 0}))
        for rest in leave_out_kinds(run, documents)
    ]
    reader = run(readers.fit_reader, documents=documents, positions=positions, factors=axes, config=settings.readers)
    evaluation = run(
        readers.evaluate,
        factors=axes,
        documents=documents,
        positions=positions,
        without_kind=without_kind,
        network=network.positions,
        config=settings.evaluation,
    )
    judged = judge_network(run, network, texts, labels, evaluation, embeddings, settings) if settings.network else []
    names = run(factors.name_poles, documents=documents, factors=axes, ratings=ratings, config=settings.names)
    histograms = run(
        factors.count_votes,
        positions=positions,
        predictions=network.predictions,
        labels=labels,
        reviews=texts.joined,
        config=settings.histograms,
    )
    kinds_of_axes = compare_axes(run, found, ratings, texts, documents, sentences, settings)
    tags = []
    if has_tags(run.store.manifest(sources[0]).metrics):
        tags = [
            run(
                factors.read_tags,
                source=sources[0],
                ratings=ratings,
                documents=documents,
                factors=axes,
                positions=positions,
                names=names,
                config=settings.tags,
            )
        ]
    llm_names = []
    if settings.llm.address:
        llm_names = [
            run(
                factors.name_by_language_model,
                documents=documents,
                factors=axes,
                names=names,
                config=settings.llm,
            )
        ]

    user_groups = []
    # Leanings are regressions of ratings, which interactions do not have.
    asked = settings.user_groups.enabled and not settings.interactions
    if asked and run.store.manifest(ratings).metrics.get("user_columns"):
        user_groups = [run(factors.find_leanings, ratings=ratings, factors=axes, config=settings.user_groups)]

    compared = {"factors": axes, "evaluation": evaluation, "names": names, "histograms": histograms}
    previous = find_previous(run.store, tuple(compared.values()))
    changes = run(report.compare_with_previous, **compared, previous=previous, config=settings.changes)
    page = run(
        report.write_report,
        **compared,
        sources=[*sources, *plots],
        corpus=texts.corpus,
        ratings=ratings,
        recommender=found.recommender,
        labels=labels,
        reviews=texts.joined,
        documents=documents,
        positions=positions,
        reader=reader,
        network=[*network.stages, *judged],
        tags=tags,
        axis_comparison=kinds_of_axes,
        llm_names=llm_names,
        user_groups=user_groups,
        changes=changes,
        fits=found.fits,
        halves=found.halves,
        config=settings.report,
    )
    figures = run.store.manifest(page).metrics
    return finish(run, page, headline_sentence(figures, nouns), figures, settings)


if __name__ == "__main__":
    main(full, FullSettings, "python -m flows.full")
