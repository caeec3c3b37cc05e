"""A fake web on loopback: TMDB, Wikidata, Wikipedia and IMDb's old pages, as documented, and the ways they fail.

TMDB: https://developer.themoviedb.org/reference/find-by-id, https://developer.themoviedb.org/reference/movie-reviews
Wikidata: https://www.w3.org/TR/sparql11-results-json/
Wikipedia: https://www.mediawiki.org/wiki/API:Query, https://www.mediawiki.org/wiki/Extension:TextExtracts
IMDb: what the parsers of cinemagoer 2023.5.1 look for
"""

import gzip
import hashlib
import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from latentflix.reviews.http.politeness import HttpConfig

_LIMITS = {"connect_timeout": 2, "read_timeout": 2, "total_timeout": 2, "max_body": 100_000}
QUICK = HttpConfig(contact="me@example.org", pause=0, jitter=0, **_LIMITS)
PAGE_SIZE = 20
MAX_TITLES = 50
TMDB_KEY = "0123456789abcdef0123456789abcdef"
TMDB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJmYWtlIn0.c2lnbmF0dXJl"  # noqa: S105 - valid on this web only


def tmdb_keys(web, key=TMDB_KEY):
    """The key of a fake web, as `read_keys` has it."""
    return {web.url: SecretStr(key)}


@dataclass(frozen=True)
class Response:
    """A response instead of the usual one.

    drip: seconds between two bytes of it, from the first on. cut: the body ends early. closed: there is no response.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    silence: float = 0.0
    drip: float = 0.0
    cut: bool = False
    closed: bool = False


def http_date(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


FAILURE_MODES = {
    "202 empty": Response(202),
    "401": Response(401, body=b'{"status_code": 7, "status_message": "Invalid API key", "success": false}'),
    "403": Response(403, body=b"Forbidden"),
    "404": Response(404, body=b'{"status_code": 34, "status_message": "The resource could not be found."}'),
    "429 seconds": Response(429, (("Retry-After", "2"),)),
    "500": Response(500, body=b"<h1>Internal Server Error</h1>"),
    "503": Response(503, body=b"<h1>Service Unavailable</h1>"),
    "cut short": Response(body=b'{"results": [', cut=True),
    "invalid JSON": Response(body=b'{"results": [}'),
    "silence": Response(silence=20.0, body=b"{}"),
    "closed": Response(closed=True),
    "junk": Response(body=b"\x00junk" * 2_000_000),
}


TRANSIENT_FAILURES = ["429 seconds", "429 date", "500", "503", "cut short", "silence", "closed"]


def failure_mode(name):
    """The response of a failure mode, or of `429 date`, whose header names the time at which it ends."""
    return Response(429, (("Retry-After", http_date(3)),)) if name == "429 date" else FAILURE_MODES[name]


@dataclass
class FakeFilm:
    """A film on the web. reviews: as TMDB returns them, newest first. extract: the article's plain text."""

    tconst: str
    title: str
    year: int
    number: int
    reviews: list[dict] = field(default_factory=list)
    extract: str | None = None
    revision: int = 1
    edited: str = "2024-05-01T10:00:00Z"

    @property
    def article(self):
        return f"{self.title} ({self.year} film)"


def review(number, text, *, day=1, rating=7.0, author="someone"):
    """A review as TMDB returns it."""
    written = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "author": author,
        "author_details": {"name": author, "username": author, "avatar_path": None, "rating": rating},
        "content": text,
        "created_at": written,
        "id": f"{number:024x}",
        "updated_at": written,
        "url": f"https://www.themoviedb.org/review/{number:024x}",
    }


