"""From ratings to a page that shows what recommenders learn of films, and how well each model predicts.

Run it with `python -m flows.collab_study`; `python -m flows.collab_study --help` lists the settings.
"""

from prefect import flow

from flows.command_line import Outcome, main
from flows.conclusion import conclude
from flows.ratings import obtain_ratings
from latentflix.artifacts import Store
from latentflix.recommender.fit import seed_groups
from latentflix.recommender.trials import trial_configs
from latentflix.settings import CollabStudySettings
from tasks.collab import fit_collab
from tasks.stage import StageRunner
from tasks.study import study_collab
from tasks.trials import compare_all_trials

DEFAULTS = CollabStudySettings()


@flow(name="collab_study", flow_run_name="collab_study-{settings.data}", persist_result=False)
def collab_study(settings: CollabStudySettings = DEFAULTS) -> Outcome:
    """Compare four recommenders under several weight decays, and look at what one of them has learned.

    Args:
        settings: the settings of all stages
    """
    run = StageRunner(Store(settings.artifacts_dir.resolve()), settings.parallel)
    rated, ratings = obtain_ratings(run, settings)
    tried = run.map(fit_collab, ratings, configs=trial_configs(settings.collab, settings.trials))
    trials = run(compare_all_trials, *tried, config=settings.trials)
    collab = run.map(fit_collab, ratings, configs=seed_groups(settings.collab))
    study = run(study_collab, rated, ratings, trials, *collab, config=settings.study)
    figures = run.store.manifest(study).metrics
    return conclude(run, study, figures["sentence"], figures["models"], settings)


if __name__ == "__main__":
    main(collab_study, CollabStudySettings, "python -m flows.collab_study")
