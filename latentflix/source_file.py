"""Reviews of the user's own file, as a source."""

from collections import defaultdict
from datetime import UTC, datetime
from functools import cached_property

from latentflix.errors import LatentflixError
from latentflix.review_file import FileConfig, Rejected, Row, describe, read_rows
from latentflix.review_source import Answer, Check, Film, Review
from latentflix.titles import plain_name, split_title

FilmKey = str | tuple[str, int | None]


class FileSource:
    """Answers from the user's file, without any network."""

    name = "file"

    def __init__(self, config: FileConfig) -> None:
        """Read the file when it is first needed."""
        self._config = config

    @cached_property
    def _read(self) -> tuple[dict[FilmKey, list[Row]], tuple[Rejected, ...]]:
        rows, rejected = read_rows(self._config)
        films: dict[FilmKey, list[Row]] = defaultdict(list)
        for row in rows:
            films[row.tconst or (plain_name(row.title or ""), row.year)].append(row)
        return films, tuple(rejected)

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The rows that cannot be used. Raises what `read_rows` raises."""
        return self._read[1]

    def check(self) -> Check:
        """It works where at least one row can be used, in strict mode only where all can."""
        try:
            films, rejected = self._read
        except LatentflixError as error:
            return Check(False, str(error))
        return Check(bool(films), describe(rejected) if rejected else "" if films else "the file has no rows")

    def fetch(self, film: Film, since: datetime | None, limit: int) -> Answer:
        """The film's reviews, newest first; those without a date last, and whatever `since` is."""
        if film.tconst is None:
            return Answer("not_covered", reason="the film's IMDb id is not known")
        films, _ = self._read
        rows = [row for key in (film.tconst, *_title_keys(film)) for row in films.get(key, ())]
        if not rows:
            return Answer("not_covered", reason="the file has no review of the film")
        first = datetime.min.replace(tzinfo=UTC)
        rows.sort(key=lambda row: row.written_at or first, reverse=True)
        new = [row for row in rows if since is None or row.written_at is None or row.written_at > since]
        return Answer("ok", tuple(self._review(film.tconst, row) for row in new[:limit]))

    def _review(self, tconst: str, row: Row) -> Review:
        return Review(
            tconst=tconst,
            source=self.name,
            source_review_id=row.source_review_id,
            text=row.text,
            rating=row.rating,
            author=row.author,
            written_at=row.written_at,
            url=row.url,
            attribution=self._config.attribution,
            training_allowed=self._config.training_allowed,
        )


def _title_keys(film: Film) -> list[FilmKey]:
    """The names that a title holds, each with the year that is given or else in the title."""
    names, year = split_title(film.title)
    return [(name, film.year or year) for name in dict.fromkeys(map(plain_name, names))]