@dataclass(frozen=True)
class Request:
    """A received request."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


class FakeWeb:
    """The contents of the web, the responses that replace the usual ones, and the received requests."""

    def __init__(self):
        self.films = {}
        self.by_number = {}
        self.by_article = {}
        self.robots = None
        self.requests = []
        self.headers = {}
        self.under_way = 0
        self.most_at_once = 0
        self.url = ""
        self.stopped = Event()
        self._responses = []
        self._lock = Lock()

    def add(self, tconst, title="Fargo", year=1996, *, reviews=(), extract=None):
        """Put a film on the web."""
        film = FakeFilm(tconst, title, year, len(self.films) + 1, list(reviews), extract)
        self.films[tconst] = self.by_number[film.number] = self.by_article[film.article] = film
        return film

    def respond(self, path, response, times=None):
        """Answer all paths that start with `path` with a response, so many times, by default forever."""
        self._responses.append([path, response, times])

    def count(self, path=""):
        """Count the requests whose path starts with `path`; robots.txt is counted only if it is named."""
        excluded = "" if path else "/robots.txt"
        return sum(each.path.startswith(path) and each.path != excluded for each in self.requests)

    def response_to(self, path):
        with self._lock:
            for rule in self._responses:
                if path.startswith(rule[0]) and rule[2] != 0:
                    rule[2] = None if rule[2] is None else rule[2] - 1
                    return rule[1]
        return None

    @contextmanager
    def counted(self, request):
        """Record a request, and how many are under way."""
        with self._lock:
            self.requests.append(request)
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            yield
        finally:
            with self._lock:
                self.under_way -= 1

    def answer(self, request):
        """Status, content type and body."""
        path = request.path
        if path == "/robots.txt":
            return (200, "text/plain", self.robots) if self.robots is not None else (404, "text/plain", "")
        if path.startswith("/3/"):
            return self._tmdb(request)
        if path == "/sparql":
            return 200, "application/sparql-results+json", json.dumps(self._sparql(request.query["query"]))
        if path == "/w/api.php":
            return 200, "application/json", json.dumps(self._mediawiki(request.query))
        if match := re.fullmatch(r"/title/(tt\d+)/reviews", path):
            film = self.films.get(match[1])
            return (200, "text/html; charset=utf-8", reviews_page(film)) if film else (404, "text/html", "")
        return 404, "text/plain", "nothing here"

    def _tmdb(self, request):
        token = request.headers.get("authorization")
        if request.query.get("api_key") != TMDB_KEY and token != f"Bearer {TMDB_TOKEN}":
            return 401, "application/json", FAILURE_MODES["401"].body.decode()
        if match := re.fullmatch(r"/3/find/(tt\d+)", request.path):
            film = self.films.get(match[1])
            movies = [{"id": film.number, "title": film.title, "media_type": "movie"}] if film else []
            found = {"movie_results": movies, "person_results": [], "tv_results": [], "tv_episode_results": []}
            return 200, "application/json", json.dumps(found)
        match = re.fullmatch(r"/3/movie/(\d+)/reviews", request.path)
        if film := match and self.by_number.get(int(match[1])):
            return 200, "application/json", json.dumps(reviews_of(film, int(request.query.get("page", 1))))
        return 404, "application/json", FAILURE_MODES["404"].body.decode()

    def _sparql(self, query):
        bindings = []
        for film in (self.films.get(tconst) for tconst in re.findall(r'"(tt\d+)"', query)):
            if film and film.extract is not None:
                title = {"type": "literal", "xml:lang": "en", "value": film.article}
                bindings.append({"tconst": {"type": "literal", "value": film.tconst}, "title": title})
        return {"head": {"vars": ["tconst", "title"]}, "results": {"bindings": bindings}}

    def _mediawiki(self, query):
        titles = query["titles"].split("|")
        if len(titles) > MAX_TITLES:
            return {"error": {"code": "toomanyvalues", "info": f"Too many values: the limit is {MAX_TITLES}."}}
        pages = [article(self.by_article.get(title), title, query) for title in titles]
        return {"batchcomplete": True, "query": {"pages": pages}}


def article(film, title, query):
    """A page as the MediaWiki API returns it, with the properties that the query names, by default all."""
    if film is None:
        return {"ns": 0, "title": title, "missing": True}
    properties = query.get("prop", "extracts|info")
    page = {
        "pageid": 1000 + film.number,
        "ns": 0,
        "title": title,
        "revisions": [{"revid": film.revision, "parentid": film.revision - 1, "timestamp": film.edited}],
    }
    if "extracts" in properties:
        page["extract"] = film.extract
    if "info" in properties:
        page["canonicalurl"] = f"https://en.wikipedia.org/wiki/{title.replace(' ', '_')}"
    return page


def reviews_of(film, page):
    """A page of a film's reviews, as TMDB returns it."""
    return {
        "id": film.number,
        "page": page,
        "results": film.reviews[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
        "total_pages": -(-len(film.reviews) // PAGE_SIZE),
        "total_results": len(film.reviews),
    }


def reviews_page(film):
    """A film's reviews as IMDb showed them."""
    containers = "".join(
        '<div class="review-container">'
        f'<span class="rating-other-user-rating"><span>{each["author_details"]["rating"]:.0f}</span>'
        '<span class="point-scale">/10</span></span>'
        f'<a class="title" href="/review/rw{number:07d}/">A title</a>'
        f'<span class="display-name-link"><a href="/user/ur{number:07d}/">{each["author"]}</a></span>'
        f'<span class="review-date">{datetime.fromisoformat(each["created_at"]):%d %B %Y}</span>'
        f'<div class="text show-more__control">{html.escape(each["content"])}</div>'
        '<div class="actions text-muted">3 out of 4 found this helpful.</div></div>'
        for number, each in enumerate(film.reviews, 1)
    )
    return f"<html><body><div class='lister-list'>{containers}</div></body></html>"


def _handler(web):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self):
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            request = Request(parts.path, query, {name.lower(): value for name, value in self.headers.items()})
            with web.counted(request):
                if response := web.response_to(request.path):
                    self.send(response)
                else:
                    self.answer(request)

        def send(self, response):
            if response.closed:
                self.close_connection = True
                return
            if response.silence:
                web.stopped.wait(response.silence)
            self.send_response(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body) + (100 if response.cut else 0)))
            if response.drip:
                self.drip(b"".join(self._headers_buffer) + b"\r\n" + response.body, response.drip)
                return
            self.end_headers()
            self.wfile.write(response.body)
            self.close_connection = response.cut

        def drip(self, message, seconds):
            for byte in message:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if web.stopped.wait(seconds):
                    break

        def answer(self, request):
            status, content_type, text = web.answer(request)
            body = text.encode()
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            unchanged = status == 200 and request.headers.get("if-none-match") == etag
            packed = request.path == "/w/api.php" and "gzip" in request.headers.get("accept-encoding", "")
            self.send_response(304 if unchanged else status)
            self.send_header("ETag", etag)
            self.send_header("Content-Type", content_type)
            for name, value in web.headers.get(request.path, {}).items():
                self.send_header(name, value)
            if packed:
                body = gzip.compress(body, 1)
                self.send_header("Content-Encoding", "gzip")
            if not unchanged:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not unchanged:
                self.wfile.write(body)

        def log_message(self, *args):
            pass

    return Handler


@contextmanager
def fake_web() -> Iterator[FakeWeb]:
    """Serve a web at a free port of loopback while the context lasts."""
    web = FakeWeb()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(web))
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        web.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
