"""Pages and Markdown of texts that were written to do harm, in a real browser."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser

from latentflix.artifacts import Handle, Store
from latentflix.report.formatting import PAGE, visible
from latentflix.report.highlights import Table, drift_markdown, highlights, page_text, picture, table
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.page import build_report
from tests.support.browser import DESKTOP, PHONE, opened, scroll_through
from tests.support.factories.analysis import make_analysis
from tests.support.factories.artifacts import put
from tests.support.factories.report import LABELS, make_inputs, make_name_tests

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
LONG_WORD = "x" * 1_000_000
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror="alert(2)">',
    "' onmouseover='alert(3)' autofocus onfocus='alert(4)",
    "<svg/onload=alert(5)>",
    "</title></style></textarea></pre><script>alert(6)</script>",
    '<meta http-equiv="refresh" content="0;url=http://evil.example/">',
    '<base href="//evil.example/"><link rel=stylesheet href="//evil.example/a.css">',
    '<iframe src="javascript:alert(7)"></iframe>',
    "javascript:alert(8) data:text/html,<script>alert(9)</script> mailto:a@evil.example www.evil.example",
    "[click](javascript:alert(10)) ![x](http://evil.example/x.png) <javascript:alert(11)> `code` | cell",
    "&#106;avascript:alert(12) &lt;script&gt; ]]> <!-- {{ 7 * 7 }} {% raw %} ${alert(13)}",
    f"{BIDI}desrever era sdrow\u202e",
    "zero\x00byte and \x1b[2J\x07",
    LONG_WORD,
    "# heading\n- list\n\n| a | b |\n|---|---|\n===\n```",
]
ALL = " ".join(HOSTILE)


class Tags(HTMLParser):
    """The tags of a page, and the addresses that they name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "action")]


def hostile_inputs() -> ReportInputs:
    """The small inputs with hostile texts wherever a text of strangers is shown."""
    few = make_inputs()
    terms = few.terms.assign(term=ALL, forms=ALL)
    mapped = few.recommender.analysis
    reviews = few.reviews.assign(
        text=[f"A war film. {ALL} A love of war. " * 2 + "Nothing of note. " * 20] * len(few.reviews), attribution=ALL
    )
    return make_inputs(
        items=few.items.assign(title=[f"{ALL} {number}" for number in few.items.index], genres=[[ALL]] * 3),
        reviews=reviews,
        terms=pd.concat([few.terms.head(1), terms], ignore_index=True),
        pole_items=few.pole_items.assign(title=ALL),
        genres=few.genres.assign(genre=ALL),
        names=dict.fromkeys(LABELS, ALL),
        name_tests=make_name_tests({"1+": (0.45, True), "1-": (0.05, False), "2-": (0.02, False)}),
        sentences=pd.DataFrame({"sentence": [ALL]}),
        analysis=make_analysis(
            positions=mapped.positions.assign(title=ALL),
            similar=mapped.similar.assign(title=ALL),
            biases=mapped.biases.assign(title=ALL),
        ),
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    build_report(folder, hostile_inputs(), ReportConfig())
    return folder / PAGE


@pytest.mark.parametrize("width", [320, DESKTOP["width"]])
def test_a_page_of_hostile_texts_runs_nothing_asks_for_nothing_and_keeps_its_layout(
    browser: Browser, report: Path, width: int
) -> None:
    with opened(browser, report, size={**PHONE, "width": width}) as found:
        page = found.page
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        scroll_through(page)
        page.wait_for_load_state("networkidle")
        own = report.parent.as_uri()
        assert [url for url in found.requests if not url.startswith((own, "data:", "blob:"))] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.locator("script").count() == 1
        for harmful in ("base", "meta[http-equiv]", "link", "object", "form", "iframe:not([src='map.html'])"):
            assert page.locator(harmful).count() == 0, harmful
        text = page.evaluate("document.documentElement.outerHTML")
        assert not set(text) & {*BIDI, "\0", "\x1b", "\ufffd"}
        assert HOSTILE[0] in (page.locator("#items h3").first.text_content() or "")
        assert LONG_WORD[:1000] not in text
        assert Tags(text).handlers == []


def test_a_page_of_hostile_texts_is_no_larger_than_a_browser_takes(report: Path) -> None:
    assert report.stat().st_size < 2_000_000
    assert (report.parent / "map.html").stat().st_size < 10_000_000


def render(markdown: str) -> Tags:
    """What the most trusting renderer makes of a text: one that leaves HTML as it is, and links to any address."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")
    renderer.validateLink = lambda _: True  # type: ignore[method-assign]
    return Tags(renderer.render(markdown))


def test_markdown_of_hostile_texts_holds_no_tag_and_no_address_of_theirs(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    drift = pd.DataFrame(
        {"title": HOSTILE, "reviews": 1, "new_reviews": 1, "distance": 0.5, "gained": ALL, "lost": ALL, "drifted": True}
    )
    ambiguous = pd.DataFrame({"title": HOSTILE, "candidates": ALL})
    handle = Handle(stage="report", key="k")
    texts = {
        "a table": "\n".join(table(("item",), [(each,) for each in HOSTILE])),
        "drift": drift_markdown(drift, ambiguous),
        "a picture": picture(tmp_path / "a.png", ALL),
        "the page": page_text(store, handle, ALL, None).markdown,
    }
    for name, markdown in texts.items():
        rendered = render(markdown)
        harmful = rendered.tags - {"table", "thead", "tbody", "tr", "th", "td", "p", "h2", "img"}
        assert (name, harmful, rendered.handlers) == (name, set(), [])
        assert [each for each in rendered.addresses if not each.startswith("data:image/png;base64,")] == []
        assert not set(markdown) & {*BIDI, "\0", "\x1b"}
        assert len(markdown) < 500_000
        # What a renderer would take for an address although no mark says so.
        assert re.findall(r"(?<!\\)(?:@|://)", re.sub(r"data:image/png;base64,\S+", "", markdown)) == []


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("https://films.example/a", "https://films.example/a/report/k/index.html"),
        ("file:///srv/a", "file:///srv/a/report/k/index.html"),
        (
            "https://films.example/a) [b](javascript:c",
            "https://films.example/a%29%20%5Bb%5D%28javascript:c/report/k/index.html",
        ),
        ("javascript:alert(1)//", None),
        (" javascript:alert(1)//", None),
        ("data:text/html,<script>alert(1)</script>", None),
        ("java\nscript:alert(1)", None),
        ("ftp://films.example", None),
    ],
)
def test_only_addresses_of_the_web_and_of_files_are_links(store: Store, address: str, linked: str | None) -> None:
    rendered = render(page_text(store, Handle(stage="report", key="k"), "7 films", address).markdown)
    assert rendered.addresses == ([linked] if linked else [])
    assert rendered.tags <= {"p", "a"}


def test_tables_for_the_ui_hold_nothing_that_a_database_refuses(store: Store) -> None:
    (shown,) = highlights(store, [put(store, "factors", "0", metrics={"best\0": "a\0b", "n": 3})])
    assert isinstance(shown, Table)
    assert shown.cells() == [{"metric": "best", "value": "ab"}, {"metric": "n", "value": 3}]


def test_what_is_shown_is_cut_and_plain_text_of_any_script_stays() -> None:
    assert visible("Amélie – שלום, مرحبا 日本 🎬\n\tx") == "Amélie – שלום, مرحبا 日本 🎬\n\tx"
    assert visible(LONG_WORD) == f"{'x' * 500}…"
    assert len(visible("ab " * 10**6)) <= 20_001
