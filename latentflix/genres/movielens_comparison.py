"""Films of MovieLens that have a plot: joined by what both say, and what their plots say of their genres."""

from dataclasses import dataclass

import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.titles import plain_name, split_title

# What MovieLens 100K calls a film whose title it does not know, and the genre of a film without one.
_UNKNOWN = "unknown"
# Genres of MovieLens that the plots have too, under another name.
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
    """When a film and a plot are the same."""

    years_apart: int = setting(1, "largest difference between the years that both give; sources differ by one", ge=0)


@dataclass(frozen=True)
class JoinedFilms:
    """Films of which the plot is known.

    films: item_id, plot_id, title, genres (MovieLens's, a list of str). ambiguous: films left out because several
    films or several plots have their title, or because their years differ.
    """

    films: pd.DataFrame
    ambiguous: int


def join_plots(films: pd.DataFrame, plots: pd.DataFrame, config: MovieLensComparisonConfig) -> JoinedFilms:
    """The plot of each film that has one.

    films: index item_id; title (as "Postman, The (1997)"), year (nullable), genres. plots: index plot_id; title, year
    (nullable).
    Joined are titles that are the same but for case, accents, punctuation and the article's place, and of which there
    is one on both sides; where both years are known they must be as near as the config says.
    """
    left = films.loc[films["title"] != _UNKNOWN, ["title", "year", "genres"]].reset_index()
    left["key"] = pd.array([title_key(title) for title in left["title"]], dtype="str")
    right = plots[["title", "year"]].dropna(subset="title").rename_axis("plot_id").reset_index()
    right["key"] = pd.array([title_key(title) for title in right["title"]], dtype="str")
    right["year"] = pd.to_numeric(right["year"], errors="coerce")
    left, right = left[left["key"] != ""], right[right["key"] != ""]
    with_plot = left[left["key"].isin(right["key"])]
    once = with_plot[~with_plot["key"].duplicated(keep=False)]
    joined = once.merge(right[~right["key"].duplicated(keep=False)], on="key", suffixes=("", "_of_plot"))
    apart = (joined["year"] - joined["year_of_plot"]).abs()
    joined = joined[~(apart > config.years_apart).fillna(False)]
    columns = ["item_id", "plot_id", "title", "genres"]
    return JoinedFilms(joined[columns].reset_index(drop=True), len(with_plot) - len(joined))


def title_key(title: str) -> str:
    """What is compared of a title: its own name, as `titles.plain_name` writes it, without year and other names."""
    names, _ = split_title(title)
    return plain_name(names[0]) if names else ""


def compare_genres(joined: pd.DataFrame, probabilities: pd.DataFrame, thresholds: pd.Series) -> pd.DataFrame:
    """What MovieLens says of each joined film, and what its plot says: one row a film.

    probabilities: index plot_id, a column for each genre. thresholds: index genre. Returns joined with predicted (a
    list of the names given, the most probable first), told (whether MovieLens names a genre at all) and, over the
    genres that both know, agreed, missed and added.
    """
    shared = {name: genre for name, genre in SAME_GENRE.items() if genre in probabilities}
    rows = []
    for film in joined.itertuples():
        said = probabilities.loc[film.plot_id].sort_values(ascending=False)
        given = [genre for genre, probability in said.items() if probability >= thresholds[genre]]
        actual = {shared[name] for name in film.genres if name in shared}
        known = set(given) & set(shared.values())
        told = any(name != _UNKNOWN for name in film.genres)
        rows.append((given, told, len(known & actual), len(actual - known), len(known - actual)))
    compared = pd.DataFrame(rows, joined.index, ["predicted", "told", "agreed", "missed", "added"])
    return joined.join(compared)
