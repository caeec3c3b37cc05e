"""Predicted genres of MovieLens's films, by their plots, next to the genres that MovieLens names."""

import pandas as pd

from latentflix.config import StageConfig, setting

# The genre of a film without one.
_UNKNOWN = "unknown"
# Genres of MovieLens, and their names in the plot summaries.
SAME_GENRE = {
    **{name: name for name in ("Action", "Adventure", "Animation", "Comedy", "Documentary", "Drama", "Fantasy")},
    **{name: name for name in ("Horror", "Musical", "Mystery", "Thriller", "Western")},
    "Children's": "Family Film",
    "Crime": "Crime Fiction",
    "Film-Noir": "Film noir",
    "Romance": "Romance Film",
    "Sci-Fi": "Science Fiction",
    "War": "War film",
}


class MovieLensComparisonConfig(StageConfig):
    """When a film and a plot belong together."""

    years_apart: int = setting(1, "largest difference between the years of both; sources differ by one", ge=0)


def compare_genres(joined: pd.DataFrame, probabilities: pd.DataFrame, thresholds: pd.Series) -> pd.DataFrame:
    """Compare the predicted genres of the films that `join_plots` joined with those that MovieLens names.

    probabilities: index plot_id, a column for each genre. thresholds: index genre. Returns `joined` with predicted (a
    list of genres, the most probable first), has_genre bool (whether MovieLens names any) and, over the genres that
    both know, true_positives, false_negatives and false_positives.
    """
    shared = {name: genre for name, genre in SAME_GENRE.items() if genre in probabilities}
    rows = []
    for film in joined.itertuples():
        ranked = probabilities.loc[film.plot_id].sort_values(ascending=False)
        predicted = [genre for genre, probability in ranked.items() if probability >= thresholds[genre]]
        actual = {shared[name] for name in film.genres if name in shared}
        comparable = set(predicted) & set(shared.values())
        has_genre = any(name != _UNKNOWN for name in film.genres)
        counts = (len(comparable & actual), len(actual - comparable), len(comparable - actual))
        rows.append((predicted, has_genre, *counts))
    columns = ["predicted", "has_genre", "true_positives", "false_negatives", "false_positives"]
    return joined.join(pd.DataFrame(rows, joined.index, columns))
