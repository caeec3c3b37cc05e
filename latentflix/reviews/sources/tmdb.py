"""Reviews of The Movie Database, through its API.

TMDB's list of changed films is no help here: a new review is no change in it, since none of the `change_keys` that TMDB
lists is about reviews. Instead, the first page of a film's reviews shows whether they have changed.

Source: https://developer.themoviedb.org/reference/find-by-id, https://developer.themoviedb.org/reference/movie-reviews,
https://developer.themoviedb.org/reference/configuration-details,
https://developer.themoviedb.org/docs/tracking-content-changes
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
from pydantic import AliasPath, BaseModel, Field, SecretStr, ValidationError

from latentflix.config import StageConfig, setting
from latentflix.errors import SettingsError
from latentflix.reviews.http.client import CachedClient, Timestamp
from latentflix.reviews.http.keys import read_key
from latentflix.reviews.http.politeness import WebAddress
from latentflix.reviews.http.transports import origin
from latentflix.reviews.sources.protocol import Answer, Availability, Film, Review

_ATTRIBUTION = (
    "Review from The Movie Database. This product uses the TMDB API but is not endorsed or certified by TMDB."
)
TMDB = "https://api.themoviedb.org"
# Hosts that may have a key without encryption.
# A key of version 3; anything longer is a read token of version 4.
_KEY = re.compile(r"[0-9a-f]{32}")
# Characters that no encoding changes, and so many that nothing else is the same by chance.
_ANY_KEY = re.compile(r"[A-Za-z0-9._~-]{16,}")


class TmdbConfig(StageConfig):
    """How TMDB is queried. The key is no setting: settings are stored with each run."""

    url: WebAddress = setting(TMDB, "address of TMDB's API; another than TMDB's own needs a key of its own")
    max_pages: int = setting(10, "pages of 20 reviews that are read for each film", ge=1, le=500)
    training_licence: str | None = setting(
        None, "the licence by which TMDB lets you train models on its reviews; without one, none is trained on them"
    )


class _Movie(BaseModel):
    id: int = Field(ge=0)


class _Found(BaseModel):
    movie_results: list[_Movie]


class _Review(BaseModel):
    id: str
    author: str
    content: str
    created_at: Timestamp
    updated_at: Timestamp
    url: str
    rating: float | None = Field(None, validation_alias=AliasPath("author_details", "rating"))


class _Reviews(BaseModel):
    results: list[_Review]
    total_pages: int = Field(ge=0)
    total_results: int = Field(ge=0)


class _Marker(BaseModel):
    """TMDB's id of a film, the state of the first page of its reviews, and the terms under which they were stored.

    A review that is written or deleted changes that page, which also says how many there are. One that is edited on a
    later page does not, so films with several pages have a marker for the month only.
    """

    movie: int
    etag: str
    empty: bool
    month: str | None
    licence: str | None


class TmdbSource:
    """Answers from TMDB, with two requests for each film and one more for each further page of reviews.

    A film whose reviews are the same as before takes one request.
    """

    name = "tmdb"
    local = False

    def __init__(self, config: TmdbConfig, client: CachedClient, keys: Mapping[str, SecretStr]) -> None:
        """Have `client` authenticate its requests with the key for the origin of the address, as `read_keys` has it."""
        self._config = config
        self._client = client
        self._origin = origin(httpx.URL(config.url))
        self._has_key = self._origin in keys
        if self._has_key:
            client.auth.register(config.url, keys[self._origin], authenticate)

    def availability(self) -> Availability:
        """Available if there is a key for the address."""
        if self._has_key:
            return Availability(True)
        if self._origin == TMDB:
            return Availability(False, "TMDB requires a key: make one at https://www.themoviedb.org/settings/api")
        return Availability(False, f"{self._origin} requires a key of its own: the one for {TMDB} is sent nowhere else")

    def fetch(self, film: Film, marker: str) -> Answer:
        """Fetch the film's reviews from the first `max_pages` pages, newest change first: TMDB promises no order."""
        tconst = film.imdb_id
        known = _read_marker(marker)
        if known and self._is_current(known):
            return _empty(marker) if known.empty else Answer("ok", marker=marker)
        number = known.movie if known else self._find(tconst)
        if number is None:
            return Answer("not_covered", reason=f"TMDB does not know {tconst}")
        first, etag = self._page(number, 1)
        last = min(first.total_pages, self._config.max_pages)
        pages = [first, *(self._page(number, page)[0] for page in range(2, last + 1))]
        # A review written meanwhile pushes another one to the next page, where it appears again.
        reviews = {review.id: review for page in pages for review in page.results}
        found = [review for review in reviews.values() if review.content.strip()]
        current = _Marker(
            movie=number,
            etag=etag,
            empty=not found,
            month=_this_month() if first.total_pages > 1 else None,
            licence=self._config.training_licence,
        )
        complete = current.model_dump_json() if etag and len(reviews) >= first.total_results else ""
        if not found:
            return _empty(complete)
        remaining = max(0, first.total_results - len(reviews)) if first.total_pages > last else 0
        found.sort(key=lambda review: (review.updated_at, review.id), reverse=True)
        return Answer(
            "ok",
            tuple(self._review(tconst, review) for review in found),
            reason=f"there are more pages than --sources.tmdb.max-pages {self._config.max_pages}" if remaining else "",
            remaining=remaining,
            marker=complete,
        )

    def _find(self, tconst: str) -> int | None:
        url = f"{self._config.url}/3/find/{tconst}"
        movies, _ = self._client.get_json(_Found, url, params={"external_source": "imdb_id"})
        return movies.movie_results[0].id if movies.movie_results else None

    def _is_current(self, known: _Marker) -> bool:
        terms_are = known.licence == self._config.training_licence and known.month in (None, _this_month())
        return terms_are and self._client.has_etag(self._address(known.movie), known.etag, params={"page": "1"})

    def _page(self, number: int, page: int) -> tuple[_Reviews, str]:
        """Read a page of reviews, and its ETag, if it has one."""
        reviews, headers = self._client.get_json(_Reviews, self._address(number), params={"page": str(page)})
        return reviews, headers.get("ETag", "")

    def _address(self, number: int) -> str:
        return f"{self._config.url}/3/movie/{number}/reviews"

    def _review(self, tconst: str, review: _Review) -> Review:
        licence = self._config.training_licence
        return Review(
            tconst=tconst,
            source=self.name,
            source_review_id=review.id,
            text=review.content,
            rating=review.rating,
            author=review.author,
            written_at=review.created_at,
            url=review.url,
            attribution=f"{_ATTRIBUTION} Trained on by licence: {licence}." if licence else _ATTRIBUTION,
            training_allowed=licence is not None,
        )


