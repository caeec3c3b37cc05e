"""What plots say of MovieLens' films."""

import pandas as pd

from latentflix.genres.movielens_comparison import GenreFilmConfig, compare_genres, join_plots
from tasks.stage import Artifact, Handle, Store, stage


@stage("genre_films", "genre_films")
def compare_film_genres(
    artifact: Artifact, store: Store, plots: Handle, genres: Handle, ratings: Handle, *, config: GenreFilmConfig
) -> None:
    """Join films and plots, and set the predicted genres beside MovieLens's."""
    texts = store.read_table(plots, "plots")
    joined = join_plots(store.read_table(ratings, "films"), texts, config)
    names = store.read_json(genres, "model")["genres"]
    compared = compare_genres(
        joined.films,
        store.read_table(genres, "probabilities"),
        pd.Series(store.read_arrays(genres, "model")["thresholds"], names),
    )
    artifact.write_table("films", compared.join(texts["part"], on="plot_id"))
    artifact.metrics.update(films=len(compared), ambiguous=joined.ambiguous)
