"""What English Wikipedia says of a film: how it was received, and its plot.

The article is found by the film's IMDb id in Wikidata (property P345), many films in one request; its text comes from
the MediaWiki API in one more. Source: https://www.mediawiki.org/wiki/API:Etiquette,
https://www.mediawiki.org/wiki/Extension:TextExtracts, https://www.wikidata.org/wiki/Wikidata:SPARQL_query_service
"""

import re
import threading
from collections.abc import Iterable
from datetime import datetime

from pydantic import AwareDatetime, BaseModel

from latentflix.config import StageConfig, setting
from latentflix.errors import PermanentFetchError, TransientFetchError
from latentflix.reviews.http.client import CachedClient
from latentflix.reviews.http.politeness import WebAddress, retry_after
from latentflix.reviews.sources.protocol import TCONST, Answer, Check, Film, Kind, Review

# Headings under which articles say it; the first that an article has is taken.
HEADINGS: dict[Kind, tuple[str, ...]] = {
    "reception": ("critical response", "critical reception", "critical reaction", "reception", "reviews"),
    "plot": ("plot", "plot summary", "synopsis", "story"),
}
_HEADING = re.compile(r"^(={2,6}) *(.*?) *\1$", re.MULTILINE)
# What the MediaWiki API says while it wants to be left alone.
_BUSY = {"maxlag", "ratelimited", "readonly"}
_QUERY = """SELECT ?tconst ?title WHERE {{
  VALUES ?tconst {{ {tconsts} }}
  ?film wdt:P345 ?tconst .
  ?article schema:about ?film ; schema:isPartOf <https://en.wikipedia.org/> ; schema:name ?title .
}}"""


class WikipediaConfig(StageConfig):
    """How Wikidata and Wikipedia are asked."""

    wikidata_url: WebAddress = setting("https://query.wikidata.org/sparql", "where Wikidata's query service is")
    wikipedia_url: WebAddress = setting("https://en.wikipedia.org/w/api.php", "where English Wikipedia's API is")
    batch_size: int = setting(100, "films that Wikidata is asked about at once", ge=1, le=250)
    max_lag: int = setting(5, "how far Wikipedia's databases may lag before it sends us away", unit="seconds", ge=1)


class _Value(BaseModel):
    value: str


class _Binding(BaseModel):
    tconst: _Value
    title: _Value


class _Bindings(BaseModel):
    bindings: list[_Binding]


class _Sparql(BaseModel):
    results: _Bindings


class _Revision(BaseModel):
    revid: int
    timestamp: AwareDatetime


class _Article(BaseModel):
    title: str
    pageid: int = 0
    missing: bool = False
    extract: str = ""
    canonicalurl: str = ""
    revisions: list[_Revision] = []


class _Query(BaseModel):
    pages: list[_Article]


class _Error(BaseModel):
    code: str
    info: str = ""


class _MediaWiki(BaseModel):
    query: _Query | None = None
    error: _Error | None = None


class WikipediaSource:
    """Answers with the sections of a film's article, one text a kind."""

    name = "wikipedia"

    def __init__(self, config: WikipediaConfig, fetcher: CachedClient, films: Iterable[Film] = ()) -> None:
        """Ask through `fetcher`. films: those that will be asked about, so that Wikidata is asked in batches."""
        self._config = config
        self._fetcher = fetcher
        tconsts = list(dict.fromkeys(film.tconst for film in films if film.tconst and TCONST.fullmatch(film.tconst)))
        size = config.batch_size
        batches = [tconsts[start : start + size] for start in range(0, len(tconsts), size)]
        self._batches = {tconst: batch for batch in batches for tconst in batch}
        self._titles: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def check(self) -> Check:
        """It works for those who say who they are, as Wikimedia's User-Agent policy asks."""
        if self._fetcher.config.contact:
            return Check(True)
        return Check(False, "Wikimedia asks who sends the requests: name a contact with --sources.fetching.contact")

    def fetch(self, film: Film, since: datetime | None, limit: int) -> Answer:
        """The sections of the film's article, if it was edited after `since`."""
        if film.tconst is None or not TCONST.fullmatch(film.tconst):
            return Answer("not_covered", reason="the film's IMDb id is not known")
        try:
            titles = self._find(film.tconst)
            if len(titles) != 1:
                several = f"several Wikipedia articles are linked to {film.tconst}: {', '.join(titles)}"
                none = f"no article of English Wikipedia is linked to {film.tconst}"
                return Answer("not_covered", reason=several if titles else none)
            article = self._read(titles[0])
        except PermanentFetchError as failure:
            return Answer(failure.outcome, reason=str(failure))
        if article.missing or not article.revisions:
            return Answer("not_covered", reason=f"English Wikipedia has no article {titles[0]}")
        texts = find_sections(article.extract)
        if not texts:
            return Answer("empty", reason=f"the article {article.title} tells neither reception nor plot")
        if since and article.revisions[0].timestamp <= since:
            return Answer("ok")
        return Answer(
            "ok", tuple(self._review(film.tconst, article, kind, texts[kind]) for kind in list(texts)[:limit])
        )

    def _find(self, tconst: str) -> list[str]:
        """The titles of the articles that Wikidata links to a film."""
        with self._lock:
            if tconst not in self._titles:
                batch = self._batches.get(tconst, [tconst])
                query = _QUERY.format(tconsts=" ".join(f'"{each}"' for each in batch))
                params = {"query": query, "format": "json"}
                found, _ = self._fetcher.get_json(_Sparql, self._config.wikidata_url, params=params)
                titles: dict[str, set[str]] = {each: set() for each in batch}
                for binding in found.results.bindings:
                    titles.setdefault(binding.tconst.value, set()).add(binding.title.value)
                self._titles |= {each: sorted(names) for each, names in titles.items()}
            return self._titles[tconst]

    def _read(self, title: str) -> _Article:
        params = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "maxlag": str(self._config.max_lag),
            "redirects": "1",
            "titles": title,
            "prop": "extracts|revisions|info",
            "explaintext": "1",
            "exsectionformat": "wiki",
            "rvprop": "ids|timestamp",
            "inprop": "url",
        }
        url = self._config.wikipedia_url
        answer, headers = self._fetcher.get_json(_MediaWiki, url, params=params)
        if answer.error and answer.error.code in _BUSY:
            raise TransientFetchError(
                "a host is busy", where=url, found=answer.error.info, retry_after=retry_after(headers)
            )
        if answer.error or answer.query is None or len(answer.query.pages) != 1:
            found = f"{answer.error.code}: {answer.error.info}" if answer.error else "no page"
            raise PermanentFetchError("a host gave no answer", where=f"{url}, article {title}", found=found)
        return answer.query.pages[0]

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
    """The text of the section of each kind that an article has, its subsections included, without headings.

    extract: the plain text of an article, with headings as in `== Plot ==`.
    """
    headings = list(_HEADING.finditer(extract))
    sections: dict[str, str] = {}
    for place, heading in enumerate(headings):
        level = len(heading[1])
        ends = (other.start() for other in headings[place + 1 :] if len(other[1]) <= level)
        text = extract[heading.end() : next(ends, len(extract))]
        paragraphs = [line.strip() for line in _HEADING.sub("", text).splitlines() if line.strip()]
        if paragraphs:
            sections.setdefault(heading[2].casefold(), "\n".join(paragraphs))
    found: dict[Kind, str] = {}
    for kind, names in HEADINGS.items():
        texts = [sections[name] for name in names if name in sections]
        if texts:
            found[kind] = texts[0]
    return found
