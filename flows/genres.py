"""From film plots to a page that says how well their genres can be told, and to a model that tells them.

Run it with `python -m flows.genres`; `python -m flows.genres --help` lists the settings.
"""

from prefect import flow

from flows.command_line import Outcome, main
from flows.conclusion import conclude
from flows.ratings import obtain_ratings
from latentflix.artifacts import Store
from latentflix.data.datasets import DataSetConfig
from latentflix.genres.plot_file import identify_plots
from latentflix.report.genres import genre_sentence
from latentflix.settings import GenreSettings
from latentflix.text.sentence_embeddings import reading_configs
from tasks.datasets import fetch_data_set
from tasks.embeddings import embed_all_texts
from tasks.genre_evaluation import score_genres
from tasks.genre_films import compare_film_genres
from tasks.genre_page import write_genre_page
from tasks.genres import train_on_plots
from tasks.plots import prepare_all_plots
from tasks.plots_source import read_plots_source
from tasks.stage import StageRunner

DEFAULTS = GenreSettings()


@flow(name="genres", flow_run_name="genres-{settings.data}", persist_result=False)
def genres(settings: GenreSettings = DEFAULTS) -> Outcome:
    """Learn the genres of films from their plots, and score that on plots that were not read.

    Args:
        settings: the settings of all stages
    """
    run = StageRunner(Store(settings.artifacts_dir.resolve()), settings.parallel)
    folders = {"data_dir": settings.data_dir, "cache_dir": settings.cache_dir}

    own = settings.plots_source
    source = (
        run(read_plots_source, config=identify_plots(own))
        if own.path
        else run(fetch_data_set, config=DataSetConfig(name="film_plots", **folders))
    )
    plots = run(prepare_all_plots, source, config=settings.plots)
    encoder = settings.embeddings.model_copy(update=folders)
    readings = reading_configs(encoder, settings.compared_readings)
    embeddings = [run(embed_all_texts, plots, config=each) for each in readings]
    told = run(train_on_plots, plots, *embeddings, config=settings.genres)
    evaluation = run(score_genres, plots, told, config=settings.genre_evaluation)

    _, ratings = obtain_ratings(run, settings)
    films = run(compare_film_genres, plots, told, ratings, config=settings.genre_films)
    page = run(write_genre_page, source, plots, told, evaluation, films, *embeddings, config=settings.genre_page)
    figures = run.store.manifest(page).metrics
    return conclude(run, page, genre_sentence(figures), figures, settings)


if __name__ == "__main__":
    main(genres, GenreSettings, "python -m flows.genres")
