"""Predicted genres of MovieLens's films, joined with their plots by title, next to the genres that MovieLens names."""

import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.titles import plain_name, split_title

# The title of a film in MovieLens 100K whose title is not known, and the genre of a film without one.
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


def join_plots(films: pd.DataFrame, plots: pd.DataFrame, config: MovieLensComparisonConfig) -> tuple[pd.DataFrame, int]:
    """Find the plot of each film that has one.

    Titles match if they differ only in case, accents, punctuation and the place of the article, and if there is one on
    both sides; if both years are known they must be as near as the config says.
    films: index item_id; title (as "Postman, The (1997)"), year (nullable), genres. plots: index plot_id; title, year
    (both nullable). Returns item_id, plot_id, title, genres (MovieLens's, a list of str) of the films whose plot is
    known; and how many were left out because several films or plots have their title, or because the years differ.
    """
    left = films.loc[films["title"] != _UNKNOWN, ["title", "year", "genres"]].reset_index()
    left["key"] = pd.array([title_key(title) for title in left["title"]], dtype="str")
    right = plots[["title", "year"]].dropna(subset="title").rename_axis("plot_id").reset_index()
    right["key"] = pd.array([title_key(title) for title in right["title"]], dtype="str")
    right["year"] = pd.to_numeric(right["year"], errors="coerce")
    left, right = left[left["key"] != ""], right[right["key"] != ""]
    with_plot = left[left["key"].isin(right["key"])]
    unique = with_plot[~with_plot["key"].duplicated(keep=False)]
    joined = unique.merge(right[~right["key"].duplicated(keep=False)], on="key", suffixes=("", "_of_plot"))
    apart = (joined["year"] - joined["year_of_plot"]).abs()
    joined = joined[~(apart > config.years_apart).fillna(False)]
    columns = ["item_id", "plot_id", "title", "genres"]
    return joined[columns].reset_index(drop=True), len(with_plot) - len(joined)


def title_key(title: str) -> str:
    """The part of a title that is compared: its name in `plain_name`'s spelling, without year and other names."""
    names, _ = split_title(title)
    return plain_name(names[0]) if names else ""


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
