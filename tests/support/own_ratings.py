"""Files of ratings of one's own, and how they are read."""

import gzip
import io
import zipfile

import pandas as pd

from latentflix.data.ratings import RatingsConfig, read_ratings
from latentflix.data.ratings_file import RatingsSource, load_ratings_source, with_fingerprint

RATINGS = pd.DataFrame(
    {"who": [7, 7, 9], "what": [1, 2, 1], "stars": [3.5, 10.0, 0.5], "when": [100, 200, 300], "note": ["a", "b", "c"]}
)
NAMED = RATINGS.assign(who=["ann", "ann", "bob"], what=["tt2", "tt10", "tt2"])
ITEMS = pd.DataFrame(
    {"id": [1, 2], "name": ["1917", "Emma (1996)"], "kinds": ["War, Drama", None], "imdb": ["8579674", "tt0116191"]}
)
COLUMNS = {"user_column": "who", "item_column": "what", "rating_column": "stars"}
ITEM_COLUMNS = {"item_id_column": "id", "title_column": "name"}


def as_csv(table, separator=","):
    return table.to_csv(index=False, sep=separator).encode()


def as_parquet(table):
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()


def zipped(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
        archive.writestr(f"__MACOSX/{name}", b"of no use")
    return file.getvalue()


def load(path, **settings):
    return load_ratings_source(with_fingerprint(RatingsSource(path=path, **settings)))


def check(tables):
    return read_ratings(tables["ratings"], tables["items"], RatingsConfig(), tables["scale"])


def load_own(folder, ratings=RATINGS, **settings):
    (folder / "own.csv").write_bytes(as_csv(ratings))
    return load(folder / "own.csv", **COLUMNS, **settings)


def load_with_items(folder, ratings=RATINGS, items=ITEMS, **settings):
    (folder / "items.csv").write_bytes(as_csv(items))
    return load_own(folder, ratings, items_path=folder / "items.csv", **ITEM_COLUMNS, **settings)


FILES = {
    "own.csv": as_csv(RATINGS),
    "own.csv.gz": gzip.compress(as_csv(RATINGS)),
    "csv.zip": zipped("inner/own.csv", as_csv(RATINGS)),
    "own.parquet": as_parquet(RATINGS),
    "own.parquet.gz": gzip.compress(as_parquet(RATINGS)),
    "parquet.zip": zipped("own.parquet", as_parquet(RATINGS)),
}
