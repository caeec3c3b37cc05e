"""The report in a real browser, opened from disk."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from latentflix.report.formatting import PAGE
from latentflix.report.inputs import ReportConfig, ReportInputs
from latentflix.report.page import build_report
from tests.support.browser import DESKTOP, PHONE, Opened, opened, scroll_through
from tests.support.factories.analysis import TITLES, make_analysis
from tests.support.factories.report import HANDLER, LABELS, SCRIPT, make_inputs

LONG_TITLE = "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb and Everything Else There Is (1963)"
UNBROKEN_TITLE = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverleihungsurkundenfälscher (1991)"
N_ITEMS = 60


def many_items() -> ReportInputs:
    """The small inputs with many more items, so that the last are far below the first screen."""
    few = make_inputs()
    titles = [LONG_TITLE, UNBROKEN_TITLE, *(f"Film {number:03d} (1995)" for number in range(N_ITEMS - 5))]
    ids = pd.Index(range(100, 100 + len(titles)), name="item_id")
    items = pd.concat(
        [few.items, pd.DataFrame({"title": titles, "ratings": 10, "genres": [[]] * len(titles)}, index=ids)]
    )
    more = few.reviews.iloc[[1] * len(ids)].assign(item_id=ids, review_id=[f"m{item_id}" for item_id in ids])
    shares = pd.DataFrame([(item, label) for item in ids for label in LABELS], columns=["item_id", "label"])
    labels = pd.DataFrame({"item_id": ids, "label": "1-", "strength": 0.5})
    ends = pd.DataFrame({"label": "1-", "item_id": ids[:2], "title": titles[:2], "score": 2.0})
    return make_inputs(
        items=items,
        reviews=pd.concat([few.reviews, more], ignore_index=True),
        shares=pd.concat(
            [few.shares, shares.assign(share=0.5, share_without=0.5, usual=0.5, usual_without=0.5, lift=1.0)],
            ignore_index=True,
        ),
        item_labels=pd.concat([few.item_labels, labels], ignore_index=True),
        pole_items=pd.concat([few.pole_items, ends], ignore_index=True),
        analysis=make_analysis(
            positions=few.recommender.analysis.positions.assign(axis_1=[0, 1, 2, 3], axis_2=[0, 2, 1, 3])
        ),
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    build_report(folder, many_items(), ReportConfig())
    return folder / PAGE


@pytest.fixture
def desktop(browser: Browser, report: Path) -> Iterator[Opened]:
    with opened(browser, report) as found:
        yield found


def brightness(page: Page, selector: str) -> float:
    colour = page.locator(selector).first.evaluate("element => getComputedStyle(element).backgroundColor")
    return sum(float(part) for part in colour.strip("rgba()").split(",")[:3]) / 3


def test_nothing_fails_or_is_requested_from_a_network_and_nothing_is_run(desktop: Opened, report: Path) -> None:
    scroll_through(desktop.page)
    desktop.page.wait_for_load_state("networkidle")
    own = report.parent.as_uri()
    assert [url for url in desktop.requests if not url.startswith((own, "data:", "blob:"))] == []
    assert f"{own}/map.html" in desktop.requests
    assert len([url for url in desktop.requests if f"{own}/items/" in url]) == N_ITEMS
    page = desktop.page
    scroll_through(page)
    assert page.locator("blockquote", has_text=SCRIPT).count() >= 1
    assert page.locator("#item-7 h3").text_content() == f"Beta {HANDLER} (1991)"
    assert page.locator("[onerror]").count() == 0
    assert page.locator("script").count() == 1


def test_pictures_are_loaded_as_they_come_into_view(desktop: Opened) -> None:
    desktop.page.wait_for_load_state("networkidle")
    assert len([url for url in desktop.requests if "/items/" in url]) < N_ITEMS / 2
    last = desktop.page.locator("#item-list img").last
    last.scroll_into_view_if_needed()
    desktop.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=last.element_handle())


def test_the_finding_is_on_the_first_screen(desktop: Opened) -> None:
    for text in (
        "What people write about films predicts",
        "war",
        "0.47",
        "2 factors that do not hold",
        "mean score over",
    ):
        box = desktop.page.get_by_text(text).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < DESKTOP["height"]


def test_the_search_shows_the_items_whose_title_has_the_words_and_a_link_those_that_it_hid(desktop: Opened) -> None:
    page = desktop.page
    search = page.get_by_label("Search by title")
    search.fill("fILM 01")
    assert page.locator("#item-list > li:visible").count() == 10
    assert page.get_by_role("status").inner_text() == "10 films"
    search.fill("no such film")
    assert page.locator("#item-list > li:visible").count() == 0
    assert page.get_by_role("status").inner_text() == "0 films"
    search.fill("")
    assert page.locator("#item-list > li:visible").count() == N_ITEMS
    page.get_by_label("Search by title").fill("film 01")
    page.locator("#factor-1").get_by_role("link", name="Alpha (1990)").first.click()
    page.wait_for_function("document.querySelector('#item-3').hidden === false")
    assert page.get_by_label("Search by title").input_value() == ""
    page.wait_for_function("document.querySelector('#item-3').getBoundingClientRect().top < innerHeight")


def test_a_link_to_a_factor_that_is_folded_away_unfolds_it(desktop: Opened) -> None:
    page = desktop.page
    assert not page.locator("#factor-2").is_visible()
    page.get_by_text("2 factors that do not hold").click()
    page.get_by_role("link", name="Factor 2", exact=True).click()
    page.wait_for_function("document.querySelector('#factor-2').getBoundingClientRect().top < innerHeight")
    assert page.locator("#factor-2").is_visible()


DOTS = """
() => {
  const { frame, model } = Bokeh.index.roots[0];
  const { axis_1, axis_2 } = model.renderers[0].data_source.data;
  return Array.from(axis_1, (across, row) => [frame.x_scale.compute(across), frame.y_scale.compute(axis_2[row])]);
}
"""


def test_pointing_at_a_dot_of_the_map_shows_its_item(desktop: Opened) -> None:
    page = desktop.page
    iframe = page.locator("iframe")
    iframe.scroll_into_view_if_needed()
    framed = iframe.content_frame
    framed.locator(".bk-Figure").wait_for()
    box = iframe.bounding_box()
    assert box is not None
    for title, (across, down) in zip(TITLES, page.frames[-1].evaluate(DOTS), strict=True):
        page.mouse.move(box["x"] + across - 4, box["y"] + down - 4)
        page.mouse.move(box["x"] + across + 1, box["y"] + down + 1, steps=3)
        framed.get_by_text(title, exact=True).wait_for(timeout=5000)


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize(
    ("dark", "rules"), [(False, RULES), (True, {"type": "rule", "values": ["color-contrast"]})], ids=["light", "dark"]
)
def test_light_and_dark_follow_the_reader_and_are_accessible(
    browser: Browser, report: Path, dark: bool, rules: list[str] | dict[str, object]
) -> None:
    with opened(browser, report, dark=dark) as found:
        page = found.page
        for selector in ("body", "#factor-1", "#search"):
            assert (brightness(page, selector) < 60) == dark
        picture = page.locator("#item-list img").first
        assert ("invert" in picture.evaluate("image => getComputedStyle(image).filter")) == dark
        text = page.locator("body").evaluate("element => getComputedStyle(element).color")
        assert (sum(float(part) for part in text.strip("rgb()").split(",")) / 3 > 128) == dark
    with opened(browser, report, dark=dark) as found:
        # The items are all made alike.
        context = {"exclude": [["#item-list > li:nth-child(n+4)"]]}
        response = Axe().run(found.page, context, {"runOnly": rules, "iframes": False}).response
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in response["violations"]] == []
        assert "color-contrast" in {rule["id"] for rule in response["passes"]}


@pytest.mark.parametrize("width", [320, PHONE["width"]])
def test_nothing_is_wider_than_the_screen(browser: Browser, report: Path, width: int) -> None:
    with opened(browser, report, size={**PHONE, "width": width}) as found:
        page = found.page
        scroll_through(page)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        beyond = page.evaluate(
            """() => [...document.querySelectorAll("body *")]
                .filter((element) => !element.closest(".scroll, nav, .skip, iframe, svg, details"))
                .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
                .map((element) => element.outerHTML.slice(0, 80))"""
        )
        assert beyond == []


def test_the_longest_titles_fit_their_boxes(browser: Browser, report: Path) -> None:
    with opened(browser, report, size=PHONE) as found:
        for title in (LONG_TITLE, UNBROKEN_TITLE):
            for place in found.page.get_by_text(title).all():
                assert place.evaluate("element => element.scrollWidth <= (element.clientWidth || 9999)")


def test_the_page_works_with_a_keyboard_and_a_screen_reader(desktop: Opened) -> None:
    page = desktop.page
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.inner_text() == "Skip to the content"
    box = focused.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")
    for role in ("banner", "navigation", "main"):
        assert page.get_by_role(role).count() == 1
    assert page.get_by_role("region", name="Factors", exact=True).count() == 1
    assert page.get_by_role("article", name="Factor 1").count() == 1
    assert page.get_by_role("searchbox", name="Search by title").count() == 1
    assert page.get_by_role("list", name="Factors that hold").get_by_role("link", name="Factor 1").count() == 1
    assert page.get_by_role("columnheader", name="judge's lead").count() == 2
    assert page.get_by_role("img", name="Score 0.47, interval 0.37 to 0.57").count() == 2
