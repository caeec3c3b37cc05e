"""From ratings and reviews to a page that says what the factors mean.

Run it with `python -m flows.full`; `python -m flows.full --help` lists the settings.
"""

from prefect import flow

from flows.command_line import Outcome, main
from flows.conclusion import conclude
from flows.language_models import obtain_language_models
from flows.ratings import obtain_ratings
from latentflix.artifacts import Store
from latentflix.data.datasets import DataSetConfig
from latentflix.recommender.fit import seed_groups
from latentflix.recommender.trials import trial_configs
from latentflix.report.changes import find_last
from latentflix.report.headline import headline_sentence
from latentflix.reviews.join import identify_reviews
from latentflix.settings import FullSettings
from tasks.baseline import predict_all_by_words
from tasks.changes import compare_with_last
from tasks.classifier import train_on_folds
from tasks.collab import fit_collab
from tasks.datasets import fetch_data_set
from tasks.embeddings import embed_all_texts
from tasks.encoders import compare_all_encoders
from tasks.evaluation import score_predictions
from tasks.factors import find_axes
from tasks.histograms import count_all_predictions
from tasks.labels import label_all_films
from tasks.names import name_all_poles
from tasks.predictions import predict_all_reviews
from tasks.report import write_report
from tasks.reviews import join_film_reviews
from tasks.stage import StageRunner
from tasks.study import study_collab
from tasks.token_corpus import tokenize_all_reviews
from tasks.trials import compare_all_trials
from tasks.vectors import predict_all_by_vectors

DEFAULTS = FullSettings()


@flow(name="full", flow_run_name="full-{settings.profile}-{settings.data}", persist_result=False)
def full(settings: FullSettings = DEFAULTS) -> Outcome:
    """Learn factors from ratings, learn which words go with them, check that on unread films, and draw it.

    Args:
        settings: the settings of all stages; what is not said is as the profile has it
    """
    run = StageRunner(Store(settings.artifacts_dir.resolve()), settings.parallel)
    folders = {"data_dir": settings.data_dir, "cache_dir": settings.cache_dir}

    rated, ratings = obtain_ratings(run, settings)
    corpus = run(fetch_data_set, config=DataSetConfig(name="imdb_reviews", **folders))
    collab = run.map(fit_collab, ratings, configs=seed_groups(settings.collab))
    tried = run.map(fit_collab, ratings, configs=trial_configs(settings.collab, settings.trials))
    trials = run(compare_all_trials, *tried, config=settings.trials)
    study = run(study_collab, rated, ratings, trials, *collab, config=settings.study)
    factors = run(find_axes, ratings, *collab, config=settings.factors)
    labels = run(label_all_films, factors, ratings, config=settings.labels)
    reviews = run(join_film_reviews, corpus, ratings, labels, config=identify_reviews(settings.reviews))

    stored = [reviews] if settings.reviews.store else []
    tokens = run(tokenize_all_reviews, corpus, *stored, config=settings.token_corpus)
    language_models = obtain_language_models(run, tokens, reviews, settings)
    classifier = run(train_on_folds, reviews, labels, tokens, *language_models, config=settings.classifier)
    predictions = run(predict_all_reviews, reviews, tokens, language_models[0], classifier, config=settings.predictions)
    baseline = run(predict_all_by_words, reviews, labels, classifier, config=settings.baseline)
    evaluation = run(
        score_predictions, predictions, baseline, reviews, classifier, labels, factors, config=settings.evaluation
    )
    others = [baseline]
    if settings.encoders.sentences:
        embedded = run(embed_all_texts, reviews, config=settings.embeddings.model_copy(update=folders))
        others.append(run(predict_all_by_vectors, reviews, embedded, labels, classifier, config=settings.vectors))
    encoders = run(compare_all_encoders, reviews, labels, classifier, predictions, *others, config=settings.encoders)
    names = run(name_all_poles, reviews, corpus, labels, factors, ratings, config=settings.names)
    histograms = run(count_all_predictions, predictions, reviews, config=settings.histograms)

    found = (factors, evaluation, names, histograms)
    changes = run(compare_with_last, *found, *find_last(run.store, found), config=settings.changes)

    stages = (
        *(rated, corpus, ratings, trials, study, factors, labels, reviews, tokens, language_models[0], classifier),
        *(predictions, baseline, evaluation, encoders, names, histograms, changes, *collab),
    )
    report = run(write_report, *stages, config=settings.report)
    figures = run.store.manifest(report).metrics
    return conclude(run, report, headline_sentence(figures), figures, settings)


if __name__ == "__main__":
    main(full, FullSettings, "python -m flows.full")
