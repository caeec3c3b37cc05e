"""The protocol of a review source, which returns reviews of a film or the reason for having none."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from latentflix.errors import PermanentFetchError

Kind = Literal["review", "reception", "plot"]
Outcome = Literal["ok", "empty", "not_covered", "blocked", "unsupported", "error"]
# The next source is queried after these outcomes only.
TRY_NEXT_SOURCE: tuple[Outcome, ...] = ("empty", "not_covered")

TCONST = re.compile(r"tt\d{7,10}")
_EARLIEST = datetime.min.replace(tzinfo=UTC)
# The least and the highest rating.
STARS = (1.0, 10.0)


@dataclass(frozen=True)
class Film:
    """A film that sources are queried for; `tconst` is its IMDb id, or the id that its own source gives an item."""

    title: str
    year: int | None = None
    tconst: str | None = None

    @property
    def imdb_id(self) -> str:
        """The IMDb id. Raises PermanentFetchError (not_covered) if it is unknown or malformed."""
        if self.tconst is None or not TCONST.fullmatch(self.tconst):
            raise PermanentFetchError(
                "the film's IMDb id is not known", outcome="not_covered", where=self.title, found=repr(self.tconst)
            )
        return self.tconst


@dataclass(frozen=True)
class Review:
    """A text about a film, and where it came from.

    Attributes:
        source_review_id: unique within the source.
        text: as the source gave it, not cleaned.
        rating: stars, 1 to 10; any other value, NaN or infinite ones included, is dropped, and the text is kept.
        attribution: the words that the licence asks for wherever the text is shown.
        training_allowed: whether a model may learn from the text.
    """

    tconst: str
    source: str
    source_review_id: str
    text: str
    kind: Kind = "review"
    rating: float | None = None
    author: str | None = None
    written_at: datetime | None = None
    url: str | None = None
    attribution: str | None = None
    training_allowed: bool = True

    def __post_init__(self) -> None:
        """Drop a rating that is out of bounds, from whichever source it comes."""
        if self.rating is not None and not STARS[0] <= self.rating <= STARS[1]:
            object.__setattr__(self, "rating", None)

    @property
    def review_id(self) -> str:
        """SHA-256 of source and source_review_id: it stays the same when the text changes."""
        return hashlib.sha256(f"{self.source}\0{self.source_review_id}".encode()).hexdigest()

    @property
    def content_sha256(self) -> str:
        """SHA-256 of the UTF-8 text."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Availability:
    """Whether a source can work here; if not, `reason` says why and what would help."""

    available: bool
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What a source returns for one film: reviews, newest first, if the outcome is ok; otherwise the reason.

    The outcome ok without reviews means that the source has reviews of the film, the same as at the last query.

    Attributes:
        remaining: reviews that the source has but did not return; `reason` says why.
        marker: the state of the source's reviews, in its own words, if they were all returned now or before; the next
            query gets it back. Empty if the source cannot say, or did not return all.
    """

    outcome: Outcome
    reviews: tuple[Review, ...] = ()
    reason: str = ""
    remaining: int = 0
    marker: str = ""


class ReviewSource(Protocol):
    """Something that reviews come from.

    Attributes:
        local: whether it reads files of this computer. Such a source is queried in every refresh, for all its reviews.
    """

    name: str
    local: bool

    def availability(self) -> Availability:
        """Check whether the source can work here, without sending a request."""

    def fetch(self, film: Film, marker: str, /) -> Answer:
        """Fetch the reviews of a film, or none if they are the same as when an answer had the `marker`.

        Times have a zone. Raises FetchError.
        """


def query(source: ReviewSource, film: Film, marker: str) -> Answer:
    """Fetch reviews from a source. A permanent failure is an answer; a TransientFetchError is raised."""
    try:
        return source.fetch(film, marker)
    except PermanentFetchError as failure:
        return Answer(failure.outcome, reason=str(failure))


def newest_first(reviews: Iterable[Review]) -> tuple[Review, ...]:
    """Order reviews by date; those without one come last."""
    return tuple(sorted(reviews, key=lambda review: review.written_at or _EARLIEST, reverse=True))


def from_data_set(reviews: Sequence[Review]) -> Answer:
    """Answer with the reviews that a data set has of a film."""
    if not reviews:
        return Answer("not_covered", reason="the data set has no review of the film")
    return Answer("ok", tuple(reviews))
