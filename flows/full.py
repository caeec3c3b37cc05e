"""From ratings and reviews to a page that says what the factors mean.

Run it with `python -m flows.full`; `python -m flows.full --help` lists the settings.
"""

from prefect import flow

from flows.command_line import FlowResult, main
from flows.steps import (
    fetch,
    finish,
    fit_until_stable,
    leave_out_kinds,
    load_ratings,
    predict_positions,
    train_language_models,
)
from latentflix.artifacts import Store
from latentflix.data.tags import has_tags
from latentflix.factors.classifiers import fold_configs
from latentflix.recommender.halves import pair_groups
from latentflix.recommender.trials import trial_configs
from latentflix.report.changes import find_previous
from latentflix.report.headline import headline_sentence
from latentflix.reviews.join import with_store_version
from latentflix.settings import FullSettings
from tasks import classifiers, factors, readers, recommender, report, reviews, text
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
    sources, ratings = load_ratings(run, settings)
    corpus = fetch(run, settings, settings.reviews.corpus)

    fits = fit_until_stable(run, ratings, settings)
    tried = run.map(recommender.fit, ratings=ratings, configs=trial_configs(settings.collab, settings.trials))
    trials = run(recommender.compare_models, fits=tried, config=settings.trials)
    analysis = run(recommender.analyse, ratings=ratings, fits=fits, config=settings.analysis)

    halves = run.map(recommender.fit_user_halves, ratings=ratings, fits=fits, configs=pair_groups(settings.halves))
    axes = run(factors.extract, ratings=ratings, fits=fits, halves=halves, config=settings.factors)
    labels = run(factors.label, factors=axes, ratings=ratings, config=settings.labels)
    joined = run(reviews.join_reviews, corpus=corpus, ratings=ratings, config=with_store_version(settings.reviews))
    plots = [fetch(run, settings, "film_plots")] if settings.documents.plots else []
    documents = run(readers.gather, reviews=joined, ratings=ratings, plots=plots, config=settings.documents)

    stored = [joined] if settings.reviews.store else []
    tokens = run(text.tokenize, reviews=[corpus, *stored], config=settings.token_corpus)
    language_models = train_language_models(run, tokens, joined, settings)
    folds = run.map(
        classifiers.train_fold,
        reviews=joined,
        labels=labels,
        documents=documents,
        token_corpus=tokens,
        language_models=language_models,
        configs=fold_configs(settings.classifier),
    )
    classifier = run(classifiers.merge_folds, folds=folds, config=settings.classifier)
    predictions = run(
        classifiers.predict,
        reviews=joined,
        token_corpus=tokens,
        language_model=language_models[0],
        classifier=classifier,
        config=settings.predictions,
    )

    embeddings = []
    if settings.readers.sentences or settings.comparison.sentences:
        folders = {"data_dir": settings.data_dir, "cache_dir": settings.cache_dir}
        embeddings = [run(text.embed, source=joined, config=settings.embeddings.model_copy(update=folders))]
    placed = {
        "factors": axes,
        "ratings": ratings,
        "reviews": joined,
        "embeddings": embeddings if settings.readers.sentences else [],
    }
    positions = predict_positions(run, corpus, documents, placed, settings.readers)
    without_kind = [
        predict_positions(run, corpus, rest, placed, settings.readers.model_copy(update={"permutations": 0}))
        for rest in leave_out_kinds(run, documents)
    ]
    reader = run(readers.fit_reader, documents=documents, positions=positions, factors=axes, config=settings.readers)

    known = {"reviews": joined, "labels": labels, "classifier": classifier}
    baseline = run(factors.predict_tfidf_baseline, **known, config=settings.baseline)
    network = run(
        readers.place_by_network,
        reviews=joined,
        token_corpus=tokens,
        language_model=language_models[0],
        classifier=classifier,
        predictions=predictions,
        documents=documents,
        factors=axes,
        config=settings.predictions,
    )
    evaluation = run(
        readers.evaluate,
        **known,
        predictions=predictions,
        baseline=baseline,
        factors=axes,
        documents=documents,
        positions=positions,
        without_kind=without_kind,
        network=network,
        config=settings.evaluation,
    )
    others = [baseline]
    if settings.comparison.sentences:
        others.append(
            run(
                factors.predict_embedding_baseline,
                **known,
                embeddings=embeddings[0],
                config=settings.embedding_baseline,
            )
        )
    comparison = run(factors.compare, **known, predictions=predictions, others=others, config=settings.comparison)
    names = run(factors.name_poles, documents=documents, factors=axes, ratings=ratings, config=settings.names)
    histograms = run(
        factors.count_votes,
        positions=positions,
        predictions=predictions,
        labels=labels,
        reviews=joined,
        config=settings.histograms,
    )
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

    found = {"factors": axes, "evaluation": evaluation, "names": names, "histograms": histograms}
    previous = find_previous(run.store, tuple(found.values()))
    changes = run(report.compare_with_previous, **found, previous=previous, config=settings.changes)
    page = run(
        report.write_report,
        **(found | known),
        sources=[*sources, *plots],
        corpus=corpus,
        ratings=ratings,
        trials=trials,
        analysis=analysis,
        documents=documents,
        positions=positions,
        reader=reader,
        token_corpus=tokens,
        language_model=language_models[0],
        predictions=predictions,
        baseline=baseline,
        network=network,
        comparison=comparison,
        tags=tags,
        llm_names=llm_names,
        changes=changes,
        fits=fits,
        halves=halves,
        config=settings.report,
    )
    figures = run.store.manifest(page).metrics
    return finish(run, page, headline_sentence(figures, nouns), figures, settings)


if __name__ == "__main__":
    main(full, FullSettings, "python -m flows.full")
