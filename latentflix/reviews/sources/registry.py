"""The review sources by name, their settings, and how they are built."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from latentflix.config import StageConfig, setting
from latentflix.data.datasets import DataSetConfig, load_data_set
from latentflix.data.large_movie import review_links
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import HttpConfig
from latentflix.reviews.sources.corpus import CorpusSource
from latentflix.reviews.sources.file import FileConfig, FileSource
from latentflix.reviews.sources.imdbpy import ImdbpyConfig, ImdbpySource
from latentflix.reviews.sources.large_movie import LargeMovieConfig, LargeMovieSource
from latentflix.reviews.sources.protocol import Film, ReviewSource
from latentflix.reviews.sources.tmdb import TmdbConfig, TmdbSource
from latentflix.reviews.sources.wikipedia import WikipediaConfig, WikipediaSource

SourceName = Literal["corpus", "large_movie", "file", "tmdb", "wikipedia", "imdbpy"]


class SourcesConfig(StageConfig):
    """Where reviews come from."""

    names: tuple[SourceName, ...] = setting(("corpus",), "the sources, in the order in which they are queried")
    fetching: HttpConfig = setting(HttpConfig(), "requests to the web")
    large_movie: LargeMovieConfig = setting(LargeMovieConfig(), "your copy of the Large Movie Review Dataset")
    file: FileConfig = setting(FileConfig(), "your own file of reviews")
    tmdb: TmdbConfig = setting(TmdbConfig(), "The Movie Database")
    wikipedia: WikipediaConfig = setting(WikipediaConfig(), "English Wikipedia")
    imdbpy: ImdbpyConfig = setting(ImdbpyConfig(), "IMDb's pages, through IMDbPY")


def build_sources(
    config: SourcesConfig,
    client: CachedClient,
    films: Iterable[Film] = (),
    *,
    tmdb_keys: Mapping[str, SecretStr] | None = None,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
) -> list[ReviewSource]:
    """Build the sources that the settings name, in their order; `client` sends the requests of all that use the web.

    `films` are those that will be fetched: a source may look up many of them at once. `tmdb_keys`: as of `read_keys`.
    The corpus is loaded as by `load_data_set`, which takes `data_dir` and `cache_dir` and may raise DataError.
    """
    films = tuple(films)

    def corpus() -> ReviewSource:
        tables = load_data_set(DataSetConfig(name="imdb_reviews", data_dir=data_dir, cache_dir=cache_dir))
        return CorpusSource(tables["reviews"]["text"], review_links())

    builders: dict[SourceName, Callable[[], ReviewSource]] = {
        "corpus": corpus,
        "large_movie": lambda: LargeMovieSource(config.large_movie, films),
        "file": lambda: FileSource(config.file),
        "tmdb": lambda: TmdbSource(config.tmdb, client, tmdb_keys or {}),
        "wikipedia": lambda: WikipediaSource(config.wikipedia, client, films),
        "imdbpy": lambda: ImdbpySource(config.imdbpy, client),
    }
    return [builders[name]() for name in dict.fromkeys(config.names)]


def rejected_rows(sources: Sequence[ReviewSource]) -> list[dict[str, Any]]:
    """List line and reason of each row of the user's file that cannot be used, if the file is among the sources."""
    return [asdict(row) for source in sources if isinstance(source, FileSource) for row in source.rejected]
