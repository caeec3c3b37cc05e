"""Reviews from the user's own copy of the Large Movie Review Dataset; only the original says what they are about."""

from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path

from latentflix.config import StageConfig, setting
from latentflix.data.large_movie import film_reviews, imdb_id, read_text
from latentflix.errors import DataError
from latentflix.reviews.sources.protocol import Answer, Availability, Film, Review, from_data_set


class LargeMovieConfig(StageConfig):
    """Where the user's copy is."""

    path: Path | None = setting(None, "aclImdb_v1 as Stanford publishes it: the folder aclImdb, or aclImdb_v1.tar.gz")


class LargeMovieSource:
    """Answers from the user's copy, without network access."""

    name = "large_movie"
    local = True

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
        return read_films(self._path, self._tconsts)

    def availability(self) -> Availability:
        """Available if the copy can be read and says which film each review is about."""
        try:
            found = sum(len(reviews) for reviews in self._reviews.values())
        except DataError as error:
            return Availability(False, str(error))
        return Availability(True, f"{found:,} reviews of {len(self._reviews):,} films")

    def fetch(self, film: Film, _marker: str) -> Answer:
        """Fetch the film's reviews, in the order of the data set."""
        return from_data_set(self._reviews.get(film.tconst or "", ()))


def read_films(path: Path, tconsts: Collection[str]) -> dict[str, list[Review]]:
    """The reviews of the films `tconsts`, by film. Raises DataError as `film_reviews` and `read_text` do."""
    found: dict[str, dict[tuple[str, str, int], Review]] = {}
    for file, url in film_reviews(path):
        tconst = imdb_id(url)
        if tconst is None or tconst not in tconsts or file.number is None:
            continue
        found.setdefault(tconst, {})[file.split, file.label, file.number] = Review(
            tconst=tconst,
            source=LargeMovieSource.name,
            source_review_id=file.name.removesuffix(".txt"),
            text=read_text(path, file),
            # Reviews without a label have 0.
            rating=float(file.stars or 0) or None,
            url=url,
        )
    return {tconst: [reviews[place] for place in sorted(reviews)] for tconst, reviews in found.items()}
