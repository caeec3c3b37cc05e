"""Reception and plot of a film, from English Wikipedia.

The article is found by the film's IMDb id in Wikidata (property P345), many films in one request; its text takes one
more request, to the MediaWiki API, unless the article still has the revision that was read before, which is asked for
many articles in one request. Source: https://www.mediawiki.org/wiki/API:Etiquette,
https://www.mediawiki.org/wiki/API:Revisions, https://www.mediawiki.org/wiki/Extension:TextExtracts,
https://www.wikidata.org/wiki/Wikidata:SPARQL_query_service
"""

import threading
from collections.abc import Iterable

from pydantic import AliasPath, BaseModel, Field

from latentflix.config import StageConfig, setting
from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.client import CachedClient, Timestamp
from latentflix.reviews.http.politeness import WebAddress, retry_after
from latentflix.reviews.sources.protocol import TCONST, Answer, Availability, Film, Kind, Review

# The headings of each kind of text; the first that an article has is taken.
HEADINGS: dict[Kind, tuple[str, ...]] = {
    "reception": ("critical response", "critical reception", "critical reaction", "reception", "reviews"),
    "plot": ("plot", "plot summary", "synopsis", "story"),
}
_DEEPEST = 6
# Characters of an answer that a message shows.
_SHOWN = 200
# Errors of the MediaWiki API that pass.
_BUSY = {"maxlag", "ratelimited", "readonly"}
# Titles that the MediaWiki API takes in one request.
_MAX_TITLES = 50
_QUERY = """SELECT ?tconst ?title WHERE {{
  VALUES ?tconst {{ {tconsts} }}
  ?film wdt:P345 ?tconst .
  ?article schema:about ?film ; schema:isPartOf <https://en.wikipedia.org/> ; schema:name ?title .
}}"""


class WikipediaConfig(StageConfig):
    """How Wikidata and Wikipedia are queried."""

    wikidata_url: WebAddress = setting("https://query.wikidata.org/sparql", "address of Wikidata's query service")
    wikipedia_url: WebAddress = setting("https://en.wikipedia.org/w/api.php", "address of English Wikipedia's API")
    batch_size: int = setting(100, "films in one query to Wikidata", ge=1, le=250)
    max_lag: int = setting(5, "lag of Wikipedia's databases from which on it refuses requests", unit="seconds", ge=1)


class _Binding(BaseModel):
    tconst: str = Field(validation_alias=AliasPath("tconst", "value"))
    title: str = Field(validation_alias=AliasPath("title", "value"))


class _Sparql(BaseModel):
    bindings: list[_Binding] = Field(validation_alias=AliasPath("results", "bindings"))


class _Revision(BaseModel):
    revid: int
    timestamp: Timestamp


class _Article(BaseModel):
    title: str
    pageid: int = 0
    missing: bool = False
    extract: str = ""
    canonicalurl: str = ""
    revisions: list[_Revision] = []

    @property
    def marker(self) -> str:
        """Title and newest revision; empty without one."""
        return f"{self.title}@{self.revisions[0].revid}" if self.revisions else ""


class _Error(BaseModel):
    code: str
    info: str = ""


class _MediaWiki(BaseModel):
    pages: list[_Article] = Field([], validation_alias=AliasPath("query", "pages"))
    error: _Error | None = None


