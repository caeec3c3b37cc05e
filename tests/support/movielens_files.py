"""A small MovieLens set in each of the layouts in which GroupLens publishes it."""

from typing import Any

from latentflix.data.movielens import GENRES

RATINGS = [(1, 10, 3.0, 881250949), (1, 20, 4.0, 891717742), (2, 10, 5.0, 878887116), (2, 30, 1.0, 880606923)]
ITEM_IDS = (10, 20, 30)
TITLES = ["Misérables, Les (1995)", "Star Wars: Episode IV - A New Hope (1977)", "unknown"]
Files = dict[str, bytes]


def genre_flags(*genres: str) -> list[int]:
    return [int(genre in genres) for genre in GENRES]


def _lines(rows: Any, separator: str, header: Any = ()) -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in [*([header] if header else []), *rows])


def layout_100k(ratings: Any = RATINGS) -> Files:
    genres = (["Drama", "Musical"], ["Action", "Sci-Fi"], ["unknown"])
    items = [
        (item_id, title, "01-Jan-1995", "", "http://us.imdb.com/", *genre_flags(*names))
        for item_id, title, names in zip(ITEM_IDS, TITLES, genres, strict=True)
    ]
    whole = [(user, item, int(rating), time) for user, item, rating, time in ratings]
    return {
        "u.data": _lines(whole, "\t").encode(),
        "u.item": _lines(items, "|").encode("latin-1"),
        "u.genre": b"unknown|0\nAction|1\n",
        "README": b"SUMMARY & USAGE LICENSE",
    }


def layout_dat(encoding: str, ratings: Any = RATINGS) -> Files:
    genres = ("Drama|Musical", "Action|Sci-Fi", "(no genres listed)")
    short = [(user, item, f"{rating:g}", time) for user, item, rating, time in ratings]
    return {
        "ratings.dat": _lines(short, "::").encode(),
        "movies.dat": _lines(zip(ITEM_IDS, TITLES, genres, strict=True), "::").encode(encoding),
        "README": b"SUMMARY",
    }


def layout_csv(ratings: Any = RATINGS) -> Files:
    genres = ("Drama|Musical", "Action|Sci-Fi", "(no genres listed)")
    titles = [f'"{title}"' if "," in title else title for title in TITLES]
    return {
        "ratings.csv": _lines(ratings, ",", ("userId", "movieId", "rating", "timestamp")).encode(),
        "movies.csv": _lines(zip(ITEM_IDS, titles, genres, strict=True), ",", ("movieId", "title", "genres")).encode(),
        "links.csv": b"movieId,imdbId,tmdbId\n10,0113828,4415\n20,12345678,11\n30,,\n",
        "tags.csv": b"userId,movieId,tag,timestamp\n",
    }


LAYOUTS = {
    "100K": layout_100k(),
    "1M": layout_dat("latin-1"),
    "10M": layout_dat("utf-8"),
    "20M and later": layout_csv(),
}
