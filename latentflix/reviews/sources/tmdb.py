"""Reviews of The Movie Database, by its API.

Source: https://developer.themoviedb.org/reference/find-by-id, https://developer.themoviedb.org/reference/movie-reviews
"""

import re
from datetime import datetime

import httpx
from pydantic import AwareDatetime, BaseModel, Field, SecretStr

from latentflix.config import StageConfig, setting
from latentflix.errors import PermanentFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import WebAddress
from latentflix.reviews.sources.protocol import TCONST, Answer, Check, Film, Review

_ATTRIBUTION = (
    "Review from The Movie Database. This product uses the TMDB API but is not endorsed or certified by TMDB."
)
# A key of version 3; what is longer is a read token of version 4.
_KEY = re.compile(r"[0-9a-f]{32}")


class TmdbConfig(StageConfig):
    """How TMDB is asked. The key itself is no setting: it would be written down with the others."""

    url: WebAddress = setting("https://api.themoviedb.org", "where TMDB's API is")
    max_pages: int = setting(10, "pages of 20 reviews that are read of a film", ge=1, le=500)
    training_licence: str | None = setting(
        None, "the licence by which TMDB lets you train models on its reviews; without one they are never trained on"
    )


class _Movie(BaseModel):
    id: int


class _Found(BaseModel):
    movie_results: list[_Movie]


class _Author(BaseModel):
    rating: float | None = None


class _Review(BaseModel):
    id: str
    author: str
    content: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    url: str
    author_details: _Author = _Author()


class _Reviews(BaseModel):
    results: list[_Review]
    total_pages: int = Field(ge=0)


class TmdbSource:
    """Answers from TMDB: two requests a film, and one more for each further page of reviews."""

    name = "tmdb"

    def __init__(self, config: TmdbConfig, fetcher: CachedClient, key: SecretStr | None) -> None:
        """Ask through `fetcher`, which signs the requests with the key: a key of version 3 or a token of version 4."""
        self._config = config
        self._fetcher = fetcher
        self._has_key = bool(key and key.get_secret_value().strip())
        if key and self._has_key:
            fetcher.sign(config.url, TmdbAuth(key))

    def check(self) -> Check:
        """It works where there is a key."""
        if self._has_key:
            return Check(True)
        return Check(False, "TMDB answers only with a key: make one at https://www.themoviedb.org/settings/api")

    def fetch(self, film: Film, since: datetime | None, limit: int) -> Answer:
        """The film's reviews, newest change first, of the first `max_pages` pages: TMDB says nothing of their order."""
        if film.tconst is None or not TCONST.fullmatch(film.tconst):
            return Answer("not_covered", reason="the film's IMDb id is not known")
        try:
            item_id = self._find(film.tconst)
            found = self._reviews(item_id) if item_id is not None else []
        except PermanentFetchError as failure:
            return Answer(failure.outcome, reason=str(failure))
        if item_id is None:
            return Answer("not_covered", reason=f"TMDB does not know {film.tconst}")
        if not found:
            return Answer("empty", reason="TMDB has no review of the film")
        found.sort(key=lambda review: (review.updated_at, review.id), reverse=True)
        new = [review for review in found if since is None or review.updated_at > since]
        return Answer("ok", tuple(self._review(film.tconst, review) for review in new[:limit]))

    def _find(self, tconst: str) -> int | None:
        """TMDB's number of a film."""
        url = f"{self._config.url}/3/find/{tconst}"
        found, _ = self._fetcher.get_json(_Found, url, params={"external_source": "imdb_id"})
        return found.movie_results[0].id if found.movie_results else None

    def _reviews(self, item_id: int) -> list[_Review]:
        url = f"{self._config.url}/3/movie/{item_id}/reviews"
        reviews: dict[str, _Review] = {}
        for page in range(1, self._config.max_pages + 1):
            found, _ = self._fetcher.get_json(_Reviews, url, params={"page": str(page)})
            # A review that was written meanwhile pushes another to the next page.
            reviews |= {review.id: review for review in found.results if review.content.strip()}
            if page >= found.total_pages:
                break
        return list(reviews.values())

    def _review(self, tconst: str, review: _Review) -> Review:
        licence = self._config.training_licence
        return Review(
            tconst=tconst,
            source=self.name,
            source_review_id=review.id,
            text=review.content,
            rating=review.author_details.rating,
            author=review.author,
            written_at=review.created_at,
            url=review.url,
            attribution=f"{_ATTRIBUTION} Trained on by licence: {licence}." if licence else _ATTRIBUTION,
            training_allowed=licence is not None,
        )


class TmdbAuth:
    """Puts the key into a request: a token of version 4 as a header, a key of version 3 as a query parameter.

    Source: https://developer.themoviedb.org/docs/authentication-application
    """

    def __init__(self, key: SecretStr) -> None:
        """Keep the key."""
        self._key = key

    def __call__(self, request: httpx.Request) -> httpx.Request:
        """The same request with the key."""
        key = self._key.get_secret_value().strip()
        url, headers = request.url, request.headers.copy()
        if _KEY.fullmatch(key):
            url = url.copy_set_param("api_key", key)
        else:
            headers["Authorization"] = f"Bearer {key}"
        return httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
