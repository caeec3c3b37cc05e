"""Films whose titles are written in several ways, and plots to join to them."""

import pandas as pd

from latentflix.data.title_plots import YEARS_APART, join_plots

FILMS = pd.DataFrame(
    [
        ("Postman, The (1997)", 1997, ["Drama"]),
        ("Alien (1979)", 1979, ["Horror", "Sci-Fi"]),
        ("Heat (1995)", 1995, ["Crime"]),
        ("Kolya (1996)", 1996, ["Comedy"]),
        ("Kolya (1996)", 1996, ["Comedy"]),
        ("Solaris (1972)", 1972, []),
    ],
    pd.Index([10, 20, 30, 40, 50, 60], name="item_id"),
    ["title", "year", "genres"],
).astype({"year": "Int16"})


def plots(titles, years=None):
    return pd.DataFrame({"title": titles, "year": years}, index=pd.Index(range(len(titles)), name="plot_id"))


def join(titles, years=None):
    return join_plots(FILMS, plots(titles, years), YEARS_APART)
