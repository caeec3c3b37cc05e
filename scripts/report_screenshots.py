"""Makes the pictures of the report that the README shows: `make screenshots`.

They are of the newest report below `artifacts`, or of the page that is given.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).parents[1] / "docs"
DESKTOP, PHONE = (1280, 880), (390, 844)


def newest_report(artifacts: Path) -> Path:
    """The page of the report that was made last. Exits with a word on what to do if there is none."""
    pages = sorted(artifacts.glob("report/[!.]*/index.html"), key=lambda page: page.stat().st_mtime)
    if not pages:
        sys.exit(f"there is no report below {artifacts.resolve()}; what to do: make run")
    return pages[-1]


def best_factor(page: Path) -> str:
    """The id of the first card that is not grey; of the first one if all are."""
    html = page.read_text(encoding="utf-8")
    told = re.search(r'<article class="card" id="(factor-\d+)"', html)
    return told.group(1) if told else "factor-1"


def photograph(
    browser: Browser, page: Path, name: str, size: tuple[int, int], place: str = "", *, dark: bool = False
) -> None:
    """Write `docs/<name>.png`: what a screen of that size shows at a place of the page."""
    width, height = size
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    opened = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    opened.goto(page.resolve().as_uri() + place)
    # Pictures are loaded once they are in view.
    opened.wait_for_load_state("networkidle")
    opened.wait_for_timeout(500)
    opened.screenshot(path=DOCS / f"{name}.png")
    opened.close()


def main(page: Annotated[Path | None, typer.Argument(help="a report's index.html")] = None) -> None:
    """Make the screenshots of the README."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("no Chromium is installed; what to do: apt-get install chromium")
    report = page or newest_report(Path("artifacts"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        photograph(browser, report, "report", DESKTOP)
        photograph(browser, report, "factor", DESKTOP, f"#{best_factor(report)}")
        photograph(browser, report, "films", DESKTOP, "#films", dark=True)
        photograph(browser, report, "phone", PHONE, "#factors")
        browser.close()


if __name__ == "__main__":
    typer.run(main)
