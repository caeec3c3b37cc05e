"""From plot summaries to a page that says how well their genres can be predicted, and to a model that predicts them.

Run it with `python -m flows.genres`; `python -m flows.genres --help` lists the settings.
"""

from prefect import flow

from flows.command_line import FlowResult, main
from flows.steps import fetch_or_read, finish, load_ratings
from latentflix.artifacts import Store
from latentflix.genres.plot_file import with_fingerprint
from latentflix.report.genres import genre_sentence
from latentflix.settings import GenreSettings
from latentflix.text.sentence_embeddings import strategy_configs, with_revision
from tasks import genres as tasks
from tasks import text
from tasks.stage import StageRunner

DEFAULTS = GenreSettings()


@flow(name="genres", flow_run_name="genres-{settings.data}", persist_result=False)
def genres(settings: GenreSettings = DEFAULTS) -> FlowResult:
    """Learn the genres of films from their plot summaries, and score that on plots that were held out.

    Args:
        settings: the settings of all stages
    """
    run = StageRunner(Store(settings.artifacts_dir.resolve()), settings.parallel)
    own = settings.plot_source
    source = fetch_or_read(
        run, settings, "film_plots", tasks.read_plot_file, with_fingerprint(own) if own.path else None
    )
    plots = run(tasks.prepare, source=source, config=settings.plot_summaries)
    folders = {"data_dir": settings.data_dir, "cache_dir": settings.cache_dir}
    encoder = with_revision(settings.embeddings.model_copy(update=folders))
    strategies = strategy_configs(encoder, settings.compared_strategies)
    embeddings = [run(text.embed, source=plots, config=each) for each in strategies]
    model = run(tasks.train, plot_summaries=plots, embeddings=embeddings, config=settings.genres)
    known = {"plot_summaries": plots, "genres": model}
    evaluation = run(tasks.evaluate, **known, config=settings.genre_evaluation)

    _, ratings = load_ratings(run, settings)
    comparison = run(tasks.compare_with_movielens, **known, ratings=ratings, config=settings.genre_comparison)
    page = run(
        tasks.write_page,
        **known,
        source=source,
        evaluation=evaluation,
        comparison=comparison,
        embeddings=embeddings,
        config=settings.genre_page,
    )
    figures = run.store.manifest(page).metrics
    return finish(run, page, genre_sentence(figures), figures, settings)


if __name__ == "__main__":
    main(genres, GenreSettings, "python -m flows.genres")