def read_keys(key: SecretStr | None, elsewhere: SecretStr | None) -> dict[str, SecretStr]:
    """Read which key, of version 3, or token, of version 4, is for which origin.

    Args:
        key: for TMDB's own address.
        elsewhere: another address and its key, as in `read_key`.

    Raises:
        SettingsError: a secret is malformed, or its origin neither uses https nor is on this machine.
    """
    keys = {TMDB: key.get_secret_value()} if key else {}
    if elsewhere and elsewhere.get_secret_value().strip():
        keys |= [read_key(elsewhere, "the secret of another address of TMDB's API")]
    keys = {each: value.strip() for each, value in keys.items() if value.strip()}
    # An error may show a header that cannot be sent.
    if not all(map(_ANY_KEY.fullmatch, keys.values())):
        raise SettingsError(
            "a key of TMDB's API is malformed", expected="16 or more of A-Z, a-z, 0-9, '.', '_', '~', '-'"
        )
    return {each: SecretStr(value) for each, value in keys.items()}


def _read_marker(text: str) -> _Marker | None:
    try:
        return _Marker.model_validate_json(text) if text else None
    except ValidationError:
        return None


def _this_month() -> str:
    return f"{datetime.now(UTC):%Y-%m}"


def _empty(marker: str) -> Answer:
    return Answer("empty", reason="TMDB has no review of the film", marker=marker)


def authenticate(secret: SecretStr, request: httpx.Request) -> httpx.Request:
    """Add the key to a request: a token of version 4 as a header, a key of version 3 as a query parameter.

    Source: https://developer.themoviedb.org/docs/authentication-application
    """
    key, url, headers = secret.get_secret_value(), request.url, request.headers.copy()
    if _KEY.fullmatch(key):
        url = url.copy_set_param("api_key", key)
    else:
        headers["Authorization"] = f"Bearer {key}"
    return httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
