"""What a source of reviews is: asked for a film, it answers with reviews, or with the reason why there are none."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Kind = Literal["review", "reception", "plot"]
Outcome = Literal["ok", "empty", "not_covered", "blocked", "unsupported", "error"]
# Only after these is the next source asked.
TRY_NEXT_SOURCE: tuple[Outcome, ...] = ("empty", "not_covered")

# The form of an IMDb id of a title.
TCONST = re.compile(r"tt\d{7,10}")


@dataclass(frozen=True)
class Film:
    """What a source is asked about. tconst: the IMDb id, None if it is not known."""

    title: str
    year: int | None = None
    tconst: str | None = None


@dataclass(frozen=True)
class Review:
    """A text about a film, and where it came from.

    source_review_id: unique within the source. kind: what the text is. rating: stars, 1 to 10. text: as it came.
    attribution: the words that its licence asks for wherever the text is shown. training_allowed: whether a model
    may learn from it.
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

    @property
    def review_id(self) -> str:
        """The same for the same review of the same source, whatever its text has become."""
        return hashlib.sha256(f"{self.source}\0{self.source_review_id}".encode()).hexdigest()

    @property
    def content_sha256(self) -> str:
        """Of the UTF-8 text."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Check:
    """Whether a source can work here, and if not, why not and what would help."""

    works: bool
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of asking about one film: reviews, newest first, if the outcome is ok; else the reason.

    ok without a review: the source has reviews of the film, and all of them were known before `since`.
    """

    outcome: Outcome
    reviews: tuple[Review, ...] = ()
    reason: str = ""


class ReviewSource(Protocol):
    """Somewhere reviews come from."""

    name: str

    def check(self) -> Check:
        """Whether the source can work here; asked once, before any film, and without a request."""

    def fetch(self, film: Film, since: datetime | None, limit: int) -> Answer:
        """At most `limit` reviews of a film, newest first; if `since` is given, those written or changed after it.

        Times have a zone. Raises TransientFetchError if asking again may help: only then does anybody ask again.
        """
