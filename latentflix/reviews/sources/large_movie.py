"""Reviews of the user's own copy of the Large Movie Review Dataset, a folder or its archive.

Unlike other copies the original says which film a review is about: line N of `train/urls_pos.txt`, counting from 0,
is the film of `train/pos/N_9.txt`, and so on for both halves. Source: the README in it,
https://ai.stanford.edu/~amaas/data/sentiment/
"""

import re
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path

from latentflix.config import StageConfig, setting
from latentflix.errors import DataError
from latentflix.reviews.sources.protocol import Answer, Availability, Film, Review, from_closed_corpus

_TCONST = re.compile(r"/title/(tt\d+)")
_LIST = re.compile(r"(?P<half>train|test)/urls_(?P<label>pos|neg|unsup)\.txt$")
_REVIEW = re.compile(r"(?P<half>train|test)/(?P<label>pos|neg|unsup)/(?P<number>\d+)_(?P<stars>\d+)\.txt$")


class LargeMovieConfig(StageConfig):
    """Where the user's copy is."""

    path: Path | None = setting(None, "aclImdb_v1 as Stanford publishes it: the folder aclImdb, or aclImdb_v1.tar.gz")


class LargeMovieSource:
    """Answers from the user's copy, without network access."""

    name = "large_movie"

    def __init__(self, config: LargeMovieConfig, films: Iterable[Film]) -> None:
        """Read the copy when it is first needed, and keep only the reviews of `films`."""
        self._path = config.path
        self._tconsts = {film.tconst for film in films if film.tconst}

    @cached_property
    def _reviews(self) -> dict[str, list[Review]]:
        if self._path is None:
            raise DataError(
                "no copy of the Large Movie Review Dataset is named", hint="name it with --sources.large-movie.path"
            )
        return read_large_movie(self._path, self._tconsts)

    def availability(self) -> Availability:
        """Available if the copy can be read and says which film each review is about."""
        try:
            found = sum(len(reviews) for reviews in self._reviews.values())
        except DataError as error:
            return Availability(False, str(error))
        return Availability(True, f"{found:,} reviews of {len(self._reviews):,} films")

    def fetch(self, film: Film, since: datetime | None, limit: int) -> Answer:
        """Fetch the film's reviews, in the order of the data set."""
        return from_closed_corpus(self._reviews.get(film.tconst or "", ()), since, limit)


def read_large_movie(path: Path, tconsts: Collection[str]) -> dict[str, list[Review]]:
    """The reviews of the films `tconsts`, by film; of both halves, labelled or not.

    Raises DataError if the copy cannot be read, lacks the lists of films, or has a review that no line belongs to.
    """
    try:
        return _read_reviews(path, _read_lists(path), tconsts)
    except (OSError, EOFError, ValueError, tarfile.TarError, zlib.error) as error:
        raise DataError(
            "the copy of the Large Movie Review Dataset cannot be read",
            where=str(path),
            found=str(error) or type(error).__name__,
            expected="the folder aclImdb, or aclImdb_v1.tar.gz",
            hint="fetch it again from https://ai.stanford.edu/~amaas/data/sentiment/",
        ) from error


def _read_lists(path: Path) -> dict[tuple[str, str], list[str]]:
    lists = {
        (match["half"], match["label"]): read().decode("utf-8").splitlines() for match, read in _files(path, _LIST)
    }
    if not lists:
        raise DataError(
            "the copy does not say which film a review is about",
            where=str(path),
            expected="train/urls_pos.txt and its like",
            hint="take the archive of https://ai.stanford.edu/~amaas/data/sentiment/; other copies lack these lists",
        )
    return lists


def _read_reviews(
    path: Path, lists: dict[tuple[str, str], list[str]], tconsts: Collection[str]
) -> dict[str, list[Review]]:
    found: dict[str, dict[tuple[str, str, int], Review]] = {}
    for match, read in _files(path, _REVIEW):
        half, label, number = match["half"], match["label"], int(match["number"])
        urls = lists.get((half, label), [])
        if number >= len(urls):
            raise DataError(
                "a review belongs to no line of the lists of films",
                where=f"{path}: {match[0]}",
                found=f"{half}/urls_{label}.txt has {len(urls):,} lines",
                expected=f"more than {number:,}",
            )
        link = _TCONST.search(urls[number])
        if link is None or link[1] not in tconsts:
            continue
        found.setdefault(link[1], {})[half, label, number] = Review(
            tconst=link[1],
            source=LargeMovieSource.name,
            source_review_id=match[0].removesuffix(".txt"),
            text=read().decode("utf-8"),
            # Reviews without a label have 0.
            rating=float(match["stars"]) or None,
            url=urls[number],
        )
    return {tconst: [reviews[place] for place in sorted(reviews)] for tconst, reviews in found.items()}


def _files(path: Path, pattern: re.Pattern[str]) -> Iterator[tuple[re.Match[str], Callable[[], bytes]]]:
    """What the pattern finds in the names of the files, and how each is read."""
    if path.is_dir():
        for file in path.rglob("*.txt"):
            if match := pattern.search(file.as_posix()):
                yield match, file.read_bytes
        return
    with tarfile.open(path) as archive:
        for member in archive:
            match = pattern.search(member.name)
            content = archive.extractfile(member) if match else None
            if match and content:
                yield match, content.read
