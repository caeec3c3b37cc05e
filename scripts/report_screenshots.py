"""Takes the screenshots of the report that the README shows: `make screenshots`.

They show the newest report below `artifacts`, or the page that is given.
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
    """The page of the newest report. Exits with a hint if there is none."""
    pages = sorted(artifacts.glob("report/[!.]*/index.html"), key=lambda page: page.stat().st_mtime)
    if not pages:
        sys.exit(f"there is no report below {artifacts.resolve()}; what to do: make run")
    return pages[-1]


def best_factor(page: Path) -> str:
    """The id of the first card of a predictable factor; of the first card if there is none."""
    html = page.read_text(encoding="utf-8")
    found = re.search(r'<article class="card" id="(factor-\d+)"', html)
    return found.group(1) if found else "factor-1"


def photograph(
    browser: Browser, page: Path, name: str, size: tuple[int, int], place: str = "", *, dark: bool = False
) -> None:
    """Write `docs/<name>.png`: a screen of this size at a place of the page."""
    width, height = size
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    opened = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    opened.goto(page.resolve().as_uri() + place)
    # Pictures load once they are in view.
    opened.wait_for_load_state("networkidle")
    opened.wait_for_timeout(500)
    opened.screenshot(path=DOCS / f"{name}.png")
    opened.close()


def main(page: Annotated[Path | None, typer.Argument(help="a report's index.html")] = None) -> None:
    """Take the screenshots of the README."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("no Chromium is installed; what to do: apt-get install chromium")
    report = page or newest_report(Path("artifacts"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        photograph(browser, report, "report", DESKTOP)
        photograph(browser, report, "factor", DESKTOP, f"#{best_factor(report)}")
        photograph(browser, report, "items", DESKTOP, "#items", dark=True)
        photograph(browser, report, "phone", PHONE, "#factors")
        browser.close()


if __name__ == "__main__":
    typer.run(main)
