"""From ratings to a page that shows what recommenders learn of items, and how well each model predicts.

Run it with `python -m flows.collab_study`; `python -m flows.collab_study --help` lists the settings.
"""

from prefect import flow

from flows.command_line import FlowResult, main
from flows.steps import finish, load_ratings
from latentflix.artifacts import Store
from latentflix.recommender.fit import seed_groups
from latentflix.recommender.trials import trial_configs
from latentflix.settings import CollabStudySettings
from tasks import recommender, report
from tasks.stage import StageRunner

DEFAULTS = CollabStudySettings()


@flow(name="collab_study", flow_run_name="collab_study-{settings.data}", persist_result=False)
def collab_study(settings: CollabStudySettings = DEFAULTS) -> FlowResult:
    """Compare four recommenders under several weight decays, and analyse what one of them has learned.

    Args:
        settings: the settings of all stages
    """
    run = StageRunner(Store(settings.artifacts_dir.resolve()), settings.parallel, settings.analysis_page.nouns)
    sources, ratings = load_ratings(run, settings)
    tried = run.map(recommender.fit, ratings=ratings, configs=trial_configs(settings.collab, settings.trials))
    trials = run(recommender.compare_models, fits=tried, config=settings.trials)
    fits = run.map(recommender.fit, ratings=ratings, configs=seed_groups(settings.collab))
    analysis = run(recommender.analyse, ratings=ratings, fits=fits, config=settings.analysis)
    page = run(
        report.write_analysis_page,
        sources=sources,
        ratings=ratings,
        trials=trials,
        analysis=analysis,
        fits=fits,
        config=settings.analysis_page,
    )
    figures = run.store.manifest(page).metrics
    return finish(run, page, figures["sentence"], figures["models"], settings)


if __name__ == "__main__":
    main(collab_study, CollabStudySettings, "python -m flows.collab_study")
