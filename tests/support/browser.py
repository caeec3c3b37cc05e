"""A page opened from disk in Chromium."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@dataclass
class Opened:
    """A page, what it complained of, and what it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Browser, path: Path, *, size: dict[str, int] = DESKTOP, dark: bool = False) -> Iterator[Opened]:
    """A file in a page of its own, which must not complain of anything."""
    page = browser.new_page(viewport=size, color_scheme="dark" if dark else "light")
    found = Opened(page)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("dialog", lambda dialog: (found.complaints.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda said: said.type in ("error", "warning") and found.complaints.append(said.text))
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("requestfailed", lambda request: found.complaints.append(f"failed: {request.url}"))
    page.goto(path.as_uri())
    yield found
    page.close()
    assert found.complaints == []


def scroll_through(page: Page) -> None:
    """Have everything come into view, as a reader would."""
    height = page.evaluate("document.documentElement.scrollHeight")
    for top in range(0, height, 700):
        page.evaluate(f"scrollTo(0, {top})")
        page.wait_for_timeout(15)
