"""Which plot is about which film: by title, and by year where both are known."""

import pandas as pd

from latentflix.data.titles import plain_name, split_title

# The title of a film in MovieLens 100K whose title is not known.
_UNKNOWN = "unknown"
# Sources differ by one.
YEARS_APART = 1


def join_plots(films: pd.DataFrame, plots: pd.DataFrame, years_apart: int) -> tuple[pd.DataFrame, int]:
    """Find the plot of each film that has one.

    Titles match if they differ only in case, accents, punctuation and the place of the article, and if there is one on
    both sides; if both years are known they must be at most `years_apart` apart.
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
    joined = joined[~(apart > years_apart).fillna(False)]
    columns = ["item_id", "plot_id", "title", "genres"]
    return joined[columns].reset_index(drop=True), len(with_plot) - len(joined)


def title_key(title: str) -> str:
    """The part of a title that is compared: its name in `plain_name`'s spelling, without year and other names."""
    names, _ = split_title(title)
    return plain_name(names[0]) if names else ""


def plots_of_items(items: pd.DataFrame, plots: pd.DataFrame) -> pd.DataFrame:
    """The plots of items, as parts of their documents: item_id, part_id str, text str.

    items: as the films of `join_plots`. plots: plot_id, title, plot, and year if it is known.
    """
    by_id = plots.reindex(columns=["plot_id", "title", "year", "plot"]).set_index("plot_id")
    joined, _ = join_plots(items, by_id, YEARS_APART)
    texts = by_id.loc[joined["plot_id"], "plot"].astype("str").array
    return pd.DataFrame({"item_id": joined["item_id"], "part_id": joined["plot_id"].astype("str"), "text": texts})