class WikipediaSource:
    """Answers with sections of a film's article, one text for each kind."""

    name = "wikipedia"
    local = False

    def __init__(self, config: WikipediaConfig, client: CachedClient, films: Iterable[Film] = ()) -> None:
        """Prepare to query Wikidata in batches for `films`, those that will be fetched."""
        self._config = config
        self._client = client
        tconsts = list(dict.fromkeys(film.tconst for film in films if film.tconst and TCONST.fullmatch(film.tconst)))
        size = config.batch_size
        batches = [tconsts[start : start + size] for start in range(0, len(tconsts), size)]
        self._batches = {tconst: batch for batch in batches for tconst in batch}
        self._titles: dict[str, list[str]] = {}
        self._markers: dict[str, str] = {}
        self._lock = threading.Lock()

    def availability(self) -> Availability:
        """Available if the settings name a contact, as Wikimedia's User-Agent policy asks."""
        if self._client.config.contact:
            return Availability(True)
        return Availability(False, "Wikimedia requires a contact: name one with --sources.fetching.contact")

    def fetch(self, film: Film, marker: str) -> Answer:
        """Fetch the sections of the film's article, unless it was not edited since an answer had the `marker`."""
        tconst = film.imdb_id
        titles = self._find(tconst)
        if len(titles) != 1:
            several = f"several Wikipedia articles are linked to {tconst}: {', '.join(titles)[:_SHOWN]}"
            none = f"no article of English Wikipedia is linked to {tconst}"
            return Answer("not_covered", reason=several if titles else none)
        if marker and marker == self._marker(tconst, titles[0]):
            return Answer("ok", marker=marker)
        article = self._read(titles[0])
        if article.missing or not article.revisions:
            return Answer("not_covered", reason=f"English Wikipedia has no article {titles[0]}")
        texts = find_sections(article.extract)
        if not texts:
            return Answer("empty", reason=f"the article {article.title} has no section on reception or plot")
        reviews = tuple(self._review(tconst, article, kind, text) for kind, text in texts.items())
        return Answer("ok", reviews, marker=article.marker)

    def _find(self, tconst: str) -> list[str]:
        """Find the titles of the articles that Wikidata links to a film."""
        with self._lock:
            if tconst not in self._titles:
                batch = self._batches.get(tconst, [tconst])
                query = _QUERY.format(tconsts=" ".join(f'"{each}"' for each in batch))
                params = {"query": query, "format": "json"}
                found, _ = self._client.get_json(_Sparql, self._config.wikidata_url, params=params)
                titles: dict[str, set[str]] = {each: set() for each in batch}
                for binding in found.bindings:
                    titles.setdefault(binding.tconst, set()).add(binding.title)
                self._titles |= {each: sorted(names) for each, names in titles.items()}
            return self._titles[tconst]

    def _marker(self, tconst: str, title: str) -> str:
        """Find the marker of an article; of the other films of a batch, it is found in the same request."""
        with self._lock:
            if title not in self._markers:
                of_batch = [name for each in self._batches.get(tconst, []) for name in self._titles.get(each, [])]
                place = of_batch.index(title) // _MAX_TITLES * _MAX_TITLES if title in of_batch else 0
                titles = of_batch[place : place + _MAX_TITLES] or [title]
                pages = self._query(titles, {"prop": "revisions"})
                self._markers |= dict.fromkeys(titles, "") | {page.title: page.marker for page in pages}
            return self._markers[title]

    def _read(self, title: str) -> _Article:
        properties = {"prop": "extracts|revisions|info", "explaintext": "1", "exsectionformat": "wiki", "inprop": "url"}
        pages = self._query([title], {**properties, "redirects": "1"})
        if len(pages) != 1:
            where = f"{self._config.wikipedia_url}, article {title}"
            raise PermanentFetchError("a host gave no answer", where=where, found="no page")
        return pages[0]

    def _query(self, titles: list[str], properties: dict[str, str]) -> list[_Article]:
        params = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "maxlag": str(self._config.max_lag),
            "titles": "|".join(titles),
            "rvprop": "ids|timestamp",
            **properties,
        }
        url = self._config.wikipedia_url
        answer, headers = self._client.get_json(_MediaWiki, url, params=params)
        if answer.error and answer.error.code in _BUSY:
            raise TransientFetchError(
                "a host is busy", where=url, found=answer.error.info[:_SHOWN], retry_after=retry_after(headers)
            )
        if answer.error:
            found = f"{answer.error.code}: {answer.error.info}"[:_SHOWN]
            raise PermanentFetchError("a host gave no answer", where=f"{url}, article {titles[0]}", found=found)
        return answer.pages

    def _review(self, tconst: str, article: _Article, kind: Kind, text: str) -> Review:
        revision = article.revisions[0]
        return Review(
            tconst=tconst,
            source=self.name,
            source_review_id=f"{article.pageid}#{kind}",
            text=text,
            kind=kind,
            author="contributors of Wikipedia",
            written_at=revision.timestamp,
            url=article.canonicalurl,
            attribution=f"“{article.title}”, revision {revision.revid}, contributors of Wikipedia, CC BY-SA 4.0, "
            f"{article.canonicalurl}",
        )


def find_sections(extract: str) -> dict[Kind, str]:
    """Find the section of each kind in the plain text of an article, with its subsections but without headings."""
    sections: list[tuple[str, list[str]]] = []
    # The level and the paragraphs of each section that the line is in, the outermost first.
    within: list[tuple[int, list[str]]] = []
    for line in extract.split("\n"):
        level, title = _read_heading(line)
        if level:
            within = [(above, paragraphs) for above, paragraphs in within if above < level]
            within.append((level, []))
            sections.append((title.casefold(), within[-1][1]))
        else:
            found = [part.strip() for part in line.splitlines() if part.strip()]
            for _, paragraphs in within:
                paragraphs += found
    # Of two sections of the same name the first counts.
    by_title = {title: "\n".join(paragraphs) for title, paragraphs in reversed(sections) if paragraphs}
    texts = {kind: [by_title[name] for name in names if name in by_title] for kind, names in HEADINGS.items()}
    return {kind: found[0] for kind, found in texts.items() if found}


def _read_heading(line: str) -> tuple[int, str]:
    """The level and the title of a heading: "== Plot ==" has level 2. Any other line has level 0."""
    before, after = (len(line) - len(stripped) for stripped in (line.lstrip("="), line.rstrip("=")))
    level = min(before, after, len(line) // 2, _DEEPEST)
    return (level, line[level : len(line) - level].strip(" ")) if level >= 2 else (0, "")
